/** The frame of gost's command F3, UDP-TUN: the UDP header of SOCKS5 with the length in RSV and FF in FRAG. */
import { type Decoded, NEED_MORE, malformed, whole } from '../decoded.ts'
import { concat, octetAt, uint16, uint16At } from '../octets.ts'
import type { SenderOptions } from './sender.ts'
import { encodeSocks5Address } from './socks5-address.ts'
import { type StreamDatagram, decodeDatagramAddress } from './stream-datagram.ts'

/** CMD of the request that opens such a stream. */
export const GOST_UDP_COMMAND = 0xf3
export const GOST_MARKER = 0xff

/** LEN and the marker. */
const ADDRESS_AT = 3
/** The length has two octets. */
const DATA_OCTETS_MAX = 0xffff

export function decodeGostUdpFrame(octets: Uint8Array, options: SenderOptions = {}): Decoded<StreamDatagram> {
  const sender = options.sender ?? 'client'
  if (octets.length < ADDRESS_AT) return NEED_MORE
  const length = uint16At(octets, 0)
  // gost reads 0 as "the rest of this read", which means nothing in a stream.
  if (length === 0) return malformed('bad_length', sender, 'LEN 0')
  if (octets[2] !== GOST_MARKER) return malformed('bad_marker', sender, `marker ${octetAt(octets, 2)}`)
  const address = decodeDatagramAddress(octets, ADDRESS_AT, { sender })
  if (address.kind !== 'whole') return address
  const start = ADDRESS_AT + address.consumed
  if (octets.length < start + length) return NEED_MORE
  return whole({ destination: address.value, data: octets.slice(start, start + length) }, start + length)
}

/** `undefined` when the data is too long for this frame, or empty: the frame has no form for that. */
export function encodeGostUdpFrame(frame: StreamDatagram): Uint8Array | undefined {
  const { length } = frame.data
  if (length === 0 || length > DATA_OCTETS_MAX) return undefined
  return concat([encodeSocks5Address(frame.destination, [...uint16(length), GOST_MARKER]), frame.data])
}
