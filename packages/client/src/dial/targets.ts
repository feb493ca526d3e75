/** A destination in the forms that a proxy can take: as it is, or resolved here, with all its addresses. */
import { type Address, type CommandName, type Destination, formatAddress } from '@socksmith/protocol'
import type { RouteFailure } from '../socks-error.ts'
import { type ReachOptions, resolveHere } from './reach.ts'
import { type Spot, routeFailure } from './route-failure.ts'
import type { Scope } from './scope.ts'

/** Addresses of one name that a proxy is asked for, one after the other: each may cost its whole time limit. */
const ADDRESSES_TRIED_MAX = 4

/** At least one, to be tried in this order. */
export type Targets = readonly [Destination, ...Destination[]]

/** What to ask this proxy for: at least one destination, to be tried in this order. */
export function targetsFor(
  { address, port }: Destination,
  command: CommandName,
  spot: Spot,
  options: ReachOptions,
  scope: Scope,
): Targets | Promise<Targets | RouteFailure> {
  const { protocol, resolve } = spot.proxy
  if (address.type === 'ipv6' && protocol === 'socks4a') {
    // The request has room for IPv4 only; servers read the text of an address where a name belongs.
    return [{ address: { type: 'domain', name: formatAddress(address) }, port }]
  }
  // RESOLVE asks the proxy for just that.
  if (resolve === 'there' || address.type !== 'domain' || command === 'resolve') return [{ address, port }]
  return resolvedTargets(address, port, spot, options, scope)
}

async function resolvedTargets(
  address: Address,
  port: number,
  spot: Spot,
  options: ReachOptions,
  scope: Scope,
): Promise<Targets | RouteFailure> {
  const { protocol } = spot.proxy
  const found = await resolveHere(address, options.resolver, scope, spot)
  if ('code' in found) return found
  const usable = protocol === 'socks4' ? found.filter(one => one.type === 'ipv4') : found
  const [first, ...others] = usable.slice(0, ADDRESSES_TRIED_MAX).map(one => ({ address: one, port }))
  if (first !== undefined) return [first, ...others]
  const why = { code: 'address_type_not_supported', blame: 'us', detail: 'SOCKS4 needs an IPv4 address' } as const
  return routeFailure('SOCKS_ADDRESS_TYPE_NOT_SUPPORTED', why, 'resolve', spot)
}

/** True when the proxy at `last` says of one address what it may not say of the next. */
export function mayAnotherAddressDo({ code, hop }: RouteFailure, last: number): boolean {
  if (hop !== last) return false
  switch (code) {
    case 'SOCKS_GENERAL_FAILURE':
    case 'SOCKS_NETWORK_UNREACHABLE':
    case 'SOCKS_HOST_UNREACHABLE':
    case 'SOCKS_CONNECTION_REFUSED':
    case 'SOCKS_TTL_EXPIRED':
    case 'SOCKS_ADDRESS_TYPE_NOT_SUPPORTED':
      return true
    default:
      return false
  }
}
