/** What the relay of the Linux engine decides by itself, on connections without a descriptor. The rest is in the contract. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { NO_OCTETS } from '@socksmith/protocol'
import { IdleWheel } from '../../src/idle-wheel.ts'
import type { LinuxConnection } from '../../src/linux/linux-connection.ts'
import { type RelayGround, startLinuxRelay } from '../../src/linux/linux-relay.ts'
import type { RelayEnd } from '../../src/ports.ts'
import { VirtualClock } from '../virtual-clock.ts'

const METHODS = { join() {}, write() {}, close() {}, closeByReset() {} }

/** As much of a connection as a relay asks for that is never ready. */
function idleConnection(): { unsentOctets: number } {
  return { unsentOctets: 0, ...METHODS, fd: 3, isClosed: false } as { unsentOctets: number }
}

test('a reader that is only slow is not idle, while the source is paused', async () => {
  const clock = new VirtualClock()
  const ground = { clock, wheel: new IdleWheel(clock), loop: { soon() {} } } as unknown as RelayGround
  const [client, target] = [idleConnection(), idleConnection()]
  const causes: RelayEnd['cause'][] = []
  startLinuxRelay(ground, {
    client: client as unknown as LinuxConnection,
    target: target as unknown as LinuxConnection,
    toTarget: NO_OCTETS,
    toClient: NO_OCTETS,
    idleMs: 10_000,
    halfOpenIdleMs: 10_000,
    onEnd: end => causes.push(end.cause),
  })
  for (client.unsentOctets = 60_000; client.unsentOctets > 0; client.unsentOctets -= 10_000) await clock.advance(9_000)
  assert.deepEqual(causes, [])
  await clock.advance(30_000)
  assert.deepEqual(causes, ['idle'])
})
