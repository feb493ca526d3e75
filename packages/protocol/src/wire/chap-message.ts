/**
 * The message that CHAP (method 03) and CRAM (05) share (draft-ietf-aft-socks-chap-01, -cram-00): attributes with
 * values, and what each end must check in it. Whether a response is right is not judged here.
 */
import { type Decoded, NEED_MORE, malformed, whole } from '../decoded.ts'
import { type Failure, failure } from '../failure.ts'
import { concat, octetAt } from '../octets.ts'
import type { SenderOptions } from './sender.ts'

export const CHAP_VERSION = 0x01

export const CHAP_ATTRIBUTE = {
  status: 0x00,
  textMessage: 0x01,
  userIdentity: 0x02,
  challenge: 0x03,
  response: 0x04,
  charset: 0x05,
  identifier: 0x10,
  algorithms: 0x11,
} as const

/** 85 is mandatory to implement; 05 is the CHAP of RFC 1994, which the draft calls weak. */
export const CHAP_ALGORITHM = { md5: 0x05, hmacMd5: 0x85 } as const

/** Both algorithms give an MD5 digest. */
export const CHAP_RESPONSE_OCTETS = 16

export interface ChapAttribute {
  readonly att: number
  /** 0 to 255 octets. */
  readonly value: Uint8Array
}

export interface ChapMessage {
  /** 1 to 255, in any order; unknown ones are kept and mean nothing. */
  readonly attributes: readonly ChapAttribute[]
}

/** Reads the layout. What the attributes say is judged by {@link chapClientFault} or {@link chapServerFault}. */
export function decodeChapMessage(octets: Uint8Array, options: SenderOptions = {}): Decoded<ChapMessage> {
  const sender = options.sender ?? 'client'
  if (octets.length === 0) return NEED_MORE
  if (octets[0] !== CHAP_VERSION) return malformed('bad_version', sender, `version ${octetAt(octets, 0)}`)
  if (octets.length < 2) return NEED_MORE
  const count = octetAt(octets, 1)
  if (count === 0) return malformed('bad_length', sender, 'no attributes')
  const attributes: ChapAttribute[] = []
  let at = 2
  while (attributes.length < count) {
    if (octets.length < at + 2) return NEED_MORE
    const end = at + 2 + octetAt(octets, at + 1)
    if (octets.length < end) return NEED_MORE
    attributes.push({ att: octetAt(octets, at), value: octets.slice(at + 2, end) })
    at = end
  }
  return whole({ attributes }, at)
}

export function encodeChapMessage(message: ChapMessage): Uint8Array {
  const parts: Uint8Array[] = [Uint8Array.of(CHAP_VERSION, message.attributes.length)]
  for (const { att, value } of message.attributes) parts.push(Uint8Array.of(att, value.length), value)
  return concat(parts)
}

/** A message with STATUS alone; 0 is success. */
export function encodeChapStatus(status: number): Uint8Array {
  return encodeChapMessage({ attributes: [{ att: CHAP_ATTRIBUTE.status, value: Uint8Array.of(status) }] })
}

/** What a server sends before it closes, whatever was wrong. */
export function refusalOfChapMessage(): Uint8Array {
  return encodeChapStatus(1)
}

/** The value of the first attribute of this type. */
export function chapValue(message: ChapMessage, att: number): Uint8Array | undefined {
  return message.attributes.find(attribute => attribute.att === att)?.value
}

/** What the server knows when a client's message arrives. */
export interface ChapServerState {
  /** The algorithms that the server takes. CRAM has none and gives an empty list. */
  readonly algorithms: readonly number[]
  /** Whether a CHALLENGE has been sent. */
  readonly challenged: boolean
  /** Octets of a RESPONSE; absent for CRAM, where it is text. */
  readonly responseOctets?: number
}

/** What is wrong with a client's message, seen by the server. */
export function chapClientFault(message: ChapMessage, state: ChapServerState): Failure | undefined {
  const algorithms = chapValue(message, CHAP_ATTRIBUTE.algorithms)
  if (algorithms !== undefined && selectChapAlgorithm(state.algorithms, algorithms) === undefined) {
    return failure('no_common_algorithm', 'client', 'none of the offered algorithms is supported')
  }
  if (chapValue(message, CHAP_ATTRIBUTE.userIdentity)?.length === 0) {
    return failure('bad_length', 'client', 'USER-IDENTITY is empty')
  }
  const response = chapValue(message, CHAP_ATTRIBUTE.response)
  if (response === undefined) return undefined
  if (!state.challenged) return failure('unexpected_message', 'client', 'RESPONSE before CHALLENGE')
  if (state.responseOctets === undefined || response.length === state.responseOctets) return undefined
  return failure('bad_length', 'client', `a RESPONSE of ${response.length} octets`)
}

/** What is wrong with a server's message, seen by the client that offered these algorithms. */
export function chapServerFault(message: ChapMessage, offered: readonly number[]): Failure | undefined {
  const status = chapValue(message, CHAP_ATTRIBUTE.status)
  if (status !== undefined) {
    if (status.length !== 1) return failure('bad_length', 'server', `a STATUS of ${status.length} octets`)
    if (status[0] !== 0) return failure('auth_rejected', 'server', 'the server rejects the user or the response')
  }
  const algorithms = chapValue(message, CHAP_ATTRIBUTE.algorithms)
  if (algorithms === undefined) return undefined
  if (algorithms.length !== 1) return failure('bad_length', 'server', 'not exactly one algorithm')
  if (offered.includes(octetAt(algorithms, 0))) return undefined
  return failure('method_not_offered', 'server', `algorithm ${octetAt(algorithms, 0)} was not offered`)
}

/** The first algorithm of the server, in its own order, that the client offered. */
export function selectChapAlgorithm(supported: readonly number[], offered: Uint8Array): number | undefined {
  return supported.find(algorithm => offered.includes(algorithm))
}
