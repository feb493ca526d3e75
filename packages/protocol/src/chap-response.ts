/** The response of CHAP to a challenge, and its comparison. The hash functions are handed in; secrets are never kept. */
import { concat, octetAt } from './octets.ts'
import { CHAP_ALGORITHM } from './wire/chap-message.ts'

export interface ChapHashes {
  /** HMAC-MD5 (RFC 2104): 16 octets. */
  hmacMd5(key: Uint8Array, message: Uint8Array): Uint8Array
  /** MD5 (RFC 1321): 16 octets. */
  md5(message: Uint8Array): Uint8Array
}

export interface ChapQuestion {
  readonly algorithm: number
  /** The IDENTIFIER octet, which only MD5 uses. Default 0. */
  readonly identifier?: number
  readonly secret: Uint8Array
  readonly challenge: Uint8Array
}

/** The 16 octets that answer a challenge; `undefined` for an algorithm that is not known here. */
export function chapResponse(question: ChapQuestion, hashes: ChapHashes): Uint8Array | undefined {
  const { algorithm, identifier = 0, secret, challenge } = question
  switch (algorithm) {
    case CHAP_ALGORITHM.hmacMd5:
      return hashes.hmacMd5(secret, challenge)
    // RFC 1994 section 4.1: identifier, secret, challenge.
    case CHAP_ALGORITHM.md5:
      return hashes.md5(concat([Uint8Array.of(identifier), secret, challenge]))
    default:
      return undefined
  }
}

/** Compares in a time that depends on the length only, which is no secret. */
export function sameChapResponse(expected: Uint8Array, received: Uint8Array): boolean {
  if (expected.length !== received.length) return false
  let difference = 0
  for (const [index, octet] of expected.entries()) difference |= octet ^ octetAt(received, index)
  return difference === 0
}
