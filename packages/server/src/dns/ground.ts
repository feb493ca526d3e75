/** What name servers are reached with: an engine that leaves as the way says, along the way's proxies or straight. */
import { type RouteConnection, type Route, dialRoute, toRoute } from '@socksmith/client/route'
import type { Engine, Resolver } from '@socksmith/engine'
import type { Destination, Failure } from '@socksmith/protocol'
import { failureOfRoute } from '../route-failure.ts'

export interface DnsGround {
  readonly engine: Engine
  /** Absent: straight. */
  readonly route?: Route
  /** For the names of proxies, and of a name server that is called by a name. */
  readonly resolver: Resolver
}

/** Milliseconds for one name server; the next one is asked then. Under the time for a look-up, so that two are asked. */
export const SERVER_MS = 4_000

/** A connection to a name server. */
export async function dialServer(
  { engine, route = toRoute('direct'), resolver }: DnsGround,
  server: Destination,
): Promise<RouteConnection | Failure> {
  const dialled = await dialRoute(engine, route, server, { resolver, timeoutMs: SERVER_MS }).result
  return 'code' in dialled ? failureOfRoute(dialled) : dialled
}

/** Asks the servers one after the other, until one answers. */
export async function firstAnswer(
  servers: readonly Destination[],
  ask: (server: Destination) => Promise<Uint8Array | Failure>,
): Promise<Uint8Array | Failure> {
  let last: Uint8Array | Failure = { code: 'general_failure', blame: 'us', detail: 'there is no name server' }
  for (const server of servers) {
    last = await ask(server)
    if (last instanceof Uint8Array) return last
  }
  return last
}
