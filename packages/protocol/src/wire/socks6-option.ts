/** The options of SOCKS6 messages (draft-olteanu-intarea-socks-6 section 4.2): KIND(2) LENGTH(2) DATA, four-octet aligned. */
import { type Malformed, malformed } from '../decoded.ts'
import { concat, uint16, uint16At } from '../octets.ts'
import type { Sender } from './sender.ts'

/** All options of one message together: 20 KB in revision -12, and revision -11 has less. */
export const SOCKS6_OPTIONS_OCTETS_MAX = 20_480

export const SOCKS6_OPTION = {
  stack: 1,
  methodAdvertisement: 2,
  methodSelection: 3,
  authenticationData: 4,
  sessionRequest: 5,
  sessionId: 6,
  sessionOk: 8,
  sessionInvalid: 9,
  sessionTeardown: 10,
  idempotenceRequest: 11,
  idempotenceWindow: 12,
  idempotenceExpenditure: 13,
  idempotenceAccepted: 14,
  idempotenceRejected: 15,
} as const

export interface Socks6Option {
  /** Unknown kinds are kept; the reader ignores them. */
  readonly kind: number
  /** Its length is a multiple of 4. */
  readonly data: Uint8Array
}

/** What is wrong with the field Options Length; it is judged before the options are waited for. */
export function optionsLengthFault(length: number, sender: Sender): Malformed | undefined {
  if (length <= SOCKS6_OPTIONS_OCTETS_MAX && length % 4 === 0) return undefined
  return malformed('bad_length', sender, `options of ${length} octets`)
}

/** Reads octets that hold options and nothing else. */
export function decodeSocks6Options(octets: Uint8Array, sender: Sender): readonly Socks6Option[] | Malformed {
  const options: Socks6Option[] = []
  for (let at = 0; at < octets.length;) {
    const left = octets.length - at
    // LENGTH counts the whole option.
    const length = left < 4 ? 0 : uint16At(octets, at + 2)
    if (length < 4 || length % 4 !== 0 || length > left) {
      return malformed('bad_length', sender, `an option of ${length} octets where ${left} are left`)
    }
    options.push({ kind: uint16At(octets, at), data: octets.slice(at + 4, at + length) })
    at += length
  }
  return options
}

/** Throws a RangeError for data that is not aligned and for more options than a message takes. */
export function encodeSocks6Options(options: readonly Socks6Option[]): Uint8Array {
  const octets = concat(options.map(encodeOption))
  if (octets.length > SOCKS6_OPTIONS_OCTETS_MAX) throw new RangeError(`options of ${octets.length} octets`)
  return octets
}

function encodeOption({ kind, data }: Socks6Option): Uint8Array {
  if (data.length % 4 !== 0) throw new RangeError(`option data of ${data.length} octets is not a multiple of 4`)
  return concat([Uint8Array.of(...uint16(kind), ...uint16(4 + data.length)), data])
}
