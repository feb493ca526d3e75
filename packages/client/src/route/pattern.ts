/**
 * Which targets a rule means: names, suffixes, addresses, networks, ports. Names are compared as names and numbers as
 * numbers: nothing is resolved, so a network never applies to a name.
 */
import {
  type Address,
  type IpAddress,
  checkNameText,
  comparableName,
  octetAt,
  parseIp,
  plainAddress,
  unmapped,
} from '@socksmith/protocol'
import { invalid } from '../socks-error.ts'

/** A set of hosts. */
export type HostPattern =
  | { readonly kind: 'any' }
  /** `name` itself and, when `below`, every name that ends with it at a dot; `itself` false leaves the name out. */
  | { readonly kind: 'name'; readonly name: string; readonly itself: boolean; readonly below: boolean }
  | { readonly kind: 'network'; readonly address: IpAddress; readonly bits: number }

/** Ports from `first` to `last`, both included. */
export interface PortRange {
  readonly first: number
  readonly last: number
}

/**
 * `*`, `example.com` (only it), `.example.com` and `*.example.com` (only names below it), `192.0.2.7`, `10.0.0.0/8`,
 * `2001:db8::/32`, `[::1]`. Throws `SOCKS_BAD_ARGUMENT` for anything else.
 */
export function parseHostPattern(text: string): HostPattern {
  if (text === '*') return { kind: 'any' }
  const network = parseNetwork(text)
  if (network !== undefined) return network
  const dotted = /^\*?\.(.+)$/.exec(text)
  const name = dotted?.[1] ?? text
  if (text.includes('/') || !checkNameText(name).ok) throw invalid(`not a host, a suffix or a network: ${text}`)
  return { kind: 'name', name: comparableName(name), itself: dotted === null, below: dotted !== null }
}

/** True when the pattern means this host. */
export function matchesHost(pattern: HostPattern, host: Address): boolean {
  if (pattern.kind === 'any') return true
  const address = plainAddress(host)
  if (pattern.kind === 'network') return address.type !== 'domain' && isWithin(address, pattern.address, pattern.bits)
  if (address.type !== 'domain') return false
  const name = comparableName(address.name)
  return name === pattern.name ? pattern.itself : pattern.below && name.endsWith(`.${pattern.name}`)
}

/** `443` or `[8000, 8999]` as a range; throws for what is no port. */
export function toPortRange(input: number | readonly [first: number, last: number]): PortRange {
  const [first, last] = typeof input === 'number' ? [input, input] : input
  if (!isPort(first) || !isPort(last) || first > last) throw invalid('a port is a number from 1 to 65535')
  return Object.freeze({ first, last })
}

/** True for 1 to 65535. */
export function isPort(port: number): boolean {
  return Number.isInteger(port) && port >= 1 && port <= 65_535
}

function parseNetwork(text: string): HostPattern | undefined {
  const match = /^(?:\[([^\]]+)\]|([^/[\]]+))(?:\/([0-9]{1,3}))?$/.exec(text)
  const parsed = parseIp(match?.[1] ?? match?.[2] ?? '')
  if (parsed === undefined) return undefined
  const address = unmapped(parsed)
  const bitsMax = address.octets.length * 8
  // ::ffff:10.0.0.0/104 is a network of IPv4 in the words of IPv6.
  const bits = match?.[3] === undefined ? bitsMax : Number(match[3]) - (parsed === address ? 0 : 96)
  if (bits < 0 || bits > bitsMax) throw invalid(`a network has 0 to ${bitsMax} bits: ${text}`)
  return { kind: 'network', address, bits }
}

function isWithin(address: IpAddress, network: IpAddress, bits: number): boolean {
  if (address.type !== network.type) return false
  const whole = bits >> 3
  for (let i = 0; i < whole; i++) if (address.octets[i] !== network.octets[i]) return false
  const rest = bits & 7
  if (rest === 0) return true
  const mask = (0xff << (8 - rest)) & 0xff
  return (octetAt(address.octets, whole) & mask) === (octetAt(network.octets, whole) & mask)
}
