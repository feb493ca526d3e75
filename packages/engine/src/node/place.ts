/**
 * Addresses as Node's sockets write them, and places as the ports say them. A zone (`fe80::1%eth0`) is left out, because
 * SOCKS has no field for it. Knows no socket.
 */
import { formatAddress, parseIp, unmapped } from '@socksmith/protocol'
import type { Endpoint, IpAddress } from '@socksmith/protocol'
import type { Place } from '../ports.ts'

/** A Unix socket without a path: the side that connected. */
export const NAMELESS_UNIX: Place = { kind: 'unix', path: '' }

/** The endpoint of Node's `address` and `port`; `undefined` once the socket has none. IPv4-mapped IPv6 becomes IPv4. */
export function endpointOf(address: string | undefined, port: number | undefined): Endpoint | undefined {
  if (address === undefined || port === undefined) return undefined
  const zone = address.indexOf('%')
  const parsed = parseIp(zone === -1 ? address : address.slice(0, zone))
  return parsed && { address: unmapped(parsed), port }
}

/** As {@link endpointOf}, as a place. */
export function placeOf(address: string | undefined, port: number | undefined): Place | undefined {
  const endpoint = endpointOf(address, port)
  return endpoint && { kind: 'ip', endpoint }
}

/** Node's text of an address. */
export function hostOf(address: IpAddress): string {
  return formatAddress(address)
}
