/** What tests of routes ask: where does a connection go, and what is refused. */
import assert from 'node:assert/strict'
import { parseIp } from '@socksmith/protocol'
import { type ProxyRoute, type Route, SocksError } from '../../src/index.ts'
import { appliedRoute } from '../../src/route/choose.ts'

/** The proxy of a route that has one. */
export function hopOf(route: Route): ProxyRoute['hop'] {
  assert.ok(route.kind === 'proxy')
  return route.hop
}

/** The error with which `make` refuses. */
export function refusal(make: () => unknown): SocksError {
  try {
    make()
  } catch (error) {
    assert.ok(error instanceof SocksError)
    assert.equal(error.code, 'SOCKS_BAD_ARGUMENT')
    return error
  }
  throw new assert.AssertionError({ message: 'it was taken' })
}

/** Where a connection goes: the label of the proxy, or the kind of the route. */
export function goes(route: Route, host: string, port = 443, scheme?: string): string {
  const address = parseIp(host) ?? ({ type: 'domain', name: host } as const)
  const applied = appliedRoute(route, { destination: { address, port }, ...(scheme !== undefined && { scheme }) })
  return applied.kind === 'proxy' ? applied.hop.label : applied.kind
}
