/**
 * Dials a destination along a route, on any engine. Written once for the client library and for a server that goes out
 * through other proxies. Never goes direct unless the route says so.
 */
import type { Connection, Engine, Resolver } from '@socksmith/engine'
import {
  type CommandName,
  type Destination,
  type IpAddress,
  type Protection,
  NO_ENDPOINT,
  NO_OCTETS,
} from '@socksmith/protocol'
import { appliedRoute } from '../route/choose.ts'
import type { ProxyHop } from '../route/hop.ts'
import type { ChainRoute, PoolRoute, ProxyRoute, Route, Traits } from '../route/route.ts'
import { type RouteFailure, invalidRoute } from '../socks-error.ts'
import { type Attempted, followRoute } from './follow.ts'
import type { HandshakeRun } from './handshake-run.ts'
import { type PhaseTimeouts, TIMEOUT_MS } from './limits.ts'
import { type ReachOptions, reach } from './reach.ts'
import { type Spot, blocked } from './route-failure.ts'
import { Scope } from './scope.ts'
import { mayAnotherAddressDo, targetsFor } from './targets.ts'
import { passThrough } from './through.ts'
import type { HopTrace } from './trace.ts'

/** How a route is dialled. */
export interface DialRouteOptions {
  /** For names that this machine has to resolve: targets of direct routes, proxies, targets of `socks5://`. */
  readonly resolver: Resolver
  /** Of the URL that is asked for, lower case without colon; rules look at it. */
  readonly scheme?: string
  /** Milliseconds for everything together; default {@link TIMEOUT_MS}. `Infinity` is never. */
  readonly timeoutMs?: number
  readonly timeouts?: PhaseTimeouts
  /** The address to leave by for a destination; `undefined` is the system's choice. */
  readonly localAddressFor?: (destination: IpAddress) => IpAddress | undefined
  /** Find out by probes that the first proxy, or the target of a direct route, vanished. Default true. */
  readonly keepAlive?: boolean
  /** Octets for the target that leave without waiting for the reply, where the way allows it. */
  readonly earlyData?: Uint8Array
  /** What the last proxy is asked for; default `connect`. A direct route knows only that. */
  readonly command?: CommandName
  /** Of whoever the connection is for: sticky pools choose by them, and credentials may depend on them. */
  readonly traits?: Traits
}

/** A connection along a route. */
export interface RouteConnection {
  /** Paused; nothing behind the handshakes was read from it but `early`. */
  readonly connection: Connection
  /** What the target sent behind the last reply: the beginning of the stream. */
  readonly early: Uint8Array
  /** BND of the last proxy; 0.0.0.0:0 where there is none. */
  readonly bound: Destination
  /** The proxies that were passed, with times. */
  readonly hops: readonly HopTrace[]
  /** The last of them. */
  readonly lastHop?: ProxyHop
  /** Message protection that the method of the last proxy brought; `connection` has it in it already. */
  readonly protection?: Protection
  /** For BIND: waits for the second reply. */
  readonly listening?: HandshakeRun
}

/** One attempt to reach a destination along a route. */
export interface RouteDialing {
  /** Never rejects. */
  readonly result: Promise<RouteConnection | RouteFailure>
  /** Gives the attempt up at once, in whatever phase it is. */
  cancel(): void
}

/**
 * Starts to dial. The caller owns the connection that comes out.
 *
 * ```ts
 * const { result, cancel } = dialRoute(engine, route, destination, { resolver })
 * const dialled = await result
 * if ('code' in dialled) console.error(dialled.code, dialled.phase, dialled.proxy)
 * ```
 */
export function dialRoute(
  engine: Engine,
  route: Route,
  destination: Destination,
  options: DialRouteOptions,
): RouteDialing {
  const scope = new Scope(engine.clock, options.timeoutMs ?? TIMEOUT_MS, options.timeouts ?? {})
  const result = finishing(scope, dial(engine, route, destination, options, scope))
  return { result, cancel: () => scope.cancel() }
}

// Here and below a promise is handed on as it is where nothing follows it: each turn of the queue costs every connection.
async function finishing<T>(scope: Scope, result: Promise<T>): Promise<T> {
  try {
    return await result
  } finally {
    scope.finish()
  }
}

function dial(
  engine: Engine,
  route: Route,
  destination: Destination,
  options: DialRouteOptions,
  scope: Scope,
): Promise<RouteConnection | RouteFailure> {
  const question = { destination, ...(options.scheme !== undefined && { scheme: options.scheme }) }
  const applied = appliedRoute(route, question)
  const reaching: ReachOptions = { ...options, timeouts: options.timeouts ?? {} }
  switch (applied.kind) {
    case 'block':
      return Promise.resolve(blocked())
    case 'direct':
      return dialDirect(engine, destination, options, reaching, scope)
    case 'proxy':
    case 'chain':
    case 'pool':
      return dialProxies(engine, applied, destination, options, reaching, scope)
  }
}

async function dialDirect(
  engine: Engine,
  destination: Destination,
  options: DialRouteOptions,
  reaching: ReachOptions,
  scope: Scope,
): Promise<RouteConnection | RouteFailure> {
  const { command = 'connect', earlyData } = options
  if (command !== 'connect') return invalidRoute(`a direct route has no proxy to ask for ${command}`)
  const connection = await reach(engine, { kind: 'host', destination }, reaching, scope)
  if ('code' in connection) return connection
  if (earlyData !== undefined) connection.write(earlyData)
  return { connection, early: NO_OCTETS, bound: NO_ENDPOINT, hops: [] }
}

function dialProxies(
  engine: Engine,
  route: ProxyRoute | ChainRoute | PoolRoute,
  destination: Destination,
  options: DialRouteOptions,
  reaching: ReachOptions,
  scope: Scope,
): Promise<RouteConnection | RouteFailure> {
  const { command = 'connect', earlyData, traits } = options
  const asking = { command, ...(earlyData && { earlyData }), ...(traits && { traits }) }
  return followRoute(route, engine.clock, scope, traits, async ({ hops }): Promise<Attempted<RouteConnection>> => {
    const last: Spot = { hop: hops.length - 1, proxy: hops.at(-1) as ProxyHop }
    const found = targetsFor(destination, command, last, reaching, scope)
    const targets = found instanceof Promise ? await found : found
    if ('code' in targets) return targets
    for (const [index, target] of targets.entries()) {
      const passed = await passThrough(engine, hops, { ...asking, destination: target }, reaching, scope)
      if (!('code' in passed)) return { value: passed, hopMs: passed.hops.map(({ ms }) => ms) }
      const isLast = index === targets.length - 1
      if (isLast || scope.ended !== undefined || !mayAnotherAddressDo(passed, last.hop)) return passed
    }
    throw new Error('no target to ask for')
  })
}
