/** What the relay of the portable engine decides by itself, on connections that do nothing. The rest is in the contract. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { NO_ENDPOINT, NO_OCTETS } from '@socksmith/protocol'
import { IdleWheel } from '../../src/idle-wheel.ts'
import { startRelay } from '../../src/node/node-relay.ts'
import type { Connection, ConnectionReader, Place, RelayEnd } from '../../src/ports.ts'
import { VirtualClock } from '../virtual-clock.ts'

const PLACE: Place = { kind: 'ip', endpoint: NO_ENDPOINT }

/** Takes everything, and tells of its close. */
class IdleConnection implements Connection {
  readonly local = PLACE
  readonly remote = PLACE
  unsentOctets = 0
  #reader: ConnectionReader | undefined

  read(reader: ConnectionReader): void {
    this.#reader = reader
  }
  pause(): void {}
  resume(): void {}
  write(): void {}
  onceSent(): void {}
  end(): void {}
  destroy(): void {
    const reader = this.#reader
    this.#reader = undefined
    queueMicrotask(() => reader?.onClose('destroyed'))
  }
  reset(): void {
    this.destroy()
  }
}

test('a reader that is only slow is not idle, while the source is paused', async () => {
  const clock = new VirtualClock()
  const [client, target] = [new IdleConnection(), new IdleConnection()]
  const causes: RelayEnd['cause'][] = []
  startRelay(
    {
      client,
      target,
      toTarget: NO_OCTETS,
      toClient: NO_OCTETS,
      idleMs: 10_000,
      halfOpenIdleMs: 10_000,
      onEnd: end => causes.push(end.cause),
    },
    clock,
    new IdleWheel(clock),
  )
  for (client.unsentOctets = 60_000; client.unsentOctets > 0; client.unsentOctets -= 10_000) await clock.advance(9_000)
  assert.deepEqual(causes, [])
  await clock.advance(30_000)
  assert.deepEqual(causes, ['idle'])
})
