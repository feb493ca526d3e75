/** Tries the ways through a route of proxies one after the other, until one works or none is left. Dials nothing itself. */
import type { Clock } from '@socksmith/engine'
import { failure } from '@socksmith/protocol'
import { type Way, Ways } from '../route/choose.ts'
import type { Member } from '../route/memory.ts'
import type { Traits } from '../route/route.ts'
import type { RouteFailure } from '../socks-error.ts'
import { isProxyFault, routeFailure } from './route-failure.ts'
import type { Scope } from './scope.ts'

/** What one way came to; `hopMs` is the time of each proxy. */
export type Attempted<T> = RouteFailure | { readonly value: T; readonly hopMs: readonly number[] }

/** Calls `attempt` for each way. */
export async function followRoute<T>(
  route: Member,
  clock: Clock,
  scope: Scope,
  traits: Traits | undefined,
  attempt: (way: Way) => Promise<Attempted<T>>,
): Promise<T | RouteFailure> {
  const ways = new Ways(route, traits)
  const failures: RouteFailure[] = []
  for (;;) {
    const way = ways.next(clock.monotonicMs())
    if (way === undefined) return summaryOf(failures)
    const attempted = await attempt(way)
    if (!('code' in attempted)) {
      ways.succeeded(attempted.hopMs)
      return attempted.value
    }
    failures.push(attempted)
    if (scope.ended !== undefined) return scope.ended
    if (!mayAnotherDoBetter(attempted)) return attempted
    // No pool and no chain that can do without: there is only this way.
    if (!ways.failed(attempted.hop ?? 0, isDeath(attempted), clock.monotonicMs())) return attempted
  }
}

/** Several ways were tried: when every proxy was at fault, the route is dead; otherwise the last answer counts. */
function summaryOf(causes: readonly RouteFailure[]): RouteFailure {
  const last = causes.at(-1)
  if (last === undefined) return routeFailure('SOCKS_POOL_DEAD', failure('general_failure', 'us'), 'route')
  return causes.every(isProxyFault) ? { ...last, code: 'SOCKS_POOL_DEAD', causes } : { ...last, causes }
}

// What a proxy says about the target itself, another one would say too.
function mayAnotherDoBetter(why: RouteFailure): boolean {
  switch (why.code) {
    case 'SOCKS_BAD_ARGUMENT':
    case 'SOCKS_ABORTED':
    case 'SOCKS_BLOCKED':
    case 'SOCKS_CONNECTION_REFUSED':
    case 'SOCKS_NAME_NOT_FOUND':
      return false
    default:
      return true
  }
}

// A request that got no answer in time may be the target's silence: it says nothing about the proxy.
function isDeath(why: RouteFailure): boolean {
  return isProxyFault(why) && !(why.code === 'SOCKS_TIMED_OUT' && why.phase === 'request')
}
