/** The messages of SOCKS6 over TCP (draft-olteanu-intarea-socks-6 section 4.1): request, authentication reply, operation reply. */
import type { Destination } from '../address.ts'
import { type Decoded, NEED_MORE, malformed, whole } from '../decoded.ts'
import { concat, octetAt, uint16, uint16At } from '../octets.ts'
import type { Sender } from './sender.ts'
import { decodeSocks6Address, encodeSocks6Address, socks6AddressType } from './socks6-address.ts'
import { type Socks6Option, decodeSocks6Options, encodeSocks6Options, optionsLengthFault } from './socks6-option.ts'

export const SOCKS6_VERSION = 0x06
export const SOCKS6_COMMAND = { noop: 0x00, connect: 0x01, bind: 0x02, udpAssociate: 0x03 } as const
/** 00 to 08 are those of SOCKS5. */
export const SOCKS6_REPLY_TIMED_OUT = 0x09

export interface Socks6Request {
  /** Any octet: an unknown command is answered by an operation reply 07. */
  readonly command: number
  readonly destination: Destination
  readonly options: readonly Socks6Option[]
}

export interface Socks6AuthReply {
  /** 0 is success, 1 is failure. */
  readonly type: number
  readonly options: readonly Socks6Option[]
}

export interface Socks6OperationReply {
  readonly code: number
  readonly bound: Destination
  readonly options: readonly Socks6Option[]
}

/** Initial data is not part of the request: it lies behind it. */
export function decodeSocks6Request(octets: Uint8Array): Decoded<Socks6Request> {
  const message = decodeAddressed(octets, 'client')
  if (message.kind !== 'whole') return message
  const { second, destination, options } = message.value
  return whole({ command: second, destination, options }, message.consumed)
}

export function encodeSocks6Request(request: Socks6Request): Uint8Array {
  return encodeAddressed(request.command, request.destination, request.options)
}

/** The answer to another version is this one octet; every other malformed request is only closed. */
export function encodeSocks6VersionMismatch(): Uint8Array {
  return Uint8Array.of(SOCKS6_VERSION)
}

export function decodeSocks6AuthReply(octets: Uint8Array): Decoded<Socks6AuthReply> {
  const head = decodeHead(octets, 'server')
  if (head.kind !== 'whole') return head
  const end = head.consumed + head.value.optionsLength
  if (octets.length < end) return NEED_MORE
  const options = decodeSocks6Options(octets.subarray(head.consumed, end), 'server')
  return 'kind' in options ? options : whole({ type: head.value.second, options }, end)
}

export function encodeSocks6AuthReply(reply: Socks6AuthReply): Uint8Array {
  const options = encodeSocks6Options(reply.options)
  return concat([Uint8Array.of(SOCKS6_VERSION, reply.type, ...uint16(options.length)), options])
}

export function decodeSocks6OperationReply(octets: Uint8Array): Decoded<Socks6OperationReply> {
  const message = decodeAddressed(octets, 'server')
  if (message.kind !== 'whole') return message
  const { second, destination, options } = message.value
  return whole({ code: second, bound: destination, options }, message.consumed)
}

export function encodeSocks6OperationReply(reply: Socks6OperationReply): Uint8Array {
  return encodeAddressed(reply.code, reply.bound, reply.options)
}

interface Head {
  /** Command, type or reply code. */
  readonly second: number
  readonly optionsLength: number
}

interface Addressed {
  readonly second: number
  readonly destination: Destination
  readonly options: readonly Socks6Option[]
}

const HEAD_OCTETS = 4
/** Port, padding and address type. */
const ADDRESS_AT = 8

function decodeHead(octets: Uint8Array, sender: Sender): Decoded<Head> {
  if (octets.length === 0) return NEED_MORE
  if (octets[0] !== SOCKS6_VERSION) return malformed('bad_version', sender, `version ${octetAt(octets, 0)}`)
  if (octets.length < HEAD_OCTETS) return NEED_MORE
  const optionsLength = uint16At(octets, 2)
  return optionsLengthFault(optionsLength, sender) ?? whole({ second: octetAt(octets, 1), optionsLength }, HEAD_OCTETS)
}

// The request and the operation reply have one layout.
function decodeAddressed(octets: Uint8Array, sender: Sender): Decoded<Addressed> {
  const head = decodeHead(octets, sender)
  if (head.kind !== 'whole') return head
  if (octets.length < ADDRESS_AT) return NEED_MORE
  const address = decodeSocks6Address(octets, ADDRESS_AT, octetAt(octets, 7), sender)
  if (address.kind !== 'whole') return address
  const optionsAt = ADDRESS_AT + address.consumed
  const end = optionsAt + head.value.optionsLength
  if (octets.length < end) return NEED_MORE
  const options = decodeSocks6Options(octets.subarray(optionsAt, end), sender)
  if ('kind' in options) return options
  const destination = { address: address.value, port: uint16At(octets, 4) }
  return whole({ second: head.value.second, destination, options }, end)
}

function encodeAddressed(second: number, destination: Destination, options: readonly Socks6Option[]): Uint8Array {
  const { address, port } = destination
  const written = encodeSocks6Options(options)
  const head = [SOCKS6_VERSION, second, ...uint16(written.length), ...uint16(port), 0, socks6AddressType(address)]
  return concat([Uint8Array.from(head), encodeSocks6Address(address), written])
}
