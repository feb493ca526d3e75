/** Racing of addresses, with a dialler that a test scripts and a clock that it owns. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { failure, formatDestination } from '@socksmith/protocol'
import type { Failure, FailureCode } from '@socksmith/protocol'
import { dialAny, interleaved } from '../src/happy-eyeballs.ts'
import type { Connection, Dialing, DialOptions, Place } from '../src/ports.ts'
import { endpoint } from './contract/scene.ts'
import { VirtualClock } from './virtual-clock.ts'

const V6_A = endpoint('2001:db8::1', 80)
const V6_B = endpoint('2001:db8::2', 80)
const V4_A = endpoint('192.0.2.1', 80)
const V4_B = endpoint('192.0.2.2', 80)
const LIMIT = { timeoutMs: 10_000 }

/** What an address does, and when; `undefined` is never. */
type Script = { readonly [address: string]: { readonly afterMs: number; readonly with: 'connection' | FailureCode } }

class ScriptedDialler {
  readonly clock = new VirtualClock()
  readonly started: [atMs: number, address: string][] = []
  readonly options: DialOptions[] = []
  readonly cancelled: string[] = []
  readonly destroyed: string[] = []
  readonly #script: Script
  /** As a slow engine would: what was given up connects all the same. */
  ignoresCancel = false

  constructor(script: Script) {
    this.#script = script
  }

  readonly dial = (to: Place, options: DialOptions): Dialing => {
    const address = to.kind === 'ip' ? formatDestination(to.endpoint) : to.path
    this.started.push([this.clock.monotonicMs(), address])
    this.options.push(options)
    const { promise, resolve } = Promise.withResolvers<Connection | Failure>()
    const act = this.#script[address]
    const connection = { remote: to, destroy: () => void this.destroyed.push(address) } as Connection
    if (act) {
      const result = act.with === 'connection' ? connection : failure(act.with, 'target')
      this.clock.after(act.afterMs, () => resolve(result))
    }
    const cancel = (): void => {
      this.cancelled.push(address)
      if (!this.ignoresCancel) resolve(failure('aborted', 'us'))
    }
    return { result: promise, cancel }
  }
}

/** The result so far. */
function watch(dialing: Dialing): { value?: Connection | Failure } {
  const seen: { value?: Connection | Failure } = {}
  void dialing.result.then(value => (seen.value = value))
  return seen
}

function reached(seen: { value?: Connection | Failure }): string {
  assert.ok(seen.value)
  if ('code' in seen.value) return seen.value.code
  return seen.value.remote.kind === 'ip' ? formatDestination(seen.value.remote.endpoint) : ''
}

test('families take turns, IPv6 first, in the order of the resolver', () => {
  assert.deepEqual(interleaved([V4_A, V4_B, V6_A]), [V6_A, V4_A, V4_B])
  assert.deepEqual(interleaved([V6_A, V6_B, V4_A]), [V6_A, V4_A, V6_B])
  assert.deepEqual(interleaved([]), [])
})

test('the next address is tried after 250 ms, and the first connection gives the others up', async () => {
  const dialler = new ScriptedDialler({ '192.0.2.1:80': { afterMs: 100, with: 'connection' } })
  const seen = watch(dialAny(dialler, [V4_A, V6_A, V6_B], LIMIT))
  await dialler.clock.advance(249)
  assert.deepEqual(dialler.started, [[0, '[2001:db8::1]:80']])
  await dialler.clock.advance(101)
  assert.equal(reached(seen), '192.0.2.1:80')
  assert.deepEqual(dialler.started.slice(1), [[250, '192.0.2.1:80']])
  assert.deepEqual(dialler.cancelled, ['[2001:db8::1]:80'])
  assert.equal(dialler.clock.pending, 0)
})

test('the next address is tried at once when one fails', async () => {
  const dialler = new ScriptedDialler({
    '[2001:db8::1]:80': { afterMs: 10, with: 'network_unreachable' },
    '192.0.2.1:80': { afterMs: 10, with: 'connection' },
  })
  const seen = watch(dialAny(dialler, [V6_A, V4_A], LIMIT))
  await dialler.clock.advance(20)
  assert.equal(reached(seen), '192.0.2.1:80')
  assert.deepEqual(dialler.started[1], [10, '192.0.2.1:80'])
  assert.equal(dialler.clock.pending, 0)
})

test('a slow address may still win after the next was started', async () => {
  const dialler = new ScriptedDialler({
    '[2001:db8::1]:80': { afterMs: 300, with: 'connection' },
    '192.0.2.1:80': { afterMs: 500, with: 'connection' },
  })
  const seen = watch(dialAny(dialler, [V6_A, V4_A], LIMIT))
  await dialler.clock.advance(300)
  assert.equal(reached(seen), '[2001:db8::1]:80')
  assert.deepEqual(dialler.cancelled, ['192.0.2.1:80'])
})

test('when all fail, the failure that tells most is the answer', async () => {
  const dialler = new ScriptedDialler({
    '[2001:db8::1]:80': { afterMs: 10, with: 'network_unreachable' },
    '192.0.2.1:80': { afterMs: 10, with: 'connection_refused' },
    '192.0.2.2:80': { afterMs: 10, with: 'general_failure' },
  })
  const seen = watch(dialAny(dialler, [V6_A, V4_A, V4_B], LIMIT))
  await dialler.clock.advance(30)
  assert.equal(reached(seen), 'connection_refused')
  assert.equal(dialler.clock.pending, 0)
})

test('without an address it fails at once', async () => {
  const result = await dialAny(new ScriptedDialler({}), [], LIMIT).result
  assert.ok('code' in result)
})

test('all attempts together have one limit, and each gets what is left of it', async () => {
  const dialler = new ScriptedDialler({})
  const seen = watch(dialAny(dialler, [V6_A, V4_A], { timeoutMs: 1_000, attemptDelayMs: 400 }))
  await dialler.clock.advance(999)
  assert.equal(seen.value, undefined)
  await dialler.clock.advance(1)
  assert.equal(reached(seen), 'timed_out')
  assert.deepEqual(
    dialler.options.map(one => one.timeoutMs),
    [1_000, 600],
  )
  assert.equal(dialler.cancelled.length, 2)
  assert.equal(dialler.clock.pending, 0)
})

test('a second winner is closed, not leaked', async () => {
  const dialler = new ScriptedDialler({
    '[2001:db8::1]:80': { afterMs: 300, with: 'connection' },
    '192.0.2.1:80': { afterMs: 60, with: 'connection' },
  })
  dialler.ignoresCancel = true
  const seen = watch(dialAny(dialler, [V6_A, V4_A], LIMIT))
  await dialler.clock.advance(400)
  assert.equal(reached(seen), '[2001:db8::1]:80')
  assert.deepEqual(dialler.destroyed, ['192.0.2.1:80'])
})

test('given up, it gives up everything, also what connects later', async () => {
  const dialler = new ScriptedDialler({ '[2001:db8::1]:80': { afterMs: 300, with: 'connection' } })
  dialler.ignoresCancel = true
  const dialing = dialAny(dialler, [V6_A, V4_A], LIMIT)
  const seen = watch(dialing)
  dialing.cancel()
  dialing.cancel()
  await dialler.clock.advance(400)
  assert.equal(reached(seen), 'aborted')
  assert.deepEqual(dialler.destroyed, ['[2001:db8::1]:80'])
  assert.equal(dialler.started.length, 1)
  assert.equal(dialler.clock.pending, 0)
})

test('given up after it was won, it gives the winner up', async () => {
  const dialler = new ScriptedDialler({ '192.0.2.1:80': { afterMs: 1, with: 'connection' } })
  const dialing = dialAny(dialler, [V4_A], LIMIT)
  await dialler.clock.advance(1)
  dialing.cancel()
  assert.deepEqual(dialler.cancelled, ['192.0.2.1:80'])
})

test('each attempt leaves by the address that is meant for its destination', async () => {
  const dialler = new ScriptedDialler({})
  const source = endpoint('198.51.100.1', 0).address
  const localAddressFor = (address: { type: string }): typeof source | undefined =>
    address.type === 'ipv4' ? source : undefined
  dialAny(dialler, [V6_A, V4_A], { ...LIMIT, localAddressFor })
  await dialler.clock.advance(250)
  assert.deepEqual(
    dialler.options.map(one => one.localAddress),
    [undefined, source],
  )
})
