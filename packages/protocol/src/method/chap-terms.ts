/**
 * What both ends of CHAP (method 03; draft-ietf-aft-socks-chap-01) share: limits, options, the response, IDENTIFIER.
 * Knows neither end.
 */
import { type ChapHashes, chapResponse } from '../chap-response.ts'
import { CHAP_ALGORITHM, CHAP_ATTRIBUTE, type ChapAttribute, encodeChapMessage } from '../wire/chap-message.ts'

/** 16 random octets cannot be guessed nor met twice; a challenge has 1 to 255. */
export const CHAP_CHALLENGE_OCTETS = 16
/** Messages from the other end in one exchange: three are needed, the rest may carry text. Each has at most 65,537 octets. */
export const CHAP_MESSAGES_MAX = 8
/** HMAC-MD5 alone: the draft calls MD5 weak, so that it must be asked for. */
export const CHAP_ALGORITHMS_DEFAULT: readonly number[] = [CHAP_ALGORITHM.hmacMd5]

export interface ChapOptions {
  readonly hashes: ChapHashes
  /** Unpredictable octets, exactly as many as asked. */
  readonly randomOctets: (length: number) => Uint8Array
  /** In the order of preference. Default {@link CHAP_ALGORITHMS_DEFAULT}. */
  readonly algorithms?: readonly number[]
  /** Octets of an own challenge. Default {@link CHAP_CHALLENGE_OCTETS}. */
  readonly challengeOctets?: number
}

/** What has been agreed on; absent until the messages with it have come. */
export interface ChapTerms {
  readonly algorithm: number | undefined
  readonly identifier: Uint8Array | undefined
}

/** The response under these terms. Both ends come here only once algorithm and challenge are known. */
export function respondToChallenge(
  hashes: ChapHashes,
  { algorithm, identifier }: ChapTerms,
  secret: Uint8Array,
  challenge: Uint8Array | undefined,
): Uint8Array {
  const response =
    algorithm === undefined || challenge === undefined
      ? undefined
      : chapResponse({ algorithm, identifier: identifier?.[0] ?? 0, secret, challenge }, hashes)
  if (response === undefined) throw new Error(`algorithm ${algorithm} was offered and is not known here`)
  return response
}

/** A message; an algorithm that needs an IDENTIFIER has it in every one after its choice (draft: attribute 10). */
export function encodeChapTurn(attributes: readonly ChapAttribute[], { identifier }: ChapTerms): Uint8Array {
  if (identifier === undefined) return encodeChapMessage({ attributes })
  return encodeChapMessage({ attributes: [...attributes, { att: CHAP_ATTRIBUTE.identifier, value: identifier }] })
}

export function chapStatus(value: number): ChapAttribute {
  return { att: CHAP_ATTRIBUTE.status, value: Uint8Array.of(value) }
}
