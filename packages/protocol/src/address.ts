/**
 * Addresses as SOCKS carries them: IPv4, IPv6 or a name, and their strict text forms. Parsing is strict on purpose:
 * rules are decided on octets, so `0x7f.1`, `127.1` and `010.0.0.1` are not addresses here. Knows no message layout.
 */
import { octetAt, sameOctets, uint16At } from './octets.ts'

export interface Ipv4Address {
  readonly type: 'ipv4'
  /** Four octets in network order. */
  readonly octets: Uint8Array
}

export interface Ipv6Address {
  readonly type: 'ipv6'
  /** Sixteen octets in network order. */
  readonly octets: Uint8Array
}

/** A host name, or the text of an address that a client put where a name belongs. */
export interface DomainName {
  readonly type: 'domain'
  readonly name: string
}

export type IpAddress = Ipv4Address | Ipv6Address
export type Address = IpAddress | DomainName

/** DST.ADDR and DST.PORT, or BND.ADDR and BND.PORT. */
export interface Destination {
  readonly address: Address
  /** 0 to 65535. */
  readonly port: number
}

/** A destination whose address is a number: one end of a socket. */
export interface Endpoint {
  readonly address: IpAddress
  /** 0 to 65535. */
  readonly port: number
}

/** 0.0.0.0 */
export const ANY_IPV4: Ipv4Address = { type: 'ipv4', octets: new Uint8Array(4) }
/** :: */
export const ANY_IPV6: Ipv6Address = { type: 'ipv6', octets: new Uint8Array(16) }
/** 0.0.0.0:0, which failure replies carry. */
export const NO_ENDPOINT: Endpoint = { address: ANY_IPV4, port: 0 }

/** The IP address written in `text` (dotted quad without leading zeros, or RFC 4291 text without a zone); otherwise `undefined`. */
export function parseIp(text: string): IpAddress | undefined {
  return text.includes(':') ? parseIpv6(text) : parseIpv4(text)
}

/** A dotted quad of four decimal numbers without leading zeros; otherwise `undefined`. */
export function parseIpv4(text: string): Ipv4Address | undefined {
  const octets = new Uint8Array(4)
  let [part, digits, value] = [0, 0, 0]
  for (let i = 0; i <= text.length; i++) {
    const code = i === text.length ? DOT : text.charCodeAt(i)
    if (code === DOT) {
      if (digits === 0 || part === 4) return undefined
      octets[part++] = value
      digits = 0
      value = 0
    } else {
      // A zero in front means octal to some and decimal to others.
      if (code < ZERO || code > ZERO + 9 || (digits > 0 && value === 0)) return undefined
      value = value * 10 + code - ZERO
      if (value > 255) return undefined
      digits++
    }
  }
  return part === 4 ? { type: 'ipv4', octets } : undefined
}

const DOT = 0x2e
const ZERO = 0x30

/** RFC 4291 section 2.2 text, with at most one `::` and perhaps a dotted quad at the end; otherwise `undefined`. */
export function parseIpv6(text: string): Ipv6Address | undefined {
  const halves = text.split('::')
  if (halves.length > 2) return undefined
  const [head, tail] = [halves[0] as string, halves[1]]
  const left = groupsOf(head, tail === undefined)
  const right = tail === undefined ? [] : groupsOf(tail, true)
  if (left === undefined || right === undefined) return undefined
  const missing = 8 - left.length - right.length
  if (tail === undefined ? missing !== 0 : missing < 1) return undefined
  const octets = new Uint8Array(16)
  const groups = [...left, ...new Array<number>(missing).fill(0), ...right]
  for (const [index, group] of groups.entries()) octets.set([group >> 8, group & 0xff], index * 2)
  return { type: 'ipv6', octets }
}

function groupsOf(text: string, mayEndInQuad: boolean): number[] | undefined {
  if (text === '') return []
  const groups: number[] = []
  const parts = text.split(':')
  for (const [index, part] of parts.entries()) {
    if (part.includes('.')) {
      const quad = mayEndInQuad && index === parts.length - 1 ? parseIpv4(part) : undefined
      if (quad === undefined) return undefined
      groups.push(uint16At(quad.octets, 0), uint16At(quad.octets, 2))
    } else {
      if (!/^[0-9a-fA-F]{1,4}$/.test(part)) return undefined
      groups.push(Number.parseInt(part, 16))
    }
  }
  return groups
}

/** The text of an address: dotted quad, RFC 5952 (always in hex groups), or the name as it is. */
export function formatAddress(address: Address): string {
  switch (address.type) {
    case 'ipv4': {
      const { octets } = address
      return `${octets[0]}.${octets[1]}.${octets[2]}.${octets[3]}`
    }
    case 'ipv6':
      return formatIpv6(address.octets)
    case 'domain':
      return address.name
  }
}

/** `192.0.2.1:80`, `[2001:db8::1]:80` or `example.com:80`. */
export function formatDestination(destination: Destination): string {
  const host = formatAddress(destination.address)
  return host.includes(':') ? `[${host}]:${destination.port}` : `${host}:${destination.port}`
}

function formatIpv6(octets: Uint8Array): string {
  const groups: number[] = []
  for (let i = 0; i < 16; i += 2) groups.push(uint16At(octets, i))
  const { start, length } = longestZeroRun(groups)
  const hex = groups.map(group => group.toString(16))
  if (length < 2) return hex.join(':')
  return `${hex.slice(0, start).join(':')}::${hex.slice(start + length).join(':')}`
}

function longestZeroRun(groups: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 }
  let start = 0
  for (let i = 0; i <= groups.length; i++) {
    if (groups[i] === 0) continue
    if (i - start > best.length) best = { start, length: i - start }
    start = i + 1
  }
  return best
}

/** True for the same address of the same type. */
export function sameAddress(a: Address, b: Address): boolean {
  if (a.type === 'domain' || b.type === 'domain') return a.type === b.type && formatAddress(a) === formatAddress(b)
  return sameOctets(a.octets, b.octets)
}

/** True for 0.0.0.0 and ::. */
export function isUnspecified(address: Address): boolean {
  return address.type !== 'domain' && address.octets.every(octet => octet === 0)
}

/** IPv4-mapped IPv6 (::ffff:a.b.c.d) as the IPv4 address that it is; every other address unchanged. */
export function unmapped(address: IpAddress): IpAddress {
  if (address.type === 'ipv4') return address
  const { octets } = address
  for (let i = 0; i < 10; i++) if (octetAt(octets, i) !== 0) return address
  if (uint16At(octets, 10) !== 0xffff) return address
  return { type: 'ipv4', octets: octets.slice(12) }
}

/**
 * The plain form of a target: a name that is the text of an address becomes that address (RFC 3089 clients send those),
 * and IPv4-mapped IPv6 becomes IPv4. Rules are asked about this form, and this form is dialled.
 */
export function plainAddress(address: Address): Address {
  if (address.type !== 'domain') return unmapped(address)
  const literal = parseIp(address.name)
  return literal === undefined ? address : unmapped(literal)
}
