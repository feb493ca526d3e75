/** The three answers of every decoder. A decoder sees all octets from the start of its message each time it is asked. */
import { type Blame, type Failure, type MalformedCode, failure } from './failure.ts'

/** A whole message; the octets from `consumed` on belong to whatever follows it. */
export interface Whole<T> {
  readonly kind: 'whole'
  readonly value: T
  readonly consumed: number
}

/** Every octet so far fits, and more are needed. At end of stream this is code `truncated`. */
export interface NeedMore {
  readonly kind: 'need-more'
}

/** The octets can never become a valid message. */
export interface Malformed {
  readonly kind: 'malformed'
  readonly failure: Failure
}

export type Decoded<T> = Whole<T> | NeedMore | Malformed

export const NEED_MORE: NeedMore = { kind: 'need-more' }

export function whole<T>(value: T, consumed: number): Whole<T> {
  return { kind: 'whole', value, consumed }
}

/** A failed decode; blame is the end that sent the octets. */
export function malformed(code: MalformedCode, blame: Blame, detail?: string): Malformed {
  return { kind: 'malformed', failure: failure(code, blame, detail) }
}
