/** The frame of the SSL method (06; draft-ietf-aft-socks-ssl-00): VER, STATE, LEN and octets of TLS, which it does not read. */
import { type Decoded, NEED_MORE, malformed, whole } from '../decoded.ts'
import { concat, octetAt, uint16, uint16At } from '../octets.ts'
import type { SenderOptions } from './sender.ts'

export const SSL_VERSION = 0x01

export const SSL_STATE = { handshake: 0x01, options: 0x02, data: 0x03, closing: 0x04 } as const

export type SslState = (typeof SSL_STATE)[keyof typeof SSL_STATE]

export interface SslFrame {
  readonly state: SslState
  /** Part of a stream: TLS records and frames need not coincide. At most 65535 octets. */
  readonly data: Uint8Array
}

export interface SslFrameOptions extends SenderOptions {
  /** The state of the frame before: states never go backwards. */
  readonly reached?: SslState
}

export function decodeSslFrame(octets: Uint8Array, options: SslFrameOptions = {}): Decoded<SslFrame> {
  const sender = options.sender ?? 'client'
  if (octets.length === 0) return NEED_MORE
  if (octets[0] !== SSL_VERSION) return malformed('bad_version', sender, `version ${octetAt(octets, 0)}`)
  if (octets.length < 2) return NEED_MORE
  const state = octetAt(octets, 1)
  if (!isSslState(state) || state < (options.reached ?? SSL_STATE.handshake)) {
    return malformed('bad_state', sender, `state ${state}`)
  }
  if (octets.length < 4) return NEED_MORE
  const end = 4 + uint16At(octets, 2)
  if (octets.length < end) return NEED_MORE
  return whole({ state, data: octets.slice(4, end) }, end)
}

export function encodeSslFrame(frame: SslFrame): Uint8Array {
  return concat([Uint8Array.of(SSL_VERSION, frame.state, ...uint16(frame.data.length)), frame.data])
}

function isSslState(state: number): state is SslState {
  return state >= SSL_STATE.handshake && state <= SSL_STATE.closing
}
