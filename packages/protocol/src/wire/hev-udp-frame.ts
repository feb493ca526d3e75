/** The frame of hev-socks5's command 05, UDP in TCP: DATLEN, HDRLEN, ATYP, ADDR, PORT, DATA, in both directions. */
import { type Decoded, NEED_MORE, malformed, whole } from '../decoded.ts'
import { concat, octetAt, uint16, uint16At } from '../octets.ts'
import type { SenderOptions } from './sender.ts'
import { encodeSocks5Address } from './socks5-address.ts'
import { type StreamDatagram, decodeDatagramAddress } from './stream-datagram.ts'

/** CMD of the request that opens such a stream. */
export const HEV_UDP_COMMAND = 0x05

/** DATLEN and HDRLEN. */
const ADDRESS_AT = 3
/** The length has two octets. */
const DATA_OCTETS_MAX = 0xffff
const HEADER_OCTETS_MIN = 5
/** HDRLEN is one octet, hence a name of more than 248 octets cannot be framed. */
const HEADER_OCTETS_MAX = 0xff

export function decodeHevUdpFrame(octets: Uint8Array, options: SenderOptions = {}): Decoded<StreamDatagram> {
  const sender = options.sender ?? 'client'
  if (octets.length < ADDRESS_AT) return NEED_MORE
  const headerLength = octetAt(octets, 2)
  if (headerLength < HEADER_OCTETS_MIN) return malformed('bad_length', sender, `HDRLEN ${headerLength}`)
  const address = decodeDatagramAddress(octets, ADDRESS_AT, { sender })
  if (address.kind === 'malformed') return address
  const known = address.kind === 'whole' ? ADDRESS_AT + address.consumed === headerLength : octets.length < headerLength
  if (!known) return malformed('bad_length', sender, `HDRLEN ${headerLength} does not fit the address`)
  const end = headerLength + uint16At(octets, 0)
  if (address.kind === 'need-more' || octets.length < end) return NEED_MORE
  return whole({ destination: address.value, data: octets.slice(headerLength, end) }, end)
}

/** `undefined` when the name or the data is too long for this frame. */
export function encodeHevUdpFrame(frame: StreamDatagram): Uint8Array | undefined {
  const address = encodeSocks5Address(frame.destination)
  const headerLength = ADDRESS_AT + address.length
  if (headerLength > HEADER_OCTETS_MAX || frame.data.length > DATA_OCTETS_MAX) return undefined
  return concat([Uint8Array.of(...uint16(frame.data.length), headerLength), address, frame.data])
}
