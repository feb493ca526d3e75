/** What the compiler must accept and refuse. Nothing here runs beyond making values; `tsc` is the judge. */
import assert from 'node:assert/strict'
import type { Agent } from 'node:http'
import { test } from 'node:test'
import * as undici8 from 'undici'
import * as undici7 from 'undici7'
import { type RuntimeDispatcher, SocksAgent, WebSocket, connect, dispatcher, fetch, install } from '../../src/index.ts'

// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- The only way to compare two types exactly.
type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false

test('each function gives what its users hand on', async () => {
  const agent: Agent = new SocksAgent('direct')
  assert.ok(agent)
  const builtIn = dispatcher('direct')
  const [for8, for7] = [dispatcher('direct', { undici: undici8 }), dispatcher(undefined, { undici: undici7 })]
  const refused = fetch('http://127.0.0.1:9/', { via: 'block', method: 'POST' })
  const same: readonly [
    Equal<typeof builtIn, RuntimeDispatcher>,
    Equal<typeof builtIn, NonNullable<RequestInit['dispatcher']>>,
    Equal<typeof for8, undici8.Agent>,
    Equal<typeof for7, undici7.Agent>,
    Equal<typeof refused, Promise<Response>>,
  ] = [true, true, true, true, true]
  assert.equal(same.length, 5)
  await assert.rejects(refused)
})

test('what cannot be is refused by the compiler', () => {
  assert.equal(typeof misuse, 'function')
})

function misuse(): void {
  // @ts-expect-error -- A route is no number.
  void new SocksAgent(1_080)
  // @ts-expect-error -- A function must give a route.
  void new SocksAgent(() => 1)
  // @ts-expect-error -- There is no such option of `fetch`.
  void fetch('http://a.test/', { proxy: 'direct' })
  // @ts-expect-error -- undici is handed in as a module.
  dispatcher('direct', { undici: 'undici' })
  // @ts-expect-error -- A target has a port.
  void connect({ host: 'a.test' })
  // @ts-expect-error -- `using` wants what can be disposed of, and that is all it is.
  install('direct').trim()
  // @ts-expect-error -- A URL comes first.
  void new WebSocket({ via: 'direct' })
}
