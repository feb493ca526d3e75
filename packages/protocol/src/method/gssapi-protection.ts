/**
 * Everything behind the level exchange of GSSAPI (RFC 1961 section 5), for a stream and for datagrams: frames of wrapped
 * octets. The context is handed in.
 */
import type { Failure } from '../failure.ts'
import { concat } from '../octets.ts'
import {
  type GssapiContext,
  type GssapiLevel,
  type GssapiTokenFrame,
  MTYP,
  decodeGssapiDatagram,
  decodeGssapiFrame,
  decodeUserData,
  encodeGssapiDatagram,
  encodeUserData,
} from '../wire/gssapi-frame.ts'
import type { Sender } from '../wire/sender.ts'
import type { Protection } from './exchange.ts'
import { FrameReader } from './frame-reader.ts'

export interface GssapiProtectionOptions {
  readonly context: GssapiContext
  /** What is accepted from the other end. */
  readonly level: GssapiLevel
  /** Whether what we send is encrypted, and not only signed. */
  readonly confidential: boolean
  /** The other end, to blame for what does not unwrap. */
  readonly sender: Sender
}

/** Keeps at most one incomplete frame: 65,539 octets. */
export class GssapiProtection implements Protection {
  readonly #options: GssapiProtectionOptions
  readonly #frames: FrameReader<GssapiTokenFrame>
  #failure: Failure | undefined

  constructor(options: GssapiProtectionOptions) {
    this.#options = options
    const { sender } = options
    this.#frames = new FrameReader(octets => decodeGssapiFrame(octets, { sender, expect: MTYP.userData }))
  }

  protect(octets: Uint8Array): Uint8Array {
    return encodeUserData(octets, this.#options.confidential, this.#options.context)
  }

  unprotect(octets: Uint8Array): Uint8Array | Failure {
    if (this.#failure !== undefined) return this.#failure
    const plain = this.#open(octets)
    if (!(plain instanceof Uint8Array)) this.#failure = plain
    return plain
  }

  /** One datagram is one frame; `undefined` when it does not fit into its length field. */
  protectDatagram(octets: Uint8Array): Uint8Array | undefined {
    return encodeGssapiDatagram(octets, this.#options.confidential, this.#options.context)
  }

  unprotectDatagram(octets: Uint8Array): Uint8Array | Failure {
    const { context, level, sender } = this.#options
    const decoded = decodeGssapiDatagram(octets, level, context, sender)
    return decoded.kind === 'whole' ? decoded.value.plain : decoded.failure
  }

  #open(octets: Uint8Array): Uint8Array | Failure {
    const { context, level, sender } = this.#options
    const frames = this.#frames.read(octets)
    if ('code' in frames) return frames
    const plain: Uint8Array[] = []
    for (const frame of frames) {
      const decoded = decodeUserData(frame.token, level, context, sender)
      if (decoded.kind === 'malformed') return decoded.failure
      plain.push(decoded.value.plain)
    }
    return concat(plain)
  }
}
