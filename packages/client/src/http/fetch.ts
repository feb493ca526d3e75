/** The `fetch` of this Node, over a route. Knows no connection. */
import type { RouteInput } from '../route/make.ts'
import type { Route } from '../route/route.ts'
import { invalid } from '../socks-error.ts'
import { type RuntimeDispatcher, dispatcher } from './dispatcher.ts'
import { knownRoute } from './known-route.ts'
import { requestSignal } from './request-signal.ts'

/** What `fetch` takes, and a route. */
export interface RouteRequestInit extends RequestInit {
  /** By default the environment's. */
  readonly via?: RouteInput
}

// As long as the route lives. Idle connections close by themselves.
const dispatchers = new WeakMap<Route, RuntimeDispatcher>()

/** One dispatcher for each route, so that requests share its connections. */
export function sharedDispatcher(via: RouteInput | undefined): RuntimeDispatcher {
  const { route } = knownRoute(via)
  let made = dispatchers.get(route)
  if (made === undefined) dispatchers.set(route, (made = dispatcher(route)))
  return made
}

/**
 * `fetch` over a route. Rejects as `fetch` does, with a `TypeError` whose `cause` is the `SocksError`, and with the
 * reason of the signal.
 *
 * ```ts
 * const response = await fetch('https://example.com/', { via: 'socks5h://127.0.0.1:1080' })
 * ```
 */
export async function fetch(input: string | URL | Request, init: RouteRequestInit = {}): Promise<Response> {
  const { via, ...rest } = init
  if ('dispatcher' in rest) throw invalid('fetch takes a route or a dispatcher: a dispatcher has its own route')
  const signal = init.signal ?? (input instanceof Request ? input.signal : undefined)
  const withRoute = { ...rest, dispatcher: sharedDispatcher(via) } as RequestInit
  return requestSignal.run(signal ?? undefined, () => globalThis.fetch(input, withRoute))
}
