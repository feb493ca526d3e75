/**
 * Method 05, CRAM (draft-ietf-aft-socks-cram-00), at both ends: challenges that are shown to a person, any number of
 * times. Knows no token card and judges no response: the server asks its caller, the client prompts the person.
 */
import { type Blame, type Failure, failure } from '../failure.ts'
import {
  CHAP_ATTRIBUTE,
  chapClientFault,
  chapServerFault,
  chapValue,
  decodeChapMessage,
  encodeChapMessage,
  encodeChapStatus,
  refusalOfChapMessage,
} from '../wire/chap-message.ts'
import { METHOD } from '../wire/socks5-selection.ts'
import type { Exchange, ExchangeStep, Method, Verdict } from './exchange.ts'

/** Challenges in one exchange: a person does not answer more, and the draft sets no end. */
export const CRAM_ROUNDS_MAX = 10
/** Messages from the other end: one for each round, the name or the status, and as many again with text alone. */
export const CRAM_MESSAGES_MAX: number = 2 * (CRAM_ROUNDS_MAX + 1)
/** The length of a value is one octet. */
const VALUE_OCTETS_MAX = 255

/** The server's end. It asks with a claim of kind `response`; the verdict `challenge` asks the person (again). */
export const cramServer: Method = { number: METHOD.cram, begin: () => new ServerExchange() }

/** The client's end; its challenges become prompts. `username` has 1 to 255 octets. */
export function cramClient(options: { readonly username: Uint8Array }): Method {
  return { number: METHOD.cram, begin: () => new ClientExchange(options.username) }
}

class ServerExchange implements Exchange {
  #messages = 0
  #rounds = 0
  #username: Uint8Array | undefined

  read(octets: Uint8Array): ExchangeStep {
    const decoded = decodeChapMessage(octets)
    if (decoded.kind === 'need-more') return decoded
    if (decoded.kind === 'malformed') return refused(decoded.failure)
    const { value: message, consumed } = decoded
    if (++this.#messages > CRAM_MESSAGES_MAX) return refused(tooMany('client'))
    const fault = chapClientFault(message, { algorithms: [], challenged: this.#rounds > 0 })
    if (fault !== undefined) return refused(fault)
    const username = this.#username ?? chapValue(message, CHAP_ATTRIBUTE.userIdentity)
    const response = chapValue(message, CHAP_ATTRIBUTE.response)
    const isNew = this.#username !== username
    this.#username = username
    if (username === undefined || (response === undefined && !isNew)) return { kind: 'continue', consumed }
    return { kind: 'ask', consumed, claim: { kind: 'response', username, ...(response && { response }) } }
  }

  answer(verdict: Verdict): ExchangeStep {
    switch (verdict.kind) {
      case 'accepted':
        return { kind: 'done', consumed: 0, send: encodeChapStatus(0), user: verdict.user }
      case 'rejected':
        return refused(failure('auth_rejected', 'client', 'wrong user name or response'))
      case 'challenge':
        if (verdict.text.length > VALUE_OCTETS_MAX) throw new RangeError('a challenge has at most 255 octets')
        if (++this.#rounds > CRAM_ROUNDS_MAX) return refused(failure('auth_rejected', 'client', 'too many rounds'))
        return { kind: 'continue', consumed: 0, send: oneAttribute(CHAP_ATTRIBUTE.challenge, verdict.text) }
    }
  }
}

class ClientExchange implements Exchange {
  readonly #username: Uint8Array
  #messages = 0
  #rounds = 0

  constructor(username: Uint8Array) {
    this.#username = username
  }

  begin(): ExchangeStep {
    return { kind: 'continue', consumed: 0, send: oneAttribute(CHAP_ATTRIBUTE.userIdentity, this.#username) }
  }

  read(octets: Uint8Array): ExchangeStep {
    const decoded = decodeChapMessage(octets, { sender: 'server' })
    if (decoded.kind === 'need-more') return decoded
    if (decoded.kind === 'malformed') return { kind: 'failed', failure: decoded.failure }
    const { value: message, consumed } = decoded
    if (++this.#messages > CRAM_MESSAGES_MAX) return { kind: 'failed', failure: tooMany('server') }
    const fault = chapServerFault(message, [])
    if (fault !== undefined) return { kind: 'failed', failure: fault }
    if (chapValue(message, CHAP_ATTRIBUTE.status) !== undefined) return { kind: 'done', consumed }
    const text = chapValue(message, CHAP_ATTRIBUTE.challenge)
    if (text === undefined) return { kind: 'continue', consumed }
    if (++this.#rounds > CRAM_ROUNDS_MAX) return { kind: 'failed', failure: tooMany('server') }
    return { kind: 'prompt', consumed, text }
  }

  respond(response: Uint8Array): ExchangeStep {
    if (response.length > VALUE_OCTETS_MAX) {
      return { kind: 'failed', failure: failure('too_large', 'us', 'a response has at most 255 octets') }
    }
    return { kind: 'continue', consumed: 0, send: oneAttribute(CHAP_ATTRIBUTE.response, response) }
  }
}

function oneAttribute(att: number, value: Uint8Array): Uint8Array {
  return encodeChapMessage({ attributes: [{ att, value }] })
}

function tooMany(blame: Blame): Failure {
  return failure('unexpected_message', blame, 'too many messages')
}

function refused(cause: Failure): ExchangeStep {
  return { kind: 'failed', send: refusalOfChapMessage(), failure: cause }
}
