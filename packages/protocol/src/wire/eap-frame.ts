/** The frame of draft-ietf-aft-socks-eap-00, a method that never got a number: VER, CODE, ID, LEN, DATA. Knows nothing of EAP. */
import { type Decoded, NEED_MORE, malformed, whole } from '../decoded.ts'
import { concat, octetAt, uint16, uint16At } from '../octets.ts'
import type { SenderOptions } from './sender.ts'

export const EAP_VERSION = 0x01

export interface EapFrame {
  readonly code: number
  readonly id: number
  /** At most 65535 octets. */
  readonly data: Uint8Array
}

export function decodeEapFrame(octets: Uint8Array, options: SenderOptions = {}): Decoded<EapFrame> {
  if (octets.length === 0) return NEED_MORE
  if (octets[0] !== EAP_VERSION) {
    return malformed('bad_version', options.sender ?? 'client', `version ${octetAt(octets, 0)}`)
  }
  if (octets.length < 5) return NEED_MORE
  const end = 5 + uint16At(octets, 3)
  if (octets.length < end) return NEED_MORE
  return whole({ code: octetAt(octets, 1), id: octetAt(octets, 2), data: octets.slice(5, end) }, end)
}

export function encodeEapFrame(frame: EapFrame): Uint8Array {
  return concat([Uint8Array.of(EAP_VERSION, frame.code, frame.id, ...uint16(frame.data.length)), frame.data])
}
