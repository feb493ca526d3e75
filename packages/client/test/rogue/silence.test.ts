/** Silence, hanging up, an abort and a limit in every phase: always the right error, at once, and nothing is left open. */
import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { suite } from 'node:test'
import { type ConnectOptions, connect, createUdpSocket, listen, resolve } from '../../src/index.ts'
import { blackHole } from '../../../engine/test/contract/black-hole.ts'
import { type Scene, leakTest, rejection, until } from '../scene.ts'
import { type Act, type RogueProxy, rogueProxy } from './rogue-proxy.ts'

const octets = (...values: readonly number[]): Uint8Array => Uint8Array.from(values)
const CHOSEN_NONE: Act = { send: octets(5, 0) }
const CHOSEN_PASSWORD: Act = { send: octets(5, 2) }
const GRANTED: Act = { send: octets(5, 0, 0, 1, 127, 0, 0, 1, 0, 80) }

interface Place {
  readonly name: string
  readonly phase: string
  readonly scheme: string
  readonly script: readonly Act[]
  /** The proxy has granted it, and the target, with which TLS is spoken, says nothing. */
  readonly atTarget?: true
}

/** What a proxy does before it falls silent, and the phase in which the client then is. */
const PLACES: readonly Place[] = [
  { name: 'before the method', phase: 'greeting', scheme: 'socks5h://', script: [{ await: 3 }] },
  { name: 'inside the method', phase: 'greeting', scheme: 'socks5h://', script: [{ await: 3 }, { send: octets(5) }] },
  {
    name: 'after the password',
    phase: 'authentication',
    scheme: 'socks5h://u:p@',
    script: [{ await: 4 }, CHOSEN_PASSWORD, { await: 5 }],
  },
  {
    name: 'before the reply',
    phase: 'request',
    scheme: 'socks5h://',
    script: [{ await: 3 }, CHOSEN_NONE, { await: 10 }],
  },
  {
    name: 'inside the reply',
    phase: 'request',
    scheme: 'socks5h://',
    script: [{ await: 3 }, CHOSEN_NONE, { await: 10 }, { send: octets(5, 0, 0, 1, 127) }],
  },
  { name: 'before the reply of SOCKS4', phase: 'request', scheme: 'socks4a://', script: [{ await: 9 }] },
  {
    name: 'inside the reply of SOCKS4',
    phase: 'request',
    scheme: 'socks4a://',
    script: [{ await: 9 }, { send: octets(0, 90, 0) }],
  },
  { name: 'before the response of HTTP', phase: 'request', scheme: 'http://', script: [{ await: '\r\n\r\n' }] },
  {
    name: 'inside the response of HTTP',
    phase: 'request',
    scheme: 'http://',
    script: [{ await: '\r\n\r\n' }, { send: Buffer.from('HTTP/1.1 200 OK\r\nVia') }],
  },
  { name: 'before TLS', phase: 'tls', scheme: 'socks5+tls://', script: [{ await: 1 }] },
  {
    name: 'before TLS of the target',
    phase: 'target-tls',
    scheme: 'socks5h://',
    script: [{ await: 3 }, CHOSEN_NONE, { await: 10 }, GRANTED, { await: 1 }],
    atTarget: true,
  },
]

const url = (place: Place, { port }: RogueProxy): string => `${place.scheme}127.0.0.1:${port}`
const TARGET = { host: 'target.test', port: 443 } as const
const reaching = (place: Place, rogue: RogueProxy): ConnectOptions => ({
  ...TARGET,
  via: url(place, rogue),
  ...(place.atTarget && { tls: true }),
})

async function inPlace(scene: Scene, place: Place, more: readonly Act[]): Promise<RogueProxy> {
  return rogueProxy(scene, [...place.script, ...more])
}

suite('silence', () => {
  for (const place of PLACES) {
    leakTest(`${place.name}: the limit of the phase ends it`, async scene => {
      const rogue = await inPlace(scene, place, ['silence'])
      const limit = { [place.phase === 'target-tls' ? 'targetTls' : place.phase]: 60 }
      const error = await rejection(connect({ ...reaching(place, rogue), timeouts: limit }))
      const hop = place.atTarget ? undefined : 0
      assert.deepEqual([error.code, error.phase, error.hop], ['SOCKS_TIMED_OUT', place.phase, hop])
      assert.equal(error.errno, 'ETIMEDOUT')
      await until(() => rogue.open.size === 0, 'the client has closed')
    })

    leakTest(`${place.name}: the limit of the whole ends it`, async scene => {
      const rogue = await inPlace(scene, place, ['silence'])
      const error = await rejection(connect({ ...reaching(place, rogue), timeout: 60 }))
      assert.deepEqual([error.code, error.phase], ['SOCKS_TIMED_OUT', place.phase])
      await until(() => rogue.open.size === 0, 'the client has closed')
    })

    leakTest(`${place.name}: an abort acts in the same turn of the loop`, async scene => {
      const rogue = await inPlace(scene, place, ['silence'])
      const controller = new AbortController()
      const connecting = connect({ ...reaching(place, rogue), signal: controller.signal })
      await settled(rogue)
      let isOver = false
      const over = rejection(connecting).finally(() => (isOver = true))
      const reason = new Error('no longer wanted')
      controller.abort(reason)
      await new Promise(resolve => process.nextTick(() => setImmediate(resolve)))
      assert.ok(isOver, 'the promise was still pending after the turn of the abort')
      const error = await over
      assert.deepEqual([error.code, error.phase, error.cause], ['SOCKS_ABORTED', place.phase, reason])
      await until(() => rogue.open.size === 0, 'the client has closed')
      assert.deepEqual(getEventListeners(controller.signal, 'abort'), [])
    })

    for (const act of ['end', 'reset'] as const) {
      leakTest(`${place.name}: ${act} of the proxy is an error at once`, async scene => {
        const rogue = await inPlace(scene, place, [act])
        const error = await rejection(connect(reaching(place, rogue)))
        const code = place.phase.endsWith('tls') ? 'SOCKS_TLS_FAILED' : 'SOCKS_PROXY_CLOSED'
        assert.deepEqual([error.code, error.phase], [code, place.phase], error.message)
        assert.ok(error.retryable === (code === 'SOCKS_PROXY_CLOSED'))
        await until(() => rogue.open.size === 0, 'the client has closed')
      })
    }
  }
})

suite('other operations', () => {
  leakTest('an abort ends UDP ASSOCIATE, BIND, accept() and RESOLVE too', async scene => {
    const silent = await rogueProxy(scene, [{ await: 3 }, CHOSEN_NONE, 'silence'])
    const via = `socks5h://127.0.0.1:${silent.port}`
    for (const start of [
      (signal: AbortSignal) => createUdpSocket({ via, signal }),
      (signal: AbortSignal) => listen({ via, signal }),
      (signal: AbortSignal) => resolve('name.test', { via, signal }),
    ]) {
      const controller = new AbortController()
      const before = silent.count
      const running = rejection(start(controller.signal))
      await until(() => silent.count > before, 'the proxy is reached')
      controller.abort()
      assert.equal((await running).code, 'SOCKS_ABORTED')
    }
    const bound: Act = { send: octets(5, 0, 0, 1, 127, 0, 0, 1, 0x12, 0x34) }
    const binding = await rogueProxy(scene, [{ await: 3 }, CHOSEN_NONE, { await: 10 }, bound, 'silence'])
    const listener = await listen({ via: `socks5h://127.0.0.1:${binding.port}` })
    assert.deepEqual(listener.address, { host: '127.0.0.1', port: 0x1234 })
    const controller = new AbortController()
    const accepting = rejection(listener.accept({ signal: controller.signal }))
    controller.abort()
    assert.deepEqual([(await accepting).code, (await accepting).phase], ['SOCKS_ABORTED', 'accept'])
    await until(() => binding.open.size === 0 && silent.open.size === 0, 'all is closed')
  })

  leakTest('a signal that was aborted before opens nothing', async scene => {
    const rogue = await rogueProxy(scene, ['silence'])
    const options: ConnectOptions = { ...TARGET, via: `socks5h://127.0.0.1:${rogue.port}`, signal: AbortSignal.abort() }
    assert.equal((await rejection(connect(options))).code, 'SOCKS_ABORTED')
    assert.equal(rogue.count, 0)
  })

  leakTest('an abort while the name of the proxy is resolved', async () => {
    const controller = new AbortController()
    const asked = Promise.withResolvers<void>()
    const never = new Promise<never>(() => undefined)
    const resolver = {
      resolve: () => {
        asked.resolve()
        return never
      },
    }
    const running = rejection(connect({ ...TARGET, via: 'socks5h://proxy.test', resolver, signal: controller.signal }))
    await asked.promise
    controller.abort()
    const error = await running
    assert.deepEqual([error.code, error.phase], ['SOCKS_ABORTED', 'resolve'])
  })

  leakTest('an abort, and a limit, while the proxy answers no SYN', async scene => {
    const hole = await blackHole()
    scene.onClose(() => hole.close())
    assert.ok(hole.place.kind === 'ip')
    const via = `socks5h://127.0.0.1:${hole.place.endpoint.port}`
    const late = await rejection(connect({ ...TARGET, via, timeouts: { connect: 50 } }))
    assert.deepEqual([late.code, late.phase, late.hop], ['SOCKS_TIMED_OUT', 'connect', 0])
    const controller = new AbortController()
    const running = rejection(connect({ ...TARGET, via, signal: controller.signal }))
    await new Promise<void>(resolve => setImmediate(resolve))
    controller.abort()
    const error = await running
    assert.deepEqual([error.code, error.phase], ['SOCKS_ABORTED', 'connect'])
  })
})

/** Waits until the proxy has done its part and the client has taken it. */
async function settled(rogue: RogueProxy): Promise<void> {
  await until(() => rogue.count > 0, 'the proxy is reached')
  // Both ends are in this process: their exchange over loopback needs a few turns, and no time limit.
  for (let turn = 0; turn < 50; turn++) await new Promise<void>(resolve => setImmediate(resolve))
}
