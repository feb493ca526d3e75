/**
 * The frames of the GSSAPI method (RFC 1961): tokens, the protection level, protected data, abort. The mechanism is
 * handed in as wrap and unwrap; nothing here knows any cryptography.
 */
import { type Malformed, type Whole, type Decoded, NEED_MORE, malformed, whole } from '../decoded.ts'
import type { Failure } from '../failure.ts'
import { concat, octetAt, uint16, uint16At } from '../octets.ts'
import type { Sender, SenderOptions } from './sender.ts'

export const GSSAPI_VERSION = 0x01

/** mtyp (RFC 1961 sections 3.4, 4.3 and 5). */
export const MTYP = { authentication: 0x01, protectionLevel: 0x02, userData: 0x03, abort: 0xff } as const

export type TokenType = typeof MTYP.authentication | typeof MTYP.protectionLevel | typeof MTYP.userData

/** LEN is two octets. */
export const TOKEN_OCTETS_MAX = 0xffff
/** Plain octets for one frame: what wrapping adds (some hundred octets) must still fit into LEN. */
export const PLAIN_OCTETS_MAX = 16_384

export interface GssapiTokenFrame {
  readonly mtyp: TokenType
  readonly token: Uint8Array
}

/** The abort is two octets on the wire and has no token. */
export type GssapiFrame = GssapiTokenFrame | { readonly mtyp: typeof MTYP.abort }

export interface GssapiFrameOptions extends SenderOptions {
  /** The only type that fits this phase: an abort or another type is a failure then. Without it, every type is taken. */
  readonly expect?: TokenType
}

export function decodeGssapiFrame(
  octets: Uint8Array,
  options: GssapiFrameOptions & { readonly expect: TokenType },
): Decoded<GssapiTokenFrame>
export function decodeGssapiFrame(octets: Uint8Array, options?: GssapiFrameOptions): Decoded<GssapiFrame>
export function decodeGssapiFrame(octets: Uint8Array, options: GssapiFrameOptions = {}): Decoded<GssapiFrame> {
  const sender = options.sender ?? 'client'
  if (octets.length === 0) return NEED_MORE
  if (octets[0] !== GSSAPI_VERSION) return malformed('bad_version', sender, `version ${octetAt(octets, 0)}`)
  if (octets.length < 2) return NEED_MORE
  const mtyp = octetAt(octets, 1)
  // Section 3.4: the abort ends here; waiting for a length would wait for ever.
  if (mtyp === MTYP.abort) {
    return options.expect === undefined ? whole({ mtyp }, 2) : malformed('aborted', sender, 'the context is refused')
  }
  if (!isTokenType(mtyp)) return malformed('bad_message_type', sender, `mtyp ${mtyp}`)
  if (options.expect !== undefined && mtyp !== options.expect) {
    return malformed('unexpected_message', sender, `mtyp ${mtyp} instead of ${options.expect}`)
  }
  if (octets.length < 4) return NEED_MORE
  const end = 4 + uint16At(octets, 2)
  if (octets.length < end) return NEED_MORE
  return whole({ mtyp, token: octets.slice(4, end) }, end)
}

/** A token holds at most {@link TOKEN_OCTETS_MAX} octets; the caller has refused longer ones. */
export function encodeGssapiFrame(frame: GssapiFrame): Uint8Array {
  if (frame.mtyp === MTYP.abort) return encodeGssapiAbort()
  return concat([Uint8Array.of(GSSAPI_VERSION, frame.mtyp, ...uint16(frame.token.length)), frame.token])
}

/** 01 FF: what a server sends before it closes. */
export function encodeGssapiAbort(): Uint8Array {
  return Uint8Array.of(GSSAPI_VERSION, MTYP.abort)
}

/** What a server sends before it closes: an abort, but nothing for protected data that does not unwrap (RFC 1961 section 5). */
export function refusalOfGssapi(cause: Failure, phase: TokenType): Uint8Array | undefined {
  return phase === MTYP.userData && cause.code === 'unwrap_failed' ? undefined : encodeGssapiAbort()
}

export interface Unwrapped {
  readonly plain: Uint8Array
  /** Whether the message was encrypted, and not only signed. */
  readonly confidential: boolean
}

/** An established context. `unwrap` gives `undefined` for whatever it does not accept. */
export interface GssapiContext {
  wrap(plain: Uint8Array, confidential: boolean): Uint8Array
  unwrap(token: Uint8Array): Unwrapped | undefined
}

/** Section 4.3: integrity, confidentiality, or either for each message. `clear` is not in the RFC: Dante and curl have it. */
export const GSSAPI_LEVEL = { clear: 0, integrity: 1, confidentiality: 2, selective: 3 } as const

export type GssapiLevel = (typeof GSSAPI_LEVEL)[keyof typeof GSSAPI_LEVEL]

export interface ProtectionLevel {
  readonly level: GssapiLevel
  /** The form of NEC's implementation is not wrapped, hence not authenticated. */
  readonly form: 'wrapped' | 'nec'
}

export interface ProtectionLevelOptions extends SenderOptions {
  /** Take the level unwrapped. Default false. */
  readonly nec?: boolean
  /** Take level 0. Default false. */
  readonly clear?: boolean
}

/** Reads the token of a protection level frame. */
export function decodeProtectionLevel(
  token: Uint8Array,
  context: Pick<GssapiContext, 'unwrap'>,
  options: ProtectionLevelOptions = {},
): Whole<ProtectionLevel> | Malformed {
  const sender = options.sender ?? 'client'
  // A wrapped octet is never one octet long.
  const form = options.nec === true && token.length === 1 ? 'nec' : 'wrapped'
  const unwrapped = form === 'nec' ? { plain: token, confidential: false } : context.unwrap(token)
  // Section 4.3: the level is wrapped with conf_req FALSE.
  if (unwrapped === undefined || unwrapped.confidential) return malformed('unwrap_failed', sender)
  const { plain } = unwrapped
  if (plain.length !== 1) return malformed('bad_length', sender, `a level of ${plain.length} octets`)
  const level = octetAt(plain, 0)
  if (!isLevel(level) || (level === GSSAPI_LEVEL.clear && options.clear !== true)) {
    return malformed('bad_level', sender, `level ${level}`)
  }
  return whole({ level, form }, token.length)
}

/** The whole frame of a protection level. */
export function encodeProtectionLevel(value: ProtectionLevel, context: Pick<GssapiContext, 'wrap'>): Uint8Array {
  const plain = Uint8Array.of(value.level)
  const token = value.form === 'nec' ? plain : context.wrap(plain, false)
  return encodeGssapiFrame({ mtyp: MTYP.protectionLevel, token })
}

/** Reads the token of a user data frame under the granted level. A failure ends the stream without an answer. */
export function decodeUserData(
  token: Uint8Array,
  level: GssapiLevel,
  context: Pick<GssapiContext, 'unwrap'>,
  sender: Sender = 'client',
): Whole<Unwrapped> | Malformed {
  const unwrapped = context.unwrap(token)
  const tooOpen = level === GSSAPI_LEVEL.confidentiality && unwrapped?.confidential === false
  if (unwrapped === undefined || tooOpen) return malformed('unwrap_failed', sender)
  return whole(unwrapped, token.length)
}

/** The frames that carry these octets of a stream, none for no octets. */
export function encodeUserData(
  plain: Uint8Array,
  confidential: boolean,
  context: Pick<GssapiContext, 'wrap'>,
): Uint8Array {
  const frames: Uint8Array[] = []
  for (let at = 0; at < plain.length; at += PLAIN_OCTETS_MAX) {
    const token = context.wrap(plain.subarray(at, at + PLAIN_OCTETS_MAX), confidential)
    frames.push(encodeGssapiFrame({ mtyp: MTYP.userData, token }))
  }
  return concat(frames)
}

/** One UDP datagram is one frame with nothing behind it (section 5 gives both transports the same frame). */
export function decodeGssapiDatagram(
  octets: Uint8Array,
  level: GssapiLevel,
  context: Pick<GssapiContext, 'unwrap'>,
  sender: Sender = 'client',
): Whole<Unwrapped> | Malformed {
  const frame = decodeGssapiFrame(octets, { sender, expect: MTYP.userData })
  if (frame.kind === 'malformed') return frame
  if (frame.kind === 'need-more') return malformed('truncated', sender)
  if (frame.consumed !== octets.length) return malformed('bad_length', sender, 'octets behind the frame')
  return decodeUserData(frame.value.token, level, context, sender)
}

/** The frame for one datagram; `undefined` when it does not fit. */
export function encodeGssapiDatagram(
  plain: Uint8Array,
  confidential: boolean,
  context: Pick<GssapiContext, 'wrap'>,
): Uint8Array | undefined {
  const token = context.wrap(plain, confidential)
  return token.length > TOKEN_OCTETS_MAX ? undefined : encodeGssapiFrame({ mtyp: MTYP.userData, token })
}

function isTokenType(mtyp: number): mtyp is TokenType {
  return mtyp === MTYP.authentication || mtyp === MTYP.protectionLevel || mtyp === MTYP.userData
}

function isLevel(level: number): level is GssapiLevel {
  return level <= GSSAPI_LEVEL.selective
}
