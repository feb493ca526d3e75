/** The types that a program sees, held by the compiler: `npm run check` fails when one of them changes. */
import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import { test } from 'node:test'
import type { TLSSocket } from 'node:tls'
import {
  type ConnectOptions,
  type Route,
  type RouteConnection,
  type RouteFailure,
  SocksError,
  type SocksErrorCode,
  SocksSocket,
  type SocksListener,
  type SocksUdpSocket,
  type UdpMessage,
  chain,
  type connect,
  type createUdpSocket,
  type dialRoute,
  direct,
  type listen,
  pool,
  type resolve,
  rules,
  toRoute,
} from '../src/index.ts'

/** True only for the same type, in both directions and in every modifier. */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- The only way to compare two types exactly.
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false

/** Does nothing; compiles only for a type that is `true`. */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- The argument is the whole test.
function hold<_ extends true>(): void {}

const plain = (c: typeof connect): Promise<Socket> => c({ host: 'a.test', port: 1 })
const secure = (c: typeof connect): Promise<TLSSocket> => c({ host: 'a.test', port: 1, tls: { servername: 'b.test' } })

test('what comes out is what Node calls it', () => {
  hold<Same<Awaited<ReturnType<typeof listen>>, SocksListener>>()
  hold<Same<Awaited<ReturnType<typeof createUdpSocket>>, SocksUdpSocket>>()
  hold<Same<Awaited<ReturnType<typeof resolve>>, readonly string[]>>()
  hold<Same<Awaited<ReturnType<SocksListener['accept']>>, Socket>>()
  hold<Same<Awaited<ReturnType<typeof dialRoute>['result']>, RouteConnection | RouteFailure>>()
  hold<SocksSocket extends Socket ? true : false>()
  hold<SocksUdpSocket extends AsyncIterable<UdpMessage> & AsyncDisposable ? true : false>()
  assert.equal(typeof plain, typeof secure)
})

function kindOf(route: Route): string {
  switch (route.kind) {
    case 'direct':
    case 'block':
      return route.kind
    case 'proxy':
      return route.hop.label
    case 'chain':
      return `chain of ${route.links.length}`
    case 'pool':
      return route.strategy
    case 'rules':
      return `${route.rules.length} rules`
  }
}

test('routes are immutable, and their kinds can be told apart', () => {
  const route = chain(['socks5h://p.test'])
  // @ts-expect-error a route cannot be changed
  assert.throws(() => (route.links = []), TypeError)
  assert.deepEqual([direct, route].map(kindOf), ['direct', 'chain of 1'])
})

test('what is misspelt does not compile, and is an error of its own without a compiler', () => {
  // @ts-expect-error no such protocol
  refused(() => toRoute({ protocol: 'socks9', host: 'p.test' }))
  // @ts-expect-error a rule needs a way
  refused(() => rules([{ hosts: ['*'] }]))
  // @ts-expect-error nobody resolves there
  refused(() => toRoute({ protocol: 'socks5', host: 'p.test', resolve: 'nowhere' }))
  // @ts-expect-error a pool cannot choose like that
  refused(() => pool(['socks5h://p.test'], { strategy: 'best' }))
  // @ts-expect-error a port is a number
  const options: ConnectOptions = { host: 'a.test', port: '80' }
  // @ts-expect-error no such code
  const code: SocksErrorCode = 'SOCKS_OOPS'
  assert.ok(options && code)
})

function refused(make: () => unknown): void {
  assert.throws(make, error => error instanceof SocksError && error.code === 'SOCKS_BAD_ARGUMENT')
}
