/** The messages of a SOCKS6 UDP association (draft-olteanu-intarea-socks-6 section 4.3), in a stream or one per datagram. */
import type { Address, Destination } from '../address.ts'
import { type Decoded, NEED_MORE, malformed, whole } from '../decoded.ts'
import { NO_OCTETS, concat, octetAt, uint16, uint16At } from '../octets.ts'
import type { Sender, SenderOptions } from './sender.ts'
import { SOCKS6_VERSION } from './socks6.ts'
import { decodeSocks6Address, encodeSocks6Address, socks6AddressType } from './socks6-address.ts'

/** What a type 04 message reports about a datagram that was sent. */
export const SOCKS6_UDP_ERROR = { networkUnreachable: 1, hostUnreachable: 2, ttlExpired: 3, tooBig: 4 } as const

/** `associationId` has eight octets. */
export type Socks6UdpMessage =
  | { readonly type: 'initialisation' | 'confirmation'; readonly associationId: Uint8Array }
  | {
      readonly type: 'datagram'
      readonly associationId: Uint8Array
      readonly destination: Destination
      readonly data: Uint8Array
    }
  | {
      readonly type: 'error'
      readonly associationId: Uint8Array
      readonly destination: Destination
      readonly code: number
      /** The host that reported it. */
      readonly reporter: Address
    }

export interface Socks6UdpOptions extends SenderOptions {
  /** `datagram`: what is there is all there is, so that a longer message is malformed. Default `stream`. */
  readonly transport?: 'stream' | 'datagram'
}

const TYPES = ['initialisation', 'confirmation', 'datagram', 'error'] as const
const HEAD_OCTETS = 12

/** Octets behind the message length are not consumed; in a datagram they are padding. */
export function decodeSocks6UdpMessage(octets: Uint8Array, options: Socks6UdpOptions = {}): Decoded<Socks6UdpMessage> {
  const { sender = 'client' } = options
  const decoded = decodeInStream(octets, sender)
  if (decoded.kind !== 'need-more' || options.transport !== 'datagram') return decoded
  return malformed(octets.length < HEAD_OCTETS ? 'truncated' : 'bad_length', sender, 'the datagram is too short')
}

export function encodeSocks6UdpMessage(message: Socks6UdpMessage): Uint8Array {
  const body = encodeBody(message)
  const length = HEAD_OCTETS + body.length
  if (length > 0xffff) throw new RangeError(`a message of ${length} octets`)
  const head = Uint8Array.of(SOCKS6_VERSION, 1 + TYPES.indexOf(message.type), ...uint16(length))
  return concat([head, message.associationId, body])
}

function decodeInStream(octets: Uint8Array, sender: Sender): Decoded<Socks6UdpMessage> {
  if (octets.length === 0) return NEED_MORE
  if (octets[0] !== SOCKS6_VERSION) return malformed('bad_version', sender, `version ${octetAt(octets, 0)}`)
  if (octets.length < 2) return NEED_MORE
  const type = TYPES[octetAt(octets, 1) - 1]
  if (type === undefined) return malformed('bad_message_type', sender, `type ${octetAt(octets, 1)}`)
  if (octets.length < 4) return NEED_MORE
  const length = uint16At(octets, 2)
  const isBare = type === 'initialisation' || type === 'confirmation'
  if (length < HEAD_OCTETS || (isBare && length !== HEAD_OCTETS)) {
    return malformed('bad_length', sender, `a message of ${length} octets`)
  }
  if (octets.length < length) return NEED_MORE
  const associationId = octets.slice(4, HEAD_OCTETS)
  if (isBare) return whole({ type, associationId }, length)
  // From here on the message is all there: what it lacks it will not get.
  const body = decodeBody(octets.subarray(HEAD_OCTETS, length), type, associationId, sender)
  return body.kind === 'need-more' ? malformed('bad_length', sender, 'the message ends in an address') : body
}

// ATYP 00 PORT ADDR, then the data, or ATYP CODE 00 00 ADDR of the reporter.
function decodeBody(
  body: Uint8Array,
  type: 'datagram' | 'error',
  associationId: Uint8Array,
  sender: Sender,
): Decoded<Socks6UdpMessage> {
  if (body.length < 4) return NEED_MORE
  const address = decodeSocks6Address(body, 4, octetAt(body, 0), sender)
  if (address.kind !== 'whole') return address
  const destination = { address: address.value, port: uint16At(body, 2) }
  const at = 4 + address.consumed
  const length = HEAD_OCTETS + body.length
  if (type === 'datagram') return whole({ type, associationId, destination, data: body.slice(at) }, length)
  if (body.length < at + 4) return NEED_MORE
  const reporter = decodeSocks6Address(body, at + 4, octetAt(body, at), sender)
  if (reporter.kind !== 'whole') return reporter
  return whole({ type, associationId, destination, code: octetAt(body, at + 1), reporter: reporter.value }, length)
}

function encodeBody(message: Socks6UdpMessage): Uint8Array {
  if (!('destination' in message)) return NO_OCTETS
  const { address, port } = message.destination
  const target = [Uint8Array.of(socks6AddressType(address), 0, ...uint16(port)), encodeSocks6Address(address)]
  if (message.type === 'datagram') return concat([...target, message.data])
  const { reporter, code } = message
  return concat([...target, Uint8Array.of(socks6AddressType(reporter), code, 0, 0), encodeSocks6Address(reporter)])
}
