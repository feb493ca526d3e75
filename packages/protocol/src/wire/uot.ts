/** UDP over TCP as sing-box and mihomo speak it, inside a CONNECT to a magic name: the request of version 2 and both frames. */
import type { Destination } from '../address.ts'
import { type Decoded, NEED_MORE, malformed, whole } from '../decoded.ts'
import { comparableName } from '../name.ts'
import { concat, octetAt, uint16, uint16At } from '../octets.ts'
import type { SenderOptions } from './sender.ts'
import { ATYP_DOMAIN, ATYP_IPV4, ATYP_IPV6, encodeSocks5Address } from './socks5-address.ts'
import { type StreamDatagram, decodeDatagramAddress } from './stream-datagram.ts'

/** The names to CONNECT to. The port is 0 or anything: ask before a port of 0 is refused. */
export const UOT_NAME = { 1: 'sp.udp-over-tcp.arpa', 2: 'sp.v2.udp-over-tcp.arpa' } as const

/** The version that this name of a CONNECT asks for. */
export function uotVersion(name: string): 1 | 2 | undefined {
  const comparable = comparableName(name)
  if (comparable === UOT_NAME[1]) return 1
  return comparable === UOT_NAME[2] ? 2 : undefined
}

/** Begins the client's stream in version 2; version 1 has none and uses packet frames. */
export interface UotRequest {
  /** True: connect frames, all for `destination`. False: packet frames, and `destination` means nothing. */
  readonly isConnect: boolean
  readonly destination: Destination
}

/** LENGTH has two octets. */
const DATA_OCTETS_MAX = 0xffff

/** Its ATYP is that of SOCKS5. */
export function decodeUotRequest(octets: Uint8Array): Decoded<UotRequest> {
  const [flag] = octets
  if (flag === undefined) return NEED_MORE
  if (flag > 1) return malformed('bad_flag', 'client', `isConnect ${flag}`)
  const address = decodeDatagramAddress(octets, 1)
  if (address.kind !== 'whole') return address
  return whole({ isConnect: flag === 1, destination: address.value }, 1 + address.consumed)
}

export function encodeUotRequest(request: UotRequest): Uint8Array {
  return encodeSocks5Address(request.destination, [request.isConnect ? 1 : 0])
}

/** ATYP ADDR PORT LENGTH DATA, with a numbering of ATYP of its own. */
export function decodeUotPacket(octets: Uint8Array, options: SenderOptions = {}): Decoded<StreamDatagram> {
  const address = decodeUotAddress(octets, options)
  if (address.kind !== 'whole') return address
  const data = decodeUotData(octets.subarray(address.consumed))
  if (data.kind !== 'whole') return data
  return whole({ destination: address.value, data: data.value }, address.consumed + data.consumed)
}

/** `undefined` when the data is too long for this frame. */
export function encodeUotPacket(packet: StreamDatagram): Uint8Array | undefined {
  const data = encodeUotData(packet.data)
  if (data === undefined) return undefined
  const address = encodeSocks5Address(packet.destination)
  address[0] = UOT_ATYPS.indexOf(octetAt(address, 0))
  return concat([address, data])
}

/** The connect frame: LENGTH DATA. */
export function decodeUotData(octets: Uint8Array): Decoded<Uint8Array> {
  if (octets.length < 2) return NEED_MORE
  const end = 2 + uint16At(octets, 0)
  return octets.length < end ? NEED_MORE : whole(octets.slice(2, end), end)
}

/** `undefined` when the data is too long for this frame. */
export function encodeUotData(data: Uint8Array): Uint8Array | undefined {
  if (data.length > DATA_OCTETS_MAX) return undefined
  return concat([Uint8Array.from(uint16(data.length)), data])
}

// The ATYP of SOCKS5 by the ATYP of packet frames: 0, 1 and 2.
const UOT_ATYPS: readonly number[] = [ATYP_IPV4, ATYP_IPV6, ATYP_DOMAIN]
/** ATYP, a length octet, the longest name, PORT. */
const ADDRESS_OCTETS_MAX = 1 + 1 + 255 + 2

function decodeUotAddress(octets: Uint8Array, options: SenderOptions): Decoded<Destination> {
  const [own] = octets
  if (own === undefined) return NEED_MORE
  const atyp = UOT_ATYPS[own]
  if (atyp === undefined) return malformed('bad_atyp', options.sender ?? 'client', `address type ${own}`)
  const address = octets.slice(0, ADDRESS_OCTETS_MAX)
  address[0] = atyp
  return decodeDatagramAddress(address, 0, options)
}
