/** The first connection of a way: to the first proxy or, on a direct route, to the target; all its addresses (RFC 8305). */
import { type Connection, type Engine, type Resolution, type Resolver, dialAny } from '@socksmith/engine'
import { type Address, type IpAddress, failure, plainAddress } from '@socksmith/protocol'
import type { HopPlace } from '../route/hop.ts'
import type { RouteFailure } from '../socks-error.ts'
import type { PhaseTimeouts } from './limits.ts'
import { type Spot, dialFailure, resolveFailure } from './route-failure.ts'
import { type Scope, uncancellable } from './scope.ts'

/** What every connection of a route is made with. */
export interface ReachOptions {
  readonly resolver: Resolver
  readonly timeouts: PhaseTimeouts
  /** The address to leave by for a destination; `undefined` is the system's choice. */
  readonly localAddressFor?: (destination: IpAddress) => IpAddress | undefined
  /** Find out by probes that the other end vanished. Default true. */
  readonly keepAlive?: boolean
}

/** Connects to a place, or says why not. `spot` is the proxy that it is; absent for a target. */
export async function reach(
  engine: Pick<Engine, 'clock' | 'dial'>,
  place: HopPlace,
  options: ReachOptions,
  scope: Scope,
  spot?: Spot,
): Promise<Connection | RouteFailure> {
  // The scope ends it.
  const timeoutMs = Infinity
  if (place.kind === 'unix') {
    scope.enter('connect', spot)
    const dialled = await scope.during(engine.dial(place, { timeoutMs }))
    return isDialFailure(dialled) ? dialFailure(dialled, spot) : dialled
  }
  const { address, port } = place.destination
  const known = resolveHere(address, options.resolver, scope, spot)
  const addresses = known instanceof Promise ? await known : known
  if ('code' in addresses) return addresses
  scope.enter('connect', spot)
  const endpoints = addresses.map(one => ({ address: one, port }))
  const racing = dialAny(engine, endpoints, { ...options, timeoutMs })
  const dialled = await scope.during(racing)
  return isDialFailure(dialled) ? dialFailure(dialled, spot) : dialled
}

/** The addresses of a target, resolved by this machine. Waits for names only, as every connection passes here. */
export function resolveHere(
  host: Address,
  resolver: Resolver,
  scope: Scope,
  spot?: Spot,
): readonly IpAddress[] | Promise<readonly IpAddress[] | RouteFailure> {
  const address = plainAddress(host)
  return address.type === 'domain' ? resolveName(address.name, resolver, scope, spot) : [address]
}

async function resolveName(
  name: string,
  resolver: Resolver,
  scope: Scope,
  spot: Spot | undefined,
): Promise<readonly IpAddress[] | RouteFailure> {
  scope.enter('resolve', spot)
  const resolution: Resolution | RouteFailure = await scope.during(uncancellable(resolver.resolve(name)))
  if (!('code' in resolution)) return resolution
  if ('failure' in resolution) return resolution
  return resolveFailure(resolution.code === 'name_not_found' ? withName(resolution, name) : resolution, spot)
}

function withName<T extends { readonly detail?: string }>(why: T, name: string): T {
  return why.detail === undefined ? { ...why, detail: name } : why
}

function isDialFailure(
  result: Connection | RouteFailure | ReturnType<typeof failure>,
): result is ReturnType<typeof failure> {
  return 'blame' in result
}
