/**
 * The frames of the SSL method (06; draft-ietf-aft-socks-ssl-00) around a stream of TLS, which is handed in: plain octets
 * with the STATE of their frame on one side, frames on the other. Knows nothing of what the plain octets say.
 */
import { type Failure, failure } from '../failure.ts'
import { NO_OCTETS, concat } from '../octets.ts'
import type { Sender } from '../wire/sender.ts'
import { SSL_STATE, type SslFrame, type SslState, decodeSslFrame, encodeSslFrame } from '../wire/ssl-frame.ts'
import type { Protection } from './exchange.ts'
import { FrameReader } from './frame-reader.ts'

/** LEN has two octets. */
export const SSL_DATA_OCTETS_MAX = 65_535

/** One end of one TLS connection, as a pair of transforms with octets of its own to send. */
export interface TlsStream {
  /** The TLS handshake is complete: `seal` may be called. */
  readonly established: boolean
  /** Who the other end is, when its certificate says so. */
  readonly peer?: string
  /** Records that TLS itself wants to send: handshake, alerts, key updates. They are given out once. */
  takeOutgoing(): Uint8Array
  /** The records that carry these octets. */
  seal(plain: Uint8Array): Uint8Array
  /** Takes records, in any pieces, and gives the plain octets that are complete. */
  open(records: Uint8Array): Uint8Array | Failure
}

/** Frames with this STATE that carry these octets of TLS; none for none. */
export function encodeSslFrames(state: SslState, records: Uint8Array): Uint8Array {
  const frames: Uint8Array[] = []
  for (let at = 0; at < records.length; at += SSL_DATA_OCTETS_MAX) {
    frames.push(encodeSslFrame({ state, data: records.subarray(at, at + SSL_DATA_OCTETS_MAX) }))
  }
  return concat(frames)
}

export interface SslProtectionOptions {
  readonly tls: TlsStream
  readonly sender: Sender
  /** The STATE of the last frame: states never go backwards. */
  readonly reached: SslState
  /** Plain octets that came out of TLS before the protection began. */
  readonly pending: Uint8Array
}

/** The data flow behind the negotiation. Keeps at most one incomplete frame: 65,539 octets. */
export class SslProtection implements Protection {
  readonly #tls: TlsStream
  readonly #frames: FrameReader<SslFrame>
  #pending: Uint8Array
  #failure: Failure | undefined

  constructor({ tls, sender, reached, pending }: SslProtectionOptions) {
    this.#tls = tls
    this.#pending = pending
    let state = reached
    this.#frames = new FrameReader(octets => {
      const frame = decodeSslFrame(octets, { sender, reached: state })
      if (frame.kind === 'whole') ({ state } = frame.value)
      return frame
    })
  }

  protect(octets: Uint8Array): Uint8Array {
    const sealed = this.#tls.seal(octets)
    return encodeSslFrames(SSL_STATE.data, concat([this.#tls.takeOutgoing(), sealed]))
  }

  unprotect(octets: Uint8Array): Uint8Array | Failure {
    if (this.#failure !== undefined) return this.#failure
    const frames = this.#frames.read(octets)
    if ('code' in frames) return (this.#failure = frames)
    const plain = [this.#pending]
    this.#pending = NO_OCTETS
    for (const { data } of frames) {
      const opened = this.#tls.open(data)
      if (!(opened instanceof Uint8Array)) return (this.#failure = opened)
      plain.push(opened)
    }
    return concat(plain)
  }
}

/** Datagrams pass as they are: what the option UDP-Naked means. */
export function withNakedDatagrams(protection: Protection): Protection {
  return {
    protect: octets => protection.protect(octets),
    unprotect: octets => protection.unprotect(octets),
    protectDatagram: octets => octets,
    unprotectDatagram: octets => octets,
  }
}

/** What a frame brought during the negotiation. */
export interface SslDelivery {
  readonly state: SslState
  readonly plain: Uint8Array
}

/** Puts the octets of a frame into TLS and judges the STATE that they came in. */
export function openSslFrame({ state, data }: SslFrame, tls: TlsStream, sender: Sender): SslDelivery | Failure {
  if (state === SSL_STATE.closing) return failure('aborted', sender, 'the closing handshake in the negotiation')
  const plain = tls.open(data)
  if (!(plain instanceof Uint8Array)) return plain
  if (plain.length > 0 && (state === SSL_STATE.handshake || !tls.established)) {
    return failure('bad_state', sender, 'octets inside TLS during its handshake')
  }
  return { state, plain }
}
