/** The address of SOCKS6: its type stands apart from it, and a name is padded with NULs that its length octet counts. */
import type { Address } from '../address.ts'
import { type Decoded, NEED_MORE, malformed, whole } from '../decoded.ts'
import { checkName } from '../name.ts'
import { octetAt } from '../octets.ts'
import { utf8Octets } from '../text.ts'
import { withLength8 } from './length-prefix.ts'
import type { Sender } from './sender.ts'
import { ATYP_DOMAIN, ATYP_IPV4, ATYP_IPV6 } from './socks5-address.ts'

/** Reads the address of type `atyp` at `at`; `consumed` counts from `at`. */
export function decodeSocks6Address(octets: Uint8Array, at: number, atyp: number, sender: Sender): Decoded<Address> {
  switch (atyp) {
    case ATYP_IPV4:
      return octets.length < at + 4 ? NEED_MORE : whole({ type: 'ipv4', octets: octets.slice(at, at + 4) }, 4)
    case ATYP_IPV6:
      return octets.length < at + 16 ? NEED_MORE : whole({ type: 'ipv6', octets: octets.slice(at, at + 16) }, 16)
    case ATYP_DOMAIN:
      return decodeName(octets, at, sender)
    default:
      return malformed('bad_atyp', sender, `address type ${atyp}`)
  }
}

export function socks6AddressType(address: Address): number {
  return address.type === 'domain' ? ATYP_DOMAIN : address.type === 'ipv4' ? ATYP_IPV4 : ATYP_IPV6
}

/** Throws a RangeError for a name above 255 octets. */
export function encodeSocks6Address(address: Address): Uint8Array {
  if (address.type !== 'domain') return address.octets
  const name = utf8Octets(address.name)
  const padded = new Uint8Array(((1 + name.length + 3) & ~3) - 1)
  padded.set(name)
  return withLength8(padded)
}

function decodeName(octets: Uint8Array, at: number, sender: Sender): Decoded<Address> {
  if (octets.length <= at) return NEED_MORE
  const length = octetAt(octets, at)
  // The length octet and the name together fill whole words.
  if (length % 4 !== 3) return malformed('bad_length', sender, `a name field of ${length} octets`)
  const end = at + 1 + length
  if (octets.length < end) return NEED_MORE
  let last = end
  while (last > at + 1 && octets[last - 1] === 0) last--
  const name = checkName(octets.subarray(at + 1, last))
  return name.ok ? whole({ type: 'domain', name: name.name }, 1 + length) : malformed(name.code, sender)
}
