/**
 * Method 03, CHAP (draft-ietf-aft-socks-chap-01), at the client. Attributes count, not how they are grouped into
 * messages. Hashes, randomness and the secret are handed in.
 */
import { sameChapResponse } from '../chap-response.ts'
import { type Failure, type MalformedCode, failure } from '../failure.ts'
import { sameOctets } from '../octets.ts'
import {
  CHAP_ALGORITHM,
  CHAP_ATTRIBUTE,
  type ChapAttribute,
  type ChapMessage,
  chapServerFault,
  chapValue,
  decodeChapMessage,
  encodeChapMessage,
} from '../wire/chap-message.ts'
import { METHOD } from '../wire/socks5-selection.ts'
import {
  CHAP_ALGORITHMS_DEFAULT,
  CHAP_CHALLENGE_OCTETS,
  CHAP_MESSAGES_MAX,
  type ChapOptions,
  type ChapTerms,
  chapStatus,
  encodeChapTurn,
  respondToChallenge,
} from './chap-terms.ts'
import type { Exchange, ExchangeStep, Method } from './exchange.ts'

export interface ChapClientOptions extends ChapOptions {
  /** 1 to 255 octets. */
  readonly username: Uint8Array
  readonly secret: Uint8Array
  /** Challenge the server too. `wanted` goes on when it does not answer, `required` does not. Default `off`. */
  readonly mutual?: 'off' | 'wanted' | 'required'
  /** `deployed` names the user in the first message, `draft` with the response. Default `deployed`. */
  readonly grouping?: 'deployed' | 'draft'
}

/** The client's end. */
export function chapClient(options: ChapClientOptions): Method {
  return { number: METHOD.chap, begin: () => new ClientExchange(options) }
}

class ClientExchange implements Exchange {
  readonly #options: ChapClientOptions
  readonly #algorithms: readonly number[]
  #messages = 0
  #algorithm: number | undefined
  #identifier: Uint8Array | undefined
  #challenge: Uint8Array | undefined
  #ownChallenge: Uint8Array | undefined
  #responded = false
  #serverResponse: Uint8Array | undefined

  constructor(options: ChapClientOptions) {
    this.#options = options
    this.#algorithms = options.algorithms ?? CHAP_ALGORITHMS_DEFAULT
  }

  begin(): ExchangeStep {
    const algorithms = { att: CHAP_ATTRIBUTE.algorithms, value: Uint8Array.from(this.#algorithms) }
    const attributes = this.#options.grouping === 'draft' ? [algorithms] : [algorithms, this.#userIdentity]
    return { kind: 'continue', consumed: 0, send: encodeChapMessage({ attributes }) }
  }

  read(octets: Uint8Array): ExchangeStep {
    const decoded = decodeChapMessage(octets, { sender: 'server' })
    if (decoded.kind === 'need-more') return decoded
    if (decoded.kind === 'malformed') return { kind: 'failed', failure: decoded.failure }
    const { value: message, consumed } = decoded
    if (++this.#messages > CHAP_MESSAGES_MAX) return failed('unexpected_message', 'too many messages')
    const fault = chapServerFault(message, this.#algorithms) ?? this.#fault(message)
    if (fault !== undefined) return { kind: 'failed', failure: fault }
    this.#algorithm ??= chapValue(message, CHAP_ATTRIBUTE.algorithms)?.[0]
    this.#identifier ??= chapValue(message, CHAP_ATTRIBUTE.identifier)
    this.#challenge ??= chapValue(message, CHAP_ATTRIBUTE.challenge)
    this.#serverResponse = chapValue(message, CHAP_ATTRIBUTE.response) ?? this.#serverResponse
    if (chapValue(message, CHAP_ATTRIBUTE.status) !== undefined) return this.#finish(consumed)
    return this.#responded || !this.#complete ? { kind: 'continue', consumed } : this.#respond(consumed)
  }

  get #userIdentity(): ChapAttribute {
    return { att: CHAP_ATTRIBUTE.userIdentity, value: this.#options.username }
  }

  get #terms(): ChapTerms {
    return { algorithm: this.#algorithm, identifier: this.#identifier }
  }

  get #complete(): boolean {
    if (this.#algorithm === undefined || this.#challenge === undefined) return false
    return this.#algorithm !== CHAP_ALGORITHM.md5 || this.#identifier !== undefined
  }

  #fault(message: ChapMessage): Failure | undefined {
    const identifier = chapValue(message, CHAP_ATTRIBUTE.identifier)
    if (identifier !== undefined && identifier.length !== 1) {
      return failure('bad_length', 'server', `an IDENTIFIER of ${identifier.length} octets`)
    }
    const challenge = chapValue(message, CHAP_ATTRIBUTE.challenge)
    if (challenge?.length === 0) return failure('bad_length', 'server', 'CHALLENGE is empty')
    // A second challenge could be our own one: only the first is ever answered.
    if (challenge !== undefined && this.#challenge !== undefined) {
      return failure('unexpected_message', 'server', 'a second CHALLENGE')
    }
    if (this.#responded || chapValue(message, CHAP_ATTRIBUTE.status) === undefined) return undefined
    return failure('unexpected_message', 'server', 'success without a response to judge')
  }

  #respond(consumed: number): ExchangeStep {
    const { grouping, hashes, mutual = 'off', secret } = this.#options
    this.#responded = true
    const value = respondToChallenge(hashes, this.#terms, secret, this.#challenge)
    const attributes = grouping === 'draft' ? [this.#userIdentity] : []
    attributes.push({ att: CHAP_ATTRIBUTE.response, value })
    if (mutual !== 'off') {
      this.#ownChallenge = this.#options.randomOctets(this.#options.challengeOctets ?? CHAP_CHALLENGE_OCTETS)
      // Never answer a challenge that is also ours: the answer could be sent back to us.
      if (this.#challenge !== undefined && sameOctets(this.#ownChallenge, this.#challenge)) {
        return failed('bad_parameters', 'the server has our own challenge')
      }
      attributes.push({ att: CHAP_ATTRIBUTE.challenge, value: this.#ownChallenge })
    }
    return { kind: 'continue', consumed, send: encodeChapTurn(attributes, this.#terms) }
  }

  // STATUS says success: now the server's response decides, when there was a challenge for it.
  #finish(consumed: number): ExchangeStep {
    if (this.#ownChallenge === undefined) return { kind: 'done', consumed }
    if (this.#serverResponse === undefined) {
      if (this.#options.mutual === 'wanted') return { kind: 'done', consumed }
      return failed('auth_rejected', 'the server does not show that it knows the secret')
    }
    const { hashes, secret } = this.#options
    const expected = respondToChallenge(hashes, this.#terms, secret, this.#ownChallenge)
    if (sameChapResponse(expected, this.#serverResponse)) {
      return { kind: 'done', consumed, send: encodeChapTurn([chapStatus(0)], this.#terms) }
    }
    const wrong = failure('auth_rejected', 'server', 'the server does not know the secret')
    return { kind: 'failed', send: encodeChapTurn([chapStatus(1)], this.#terms), failure: wrong }
  }
}

function failed(code: MalformedCode, detail: string): ExchangeStep {
  return { kind: 'failed', failure: failure(code, 'server', detail) }
}
