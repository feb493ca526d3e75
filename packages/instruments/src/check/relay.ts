/** Where BND of a reply leads: the relay of an association, the listener of a BIND. Sends nothing. */
import { lookup } from 'node:dns/promises'
import {
  type Destination,
  type Endpoint,
  type IpAddress,
  formatDestination,
  isUnspecified,
  parseIp,
  sameAddress,
  unmapped,
} from '@socksmith/protocol'
import type { Dialogue, Reply } from './dialogue.ts'
import { Finding } from './finding.ts'
import type { Probe } from './probe.ts'

export interface RelayPlace {
  readonly at: Endpoint
  /** Number of the connection whose reply told it. */
  readonly of: number
}

/** The relay that a reply to UDP ASSOCIATE tells. */
export async function relayOf(probe: Probe, dialogue: Dialogue, { bound }: Pick<Reply, 'bound'>): Promise<RelayPlace> {
  return { at: await boundPlace(probe, bound), of: dialogue.stream.line.number }
}

/**
 * BND as a place to write or to connect to, as clients take it: an unspecified address stands for the server's own, a
 * name is looked up (RFC 1928 allows one), and the IPv4 address inside an IPv6 one is what is meant.
 */
export async function boundPlace(probe: Probe, bound: Destination): Promise<Endpoint> {
  const { address, port } = plainly(bound)
  if (port === 0) throw new Finding('a BND.PORT', '0')
  if (isUnspecified(address)) return { address: probe.proxyAddress, port }
  return { address: address.type === 'domain' ? await lookedUp(address.name, probe.proxyAddress) : address, port }
}

/** The same destination; an IPv4 address inside an IPv6 one, as dual-stack servers write it, is that IPv4 address. */
export function plainly({ address, port }: Destination): Destination {
  return { address: address.type === 'domain' ? address : unmapped(address), port }
}

/**
 * BND of a CONNECT to a target is none of the server's own: neither that by which the target sees it nor zeros. Behind
 * NAT a server knows its inner address alone. A name may be anything.
 */
export function isWrongBound(probe: Probe, { address, port }: Destination, seen: string, target: IpAddress): boolean {
  if (address.type === 'domain' || isUnspecified(address) || formatDestination({ address, port }) === seen) return false
  if (!probe.abilities.elsewhere.has) return true
  const isListener = sameAddress(address, probe.proxyAddress) && port === probe.proxy.port
  return isListener || sameAddress(address, target) || (target.type === 'ipv6' && address.type === 'ipv4')
}

/** The address of a name, of the family of the server where it has both. */
async function lookedUp(name: string, { type }: IpAddress): Promise<IpAddress> {
  const all = name === '' ? [] : await lookup(name, { all: true }).catch(() => [])
  const found = all.map(({ address }) => parseIp(address)).filter(one => one !== undefined)
  const address = found.find(one => one.type === type) ?? found[0]
  if (address === undefined)
    throw new Finding('a BND.ADDR that leads somewhere', `the name ${name}, which has no address`)
  return unmapped(address)
}
