/** ATYP, ADDR and PORT as SOCKS5 writes them (RFC 1928 section 5): in requests, replies and UDP headers. Does not judge names. */
import { type Address, type Destination } from '../address.ts'
import { type Decoded, NEED_MORE, malformed, whole } from '../decoded.ts'
import type { Blame } from '../failure.ts'
import { octetAt, uint16At } from '../octets.ts'
import { latin1Octets, latin1Text, utf8Octets, utf8Text } from '../text.ts'

export const ATYP_IPV4 = 0x01
export const ATYP_DOMAIN = 0x03
export const ATYP_IPV6 = 0x04

/** Reads ATYP ADDR PORT at `at`; `consumed` counts from `at`. `blame` is who sent it. */
export function decodeSocks5Address(octets: Uint8Array, at: number, blame: Blame): Decoded<Destination> {
  if (octets.length <= at) return NEED_MORE
  switch (octetAt(octets, at)) {
    case ATYP_IPV4:
      return withPort(octets, at, at + 1, 4, address => ({ type: 'ipv4', octets: address }))
    case ATYP_IPV6:
      return withPort(octets, at, at + 1, 16, address => ({ type: 'ipv6', octets: address }))
    case ATYP_DOMAIN:
      if (octets.length <= at + 1) return NEED_MORE
      return withPort(octets, at, at + 2, octetAt(octets, at + 1), name => ({ type: 'domain', name: nameText(name) }))
    default:
      return malformed('bad_atyp', blame, `address type ${octetAt(octets, at)}`)
  }
}

const ATYP: { readonly [T in Address['type']]: number } = {
  ipv4: ATYP_IPV4,
  ipv6: ATYP_IPV6,
  domain: ATYP_DOMAIN,
}

const NO_HEAD: readonly number[] = []

/**
 * Octets of ATYP ADDR PORT, behind the octets of `head`. A name of more than 255 octets cannot be framed: the caller has
 * refused it before. Written octet by octet, since every tunnel has a reply.
 */
export function encodeSocks5Address({ address, port }: Destination, head: readonly number[] = NO_HEAD): Uint8Array {
  const isName = address.type === 'domain'
  const host = isName ? nameOctets(address.name) : address.octets
  const octets = new Uint8Array(head.length + (isName ? 2 : 1) + host.length + 2)
  let at = 0
  for (let i = 0; i < head.length; i++) octets[at++] = head[i] as number
  octets[at++] = ATYP[address.type]
  if (isName) octets[at++] = host.length
  for (let i = 0; i < host.length; i++) octets[at++] = octetAt(host, i)
  octets[at++] = port >>> 8
  octets[at] = port & 0xff
  return octets
}

// A name that is not UTF-8 keeps its octets as characters behind this mark, so that it can be encoded back and is
// refused by the rules for names: no valid name starts with NUL. A name that starts so itself is marked too.
const NOT_UTF8 = '\u0000\u0000'

function nameText(octets: Uint8Array): string {
  const text = utf8Text(octets)
  return text === undefined || text.startsWith(NOT_UTF8) ? NOT_UTF8 + latin1Text(octets) : text
}

/** The octets that stand on the wire for a decoded name. */
export function nameOctets(name: string): Uint8Array {
  return name.startsWith(NOT_UTF8) ? latin1Octets(name.slice(NOT_UTF8.length)) : utf8Octets(name)
}

function withPort(
  octets: Uint8Array,
  at: number,
  start: number,
  length: number,
  make: (address: Uint8Array) => Address,
): Decoded<Destination> {
  const end = start + length + 2
  if (octets.length < end) return NEED_MORE
  const address = make(octets.slice(start, start + length))
  return whole({ address, port: uint16At(octets, end - 2) }, end - at)
}
