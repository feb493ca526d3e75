/**
 * Method 03, CHAP (draft-ietf-aft-socks-chap-01), at the server. Attributes count, not how they are grouped into
 * messages. Hashes and randomness are handed in; the secret of a user is asked for.
 */
import { sameChapResponse } from '../chap-response.ts'
import { type Failure, type MalformedCode, failure } from '../failure.ts'
import { concat, sameOctets } from '../octets.ts'
import {
  CHAP_ALGORITHM,
  CHAP_ATTRIBUTE,
  CHAP_RESPONSE_OCTETS,
  type ChapAttribute,
  type ChapMessage,
  chapClientFault,
  chapValue,
  decodeChapMessage,
  encodeChapMessage,
  refusalOfChapMessage,
  selectChapAlgorithm,
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
import type { Exchange, ExchangeStep, Method, Verdict } from './exchange.ts'

/** The server's end. It asks with a claim of kind `secret`; a verdict without the secret counts as a rejection. */
export function chapServer(options: ChapOptions): Method {
  return { number: METHOD.chap, begin: () => new ServerExchange(options) }
}

class ServerExchange implements Exchange {
  readonly #options: ChapOptions
  #messages = 0
  #algorithm: number | undefined
  #identifier: Uint8Array | undefined
  #challenge: Uint8Array | undefined
  #username: Uint8Array | undefined
  #response: Uint8Array | undefined
  #clientChallenge: Uint8Array | undefined
  /** Set while the client has to say what it thinks of our response. */
  #acceptedUser: string | undefined

  constructor(options: ChapOptions) {
    this.#options = options
  }

  read(octets: Uint8Array): ExchangeStep {
    const decoded = decodeChapMessage(octets)
    if (decoded.kind === 'need-more') return decoded
    if (decoded.kind === 'malformed') return refused(decoded.failure)
    const { value: message, consumed } = decoded
    if (++this.#messages > CHAP_MESSAGES_MAX) return refused(clientFault('unexpected_message', 'too many messages'))
    if (this.#acceptedUser !== undefined) return this.#readStatus(message, consumed, this.#acceptedUser)
    const fault = chapClientFault(message, {
      algorithms: this.#options.algorithms ?? CHAP_ALGORITHMS_DEFAULT,
      challenged: this.#challenge !== undefined,
      responseOctets: CHAP_RESPONSE_OCTETS,
    })
    if (fault !== undefined) return refused(fault)
    this.#username = chapValue(message, CHAP_ATTRIBUTE.userIdentity) ?? this.#username
    this.#response = chapValue(message, CHAP_ATTRIBUTE.response) ?? this.#response
    this.#clientChallenge = chapValue(message, CHAP_ATTRIBUTE.challenge) ?? this.#clientChallenge
    const send = this.#sendChallenge(message)
    const challengeFault = this.#clientChallengeFault
    if (challengeFault !== undefined) return refused(challengeFault)
    if (this.#username === undefined || this.#response === undefined) {
      return { kind: 'continue', consumed, ...(send && { send }) }
    }
    return { kind: 'ask', consumed, claim: { kind: 'secret', username: this.#username } }
  }

  answer(verdict: Verdict): ExchangeStep {
    const response = this.#response
    if (response === undefined) throw new Error('a verdict without a response to judge')
    const known = verdict.kind === 'accepted' ? verdict.secret : undefined
    // An unknown user takes the way of a wrong password, at the same cost.
    const expected = this.#respond(known ?? this.#options.randomOctets(CHAP_RESPONSE_OCTETS), this.#challenge)
    const same = sameChapResponse(expected, response)
    if (!same || known === undefined || verdict.kind !== 'accepted') {
      return refused(clientFault('auth_rejected', 'wrong user name or password'))
    }
    if (this.#clientChallenge === undefined) {
      return { kind: 'done', consumed: 0, send: this.#message([chapStatus(0)]), user: verdict.user }
    }
    // Ours only after theirs was right: nobody gets a response from us who does not know the secret already.
    this.#acceptedUser = verdict.user
    const value = this.#respond(known, this.#clientChallenge)
    const send = this.#message([chapStatus(0), { att: CHAP_ATTRIBUTE.response, value }])
    return { kind: 'continue', consumed: 0, send }
  }

  get #clientChallengeFault(): Failure | undefined {
    if (this.#clientChallenge === undefined) return undefined
    if (this.#clientChallenge.length === 0) return clientFault('bad_length', 'CHALLENGE is empty')
    if (this.#challenge === undefined || !sameOctets(this.#clientChallenge, this.#challenge)) return undefined
    return clientFault('bad_parameters', 'the client sends our own challenge back')
  }

  // Once, as soon as the client has named its algorithms. In one message when that message names the user, which is
  // what Antinat and PuTTY do and expect; in two as in the draft otherwise.
  #sendChallenge(message: ChapMessage): Uint8Array | undefined {
    const offered = chapValue(message, CHAP_ATTRIBUTE.algorithms)
    if (offered === undefined || this.#algorithm !== undefined) return undefined
    const {
      algorithms = CHAP_ALGORITHMS_DEFAULT,
      challengeOctets = CHAP_CHALLENGE_OCTETS,
      randomOctets,
    } = this.#options
    this.#algorithm = selectChapAlgorithm(algorithms, offered) as number
    const choice = { att: CHAP_ATTRIBUTE.algorithms, value: Uint8Array.of(this.#algorithm) }
    if (this.#algorithm === CHAP_ALGORITHM.md5) this.#identifier = randomOctets(1)
    this.#challenge = randomOctets(challengeOctets)
    const challenge = { att: CHAP_ATTRIBUTE.challenge, value: this.#challenge }
    if (chapValue(message, CHAP_ATTRIBUTE.userIdentity) !== undefined) return this.#message([choice, challenge])
    return concat([encodeChapMessage({ attributes: [choice] }), this.#message([challenge])])
  }

  #readStatus(message: ChapMessage, consumed: number, user: string): ExchangeStep {
    const value = chapValue(message, CHAP_ATTRIBUTE.status)
    if (value === undefined) return { kind: 'continue', consumed }
    if (value.length !== 1) return refused(clientFault('bad_length', `a STATUS of ${value.length} octets`))
    if (value[0] === 0) return { kind: 'done', consumed, user }
    return { kind: 'failed', failure: clientFault('auth_rejected', 'the client does not take us for its server') }
  }

  get #terms(): ChapTerms {
    return { algorithm: this.#algorithm, identifier: this.#identifier }
  }

  #respond(secret: Uint8Array, challenge: Uint8Array | undefined): Uint8Array {
    return respondToChallenge(this.#options.hashes, this.#terms, secret, challenge)
  }

  #message(attributes: readonly ChapAttribute[]): Uint8Array {
    return encodeChapTurn(attributes, this.#terms)
  }
}

function refused(cause: Failure): ExchangeStep {
  return { kind: 'failed', send: refusalOfChapMessage(), failure: cause }
}

function clientFault(code: MalformedCode, detail: string): Failure {
  return failure(code, 'client', detail)
}
