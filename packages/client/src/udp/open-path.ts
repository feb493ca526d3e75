/** Finds a way for datagrams along a route, as `dialRoute` does for a stream: rules apply, pools choose and go on. */
import type { Engine } from '@socksmith/engine'
import { type Destination, NO_ENDPOINT } from '@socksmith/protocol'
import { type Attempted, followRoute } from '../dial/follow.ts'
import type { DialRouteOptions } from '../dial/dial-route.ts'
import { TIMEOUT_MS } from '../dial/limits.ts'
import { blocked } from '../dial/route-failure.ts'
import { Scope, type Step } from '../dial/scope.ts'
import { appliedRoute } from '../route/choose.ts'
import type { Route } from '../route/route.ts'
import type { RouteFailure } from '../socks-error.ts'
import { associate } from './associate.ts'
import type { PathHandler, UdpPath } from './path.ts'

/** A path, and who resolves names for it. */
export interface OpenPath {
  readonly path: UdpPath
  readonly resolve: 'here' | 'there'
  /** The servers on the way as URLs without user names and passwords; none on a direct one. */
  readonly proxies: readonly string[]
}

/** What a path is opened with; `destination` is what the rules are asked about. */
export type OpenPathOptions = Omit<DialRouteOptions, 'earlyData' | 'command'> & { readonly destination?: Destination }

/** Starts to open a path along the route. */
export function openUdpPath(
  engine: Engine,
  route: Route,
  handler: PathHandler,
  options: OpenPathOptions,
): Step<OpenPath | RouteFailure> {
  const scope = new Scope(engine.clock, options.timeoutMs ?? TIMEOUT_MS, options.timeouts ?? {})
  const result = open(engine, route, handler, options, scope).finally(() => scope.finish())
  return { result, cancel: () => scope.cancel() }
}

async function open(
  engine: Engine,
  route: Route,
  handler: PathHandler,
  options: OpenPathOptions,
  scope: Scope,
): Promise<OpenPath | RouteFailure> {
  const { destination = NO_ENDPOINT } = options
  const applied = appliedRoute(route, { destination, scheme: 'udp' })
  const using = { ...options, timeouts: options.timeouts ?? {} }
  if (applied.kind === 'block') return blocked()
  if (applied.kind === 'direct') {
    const path = await associate(engine, [], handler, using, scope)
    return 'code' in path ? path : { path, resolve: 'here', proxies: [] }
  }
  return followRoute(applied, engine.clock, scope, options.traits, async ({ hops }): Promise<Attempted<OpenPath>> => {
    const startedMs = engine.clock.monotonicMs()
    const path = await associate(engine, hops, handler, using, scope)
    if ('code' in path) return path
    const ms = (engine.clock.monotonicMs() - startedMs) / hops.length
    const proxies = hops.map(({ label }) => label)
    return { value: { path, resolve: hops.at(-1)?.resolve ?? 'there', proxies }, hopMs: hops.map(() => ms) }
  })
}
