/** What a server remembers without a state file is bounded, however many are banned. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { getHeapStatistics, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { LiveState } from '../../src/state/live-state.ts'

const BANS = 60_000
/** Of the name, so that what is kept for each ban can be seen. */
const NAME_OCTETS = 255
/** One of fifteen bans is in force; all of them would come to 50 MiB. */
const OCTETS_MAX = 15 * 1_048_576

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as (options: object) => void

function heldOctets(): number {
  collect({ type: 'major', execution: 'sync', flavor: 'last-resort' })
  return getHeapStatistics().used_heap_size
}

test('bans that are not saved anywhere are forgotten when they give way', async () => {
  const state = new LiveState({ threads: 1, connectionsMax: 10, notice: () => {} })
  const sinceMs = Date.now()
  const before = heldOctets()
  for (let index = 0; index < BANS; index++) {
    const user = `${index}`.padStart(NAME_OCTETS, 'x')
    const subject = { kind: 'login', client: '192.0.2.7', user } as const
    await state.add({ subject, sinceMs, untilMs: sinceMs + 900_000, by: 'login', reason: 'failed logins' })
  }
  const held = heldOctets() - before
  assert.ok(held < OCTETS_MAX, `${Math.round(held / 1_048_576)} MiB`)
  assert.ok(state.bans.length > 2_000)
})
