/** `struct sockaddr` of the three families, in and out of Buffers. Knows no socket. */
import { type Endpoint, type IpAddress, octetAt, uint16At, unmapped } from '@socksmith/protocol'
import type { Place } from '../ports.ts'
import { AF_INET, AF_INET6, AF_UNIX } from './abi.ts'

/** `sizeof(struct sockaddr_un)`, the largest of the three. */
export const SOCKET_ADDRESS_OCTETS = 110
/** `sizeof(struct sockaddr_in)` and `sizeof(struct sockaddr_in6)`. */
export const IPV4_OCTETS = 16
export const IPV6_OCTETS = 28

/** Length of the path in `sockaddr_un`, with the zero behind it. */
const UNIX_PATH_OCTETS = 108

/** The family that a socket for this place must have. */
export function familyOf(place: Place): number {
  if (place.kind === 'unix') return AF_UNIX
  return place.endpoint.address.type === 'ipv4' ? AF_INET : AF_INET6
}

/** Writes the place to the start of `into`; answers its length, or 0 for a Unix path that is too long. */
export function writePlace(place: Place, into: Buffer): number {
  if (place.kind === 'ip') return writeEndpoint(place.endpoint.address, place.endpoint.port, into, 0)
  const path = Buffer.from(place.path)
  if (path.length >= UNIX_PATH_OCTETS) return 0
  into.writeUInt16LE(AF_UNIX, 0)
  into.fill(0, 2, 2 + UNIX_PATH_OCTETS)
  path.copy(into, 2)
  return 2 + path.length + 1
}

/** Writes address and port at `at`; answers the length of the structure. */
export function writeEndpoint(address: IpAddress, port: number, into: Uint8Array, at: number): number {
  const { octets } = address
  into[at + 2] = port >> 8
  into[at + 3] = port & 0xff
  into[at + 1] = 0
  if (address.type === 'ipv4') {
    into[at] = AF_INET
    for (let i = 0; i < 4; i++) into[at + 4 + i] = octetAt(octets, i)
    for (let i = 8; i < 16; i++) into[at + i] = 0
    return IPV4_OCTETS
  }
  into[at] = AF_INET6
  for (let i = 4; i < 8; i++) into[at + i] = 0
  for (let i = 0; i < 16; i++) into[at + 8 + i] = octetAt(octets, i)
  for (let i = 24; i < 28; i++) into[at + i] = 0
  return IPV6_OCTETS
}

/** The endpoint at `at`; IPv4-mapped IPv6 becomes IPv4. `undefined` for any other family. */
export function readEndpoint(from: Uint8Array, at: number): Endpoint | undefined {
  const family = octetAt(from, at)
  const port = uint16At(from, at + 2)
  if (family === AF_INET) return { address: { type: 'ipv4', octets: copyOf(from, at + 4, 4) }, port }
  if (family !== AF_INET6) return undefined
  return { address: unmapped({ type: 'ipv6', octets: copyOf(from, at + 8, 16) }), port }
}

// A plain array of its own: a view would hold the whole Buffer, and another thread's octets with it.
function copyOf(from: Uint8Array, at: number, count: number): Uint8Array {
  const octets = new Uint8Array(count)
  for (let i = 0; i < count; i++) octets[i] = octetAt(from, at + i)
  return octets
}
