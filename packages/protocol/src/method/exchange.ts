/**
 * What an authentication method is to a handshake: a number, and an exchange of octets that ends with an identity or a
 * failure. New methods plug in here; the handshake knows none by name. Cryptography and accounts are handed in.
 */
import type { NeedMore } from '../decoded.ts'
import type { Failure } from '../failure.ts'

/** Transforms of a method with integrity or confidentiality: everything after its exchange passes through them. */
export interface Protection {
  /** Frames that carry these octets; a long input becomes several. */
  protect(octets: Uint8Array): Uint8Array
  /** Takes received octets, in any pieces, and gives the plain octets that are complete; a failure is final. */
  unprotect(octets: Uint8Array): Uint8Array | Failure
  /**
   * One UDP datagram; `undefined` when it does not fit. Absent, with its opposite, when the method cannot carry
   * datagrams: UDP ASSOCIATE is to be refused then.
   */
  protectDatagram?(octets: Uint8Array): Uint8Array | undefined
  /** A failure means this datagram only: drop it. */
  unprotectDatagram?(octets: Uint8Array): Uint8Array | Failure
}

/** What the person or program on the other end claims, to be judged by the caller. */
export type Claim =
  | { readonly kind: 'password'; readonly username: Uint8Array; readonly password: Uint8Array }
  /** The caller knows the secret of this user and computes what is needed. */
  | { readonly kind: 'secret'; readonly username: Uint8Array }
  /** Answers to questions shown to a person (CRAM): the caller judges the response. Absent before the first challenge. */
  | { readonly kind: 'response'; readonly username: Uint8Array; readonly response?: Uint8Array }

/** The caller's verdict on a claim. */
export type Verdict =
  | { readonly kind: 'accepted'; readonly user: string; readonly secret?: Uint8Array }
  | { readonly kind: 'rejected' }
  /** CRAM: show this to the person and ask again. 0 to 255 octets. */
  | { readonly kind: 'challenge'; readonly text: Uint8Array }

/** What one step of an exchange came to. `consumed` counts the octets it used; `send` leaves before anything else. */
export type ExchangeStep =
  | NeedMore
  | { readonly kind: 'continue'; readonly consumed: number; readonly send?: Uint8Array }
  | { readonly kind: 'ask'; readonly consumed: number; readonly claim: Claim; readonly send?: Uint8Array }
  /** At the client only: show this to the person and call `respond`. */
  | { readonly kind: 'prompt'; readonly consumed: number; readonly text: Uint8Array; readonly send?: Uint8Array }
  | {
      readonly kind: 'done'
      readonly consumed: number
      readonly send?: Uint8Array
      readonly user?: string
      readonly protection?: Protection
      /** What a parameter method (JSON, 09) carried. */
      readonly parameters?: { readonly [key: string]: unknown }
    }
  | { readonly kind: 'failed'; readonly send?: Uint8Array; readonly failure: Failure }

/** One running exchange, at either end. It sees all octets that no step has consumed yet. */
export interface Exchange {
  /** What to send before the other end speaks; the client's exchange mostly does. */
  begin?(): ExchangeStep
  read(octets: Uint8Array): ExchangeStep
  /** The caller's verdict on the last `ask`. Absent in exchanges that never ask. */
  answer?(verdict: Verdict): ExchangeStep
  /** The person's response to the last `prompt`. Absent in exchanges that never prompt. */
  respond?(response: Uint8Array): ExchangeStep
}

/** A method that one end offers. Each connection begins its own exchange. */
export interface Method {
  /** Its number in the registry of IANA. */
  readonly number: number
  begin(): Exchange
}
