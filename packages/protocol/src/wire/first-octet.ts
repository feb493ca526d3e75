/** Which protocol a client speaks, by the first octet alone: a SOCKS5 greeting may be three octets long and then wait. */
import { type Decoded, NEED_MORE, malformed, whole } from '../decoded.ts'
import { octetAt } from '../octets.ts'

export interface FirstOctet {
  readonly protocol: 'socks4' | 'socks5' | 'socks6' | 'tls' | 'http'
}

const BY_OCTET: { readonly [octet: number]: FirstOctet['protocol'] } = {
  0x04: 'socks4',
  0x05: 'socks5',
  0x06: 'socks6',
  0x16: 'tls',
}

/** Consumes nothing: the octet belongs to the chosen protocol. PROXY headers are never guessed. */
export function decodeFirstOctet(octets: Uint8Array): Decoded<FirstOctet> {
  if (octets.length === 0) return NEED_MORE
  const octet = octetAt(octets, 0)
  const protocol = BY_OCTET[octet] ?? (isLetter(octet) ? 'http' : undefined)
  if (protocol === undefined) return malformed('unknown_protocol', 'client', `first octet ${octet}`)
  return whole({ protocol }, 0)
}

// A method of HTTP is upper case; lower case is tolerated here and judged by the HTTP parser.
function isLetter(octet: number): boolean {
  return (octet >= 0x41 && octet <= 0x5a) || (octet >= 0x61 && octet <= 0x7a)
}
