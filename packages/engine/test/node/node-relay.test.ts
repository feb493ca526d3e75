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
  isPaused = false
  #reader: ConnectionReader | undefined
  #onceSent: (() => void) | undefined

  read(reader: ConnectionReader): void {
    this.#reader = reader
  }
  pause(): void {
    this.isPaused = true
  }
  resume(): void {
    this.isPaused = false
  }
  write(): void {}
  onceSent(callback: () => void): void {
    this.#onceSent = callback
  }
  end(): void {}
  destroy(): void {
    const reader = this.#reader
    this.#reader = undefined
    queueMicrotask(() => reader?.onClose('destroyed'))
  }
  reset(): void {
    this.destroy()
  }

  /** Its peer sends something. */
  bring(octets: Uint8Array): void {
    this.#reader?.onOctets(octets)
  }

  /** Its peer takes what was unsent. */
  take(): void {
    this.unsentOctets = 0
    this.#onceSent?.()
  }
}

interface Scene {
  readonly clock: VirtualClock
  readonly client: IdleConnection
  readonly target: IdleConnection
  /** How the relay ended, if it did. */
  readonly causes: readonly RelayEnd['cause'][]
}

function relay(): Scene {
  const clock = new VirtualClock()
  const [client, target] = [new IdleConnection(), new IdleConnection()]
  const causes: RelayEnd['cause'][] = []
  const onEnd = (end: RelayEnd): void => void causes.push(end.cause)
  const none = { toTarget: NO_OCTETS, toClient: NO_OCTETS }
  startRelay({ client, target, ...none, idleMs: 10_000, halfOpenIdleMs: 10_000, onEnd }, clock, new IdleWheel(clock))
  return { clock, client, target, causes }
}

test('the first octet that is not taken stops the source until all is taken', () => {
  const { client, target } = relay()
  client.bring(Buffer.from('taken at once'))
  assert.equal(client.isPaused, false)
  target.unsentOctets = 1
  client.bring(Buffer.from('not taken'))
  assert.equal(client.isPaused, true)
  assert.equal(target.isPaused, false)
  target.take()
  assert.equal(client.isPaused, false)
})

test('a reader that is only slow is not idle, while the source is paused', async () => {
  const { clock, client, causes } = relay()
  for (client.unsentOctets = 60_000; client.unsentOctets > 0; client.unsentOctets -= 10_000) await clock.advance(9_000)
  assert.deepEqual(causes, [])
  await clock.advance(30_000)
  assert.deepEqual(causes, ['idle'])
})
