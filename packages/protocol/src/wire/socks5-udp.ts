/** The header in front of each datagram between client and relay (RFC 1928 section 7): RSV FRAG ATYP ADDR PORT DATA. */
import { type Destination, plainAddress, isUnspecified } from '../address.ts'
import { type Failure, failure } from '../failure.ts'
import { checkName } from '../name.ts'
import { concat, octetAt, uint16At } from '../octets.ts'
import { decodeSocks5Address, encodeSocks5Address, nameOctets } from './socks5-address.ts'

/** RSV and FRAG stand in front of ATYP. */
const UDP_ADDRESS_AT = 3

export interface Socks5Datagram {
  /** 0 stands alone; 1 to 127 is a position; 128 is added to the last of a sequence. */
  readonly frag: number
  readonly destination: Destination
  /** A view into the decoded datagram, not a copy. */
  readonly data: Uint8Array
}

export type DecodedDatagram =
  | { readonly kind: 'whole'; readonly value: Socks5Datagram }
  | { readonly kind: 'malformed'; readonly failure: Failure }

/** A datagram is whole or nothing; every malformed one is dropped in silence. */
export function decodeSocks5Datagram(
  octets: Uint8Array,
  options: { readonly reassemble?: boolean } = {},
): DecodedDatagram {
  if (octets.length < UDP_ADDRESS_AT) return drop('truncated')
  if (uint16At(octets, 0) !== 0) return drop('bad_reserved')
  const frag = octetAt(octets, 2)
  // Section 7: an implementation without fragmentation MUST drop every datagram whose FRAG is not 0.
  if (frag !== 0 && options.reassemble !== true) return drop('frag_unsupported')
  const address = decodeSocks5Address(octets, UDP_ADDRESS_AT, 'client')
  if (address.kind === 'need-more') return drop('truncated')
  if (address.kind === 'malformed') return address
  const fault = destinationFault(address.value)
  if (fault !== undefined) return { kind: 'malformed', failure: fault }
  const data = octets.subarray(UDP_ADDRESS_AT + address.consumed)
  return { kind: 'whole', value: { frag, destination: address.value, data } }
}

export function encodeSocks5Datagram(datagram: Socks5Datagram): Uint8Array {
  return concat([encodeSocks5Address(datagram.destination, [0, 0, datagram.frag]), datagram.data])
}

function destinationFault(destination: Destination): Failure | undefined {
  const { address, port } = destination
  if (address.type === 'domain') {
    const name = checkName(nameOctets(address.name))
    if (!name.ok) return failure(name.code, 'client')
  }
  if (isUnspecified(plainAddress(address))) return failure('not_allowed', 'client', 'the address is unspecified')
  if (port === 0) return failure('port_zero', 'client')
  return undefined
}

function drop(code: 'truncated' | 'bad_reserved' | 'frag_unsupported'): DecodedDatagram {
  return { kind: 'malformed', failure: failure(code, 'client') }
}
