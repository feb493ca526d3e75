/** A disk that is really full under the state file, in a mount table of its own. */
import assert from 'node:assert/strict'
import { execFile, spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { temporaryFolder } from '../run-command.ts'

const INSIDE = fileURLToPath(new URL('on-full-disk.ts', import.meta.url))
const SMALL_DISK = 'mount -t tmpfs -o size=256k none "$1"'

test('a full disk is told once, loses no ban, and is written when there is room again', async t => {
  const folder = await temporaryFolder(t)
  const rights = process.getuid?.() === 0 ? ['-m'] : ['-m', '--map-root-user']
  const tried = spawnSync('unshare', [...rights, 'sh', '-c', SMALL_DISK, 'sh', folder])
  if (tried.status !== 0) return t.skip(`no small disk can be mounted here: ${String(tried.stderr ?? tried.error)}`)
  const script = `${SMALL_DISK} && shift && exec "$@"`
  const node = [process.execPath, '--conditions=@socksmith/source', INSIDE, folder]
  const { stdout } = await promisify(execFile)('unshare', [...rights, 'sh', '-c', script, 'sh', folder, ...node])
  const { meanwhile, notices, kept } = JSON.parse(stdout) as {
    readonly [key in 'meanwhile' | 'notices']: readonly string[]
  } & { readonly kept: readonly { readonly user: string }[] }
  assert.equal(meanwhile.length, 1, meanwhile.join('\n'))
  assert.match(meanwhile[0] ?? '', /^cannot write the state file .*full.*tried again$/)
  assert.deepEqual(notices.slice(1), ['the state file can be written again'])
  assert.deepEqual(kept.map(({ user }) => user).toSorted(), ['afterwards', 'before', 'meanwhile'])
})
