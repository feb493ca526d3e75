/** A disk that is really full under the state file. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { onSmallDisk } from '../small-disk.ts'

test('a full disk is told once, loses no ban, and is written when there is room again', async t => {
  const stdout = await onSmallDisk(t, '256k', new URL('on-full-disk.ts', import.meta.url))
  if (stdout === undefined) return
  const { meanwhile, notices, kept } = JSON.parse(stdout) as {
    readonly [key in 'meanwhile' | 'notices']: readonly string[]
  } & { readonly kept: readonly { readonly user: string }[] }
  assert.equal(meanwhile.length, 1, meanwhile.join('\n'))
  assert.match(meanwhile[0] ?? '', /^cannot write the state file .*full.*tried again$/)
  assert.deepEqual(notices.slice(1), ['the state file can be written again'])
  assert.deepEqual(kept.map(({ user }) => user).toSorted(), ['afterwards', 'before', 'meanwhile'])
})
