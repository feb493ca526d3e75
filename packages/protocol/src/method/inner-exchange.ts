/**
 * An exchange that runs inside the frames of another one (SSL, MAF). Keeps the octets that the inner exchange has not
 * consumed, and gives one step for each delivery. Knows neither the frames nor the method.
 */
import { type Blame, failure } from '../failure.ts'
import { NO_OCTETS, concat } from '../octets.ts'
import type { Exchange, ExchangeStep, Verdict } from './exchange.ts'

/** 128 KiB: twice the longest message of any method, which is a JSON block or a MAF Process of 64 KiB and its head. */
export const INNER_OCTETS_MAX = 131_072

/** A step whose octets are already taken, with everything to send joined; `continue` waits for more. */
export type InnerStep = Exclude<ExchangeStep, { kind: 'need-more' }>

export class InnerExchange {
  readonly #exchange: Exchange
  readonly #peer: Blame
  #inbox: Uint8Array = NO_OCTETS

  /** `peer` is the other end, to blame for too many octets. */
  constructor(exchange: Exchange, peer: Blame) {
    this.#exchange = exchange
    this.#peer = peer
  }

  begin(): InnerStep {
    return this.#settle(this.#exchange.begin?.() ?? this.#exchange.read(this.#inbox))
  }

  receive(octets: Uint8Array): InnerStep {
    this.#inbox = concat([this.#inbox, octets])
    return this.#settle(this.#exchange.read(this.#inbox))
  }

  answer(verdict: Verdict): InnerStep {
    const step = this.#exchange.answer?.(verdict)
    if (step === undefined) throw new Error('the inner method asked and cannot take an answer')
    return this.#settle(step)
  }

  respond(response: Uint8Array): InnerStep {
    const step = this.#exchange.respond?.(response)
    if (step === undefined) throw new Error('the inner method prompted and cannot take a response')
    return this.#settle(step)
  }

  /** The octets behind the last one that the inner exchange used. They are given out once. */
  takeRemainder(): Uint8Array {
    const remainder = this.#inbox
    this.#inbox = NO_OCTETS
    return remainder
  }

  // Goes on until somebody else has to speak.
  #settle(first: ExchangeStep): InnerStep {
    const sent: Uint8Array[] = []
    let step = first
    for (;;) {
      if (step.kind !== 'need-more' && step.send !== undefined) sent.push(step.send)
      if (step.kind !== 'need-more' && step.kind !== 'failed') this.#inbox = this.#inbox.subarray(step.consumed)
      if (step.kind !== 'continue') break
      step = this.#exchange.read(this.#inbox)
    }
    const send = concat(sent)
    if (step.kind === 'failed') return { ...step, send }
    if (this.#inbox.length > INNER_OCTETS_MAX) {
      return { kind: 'failed', send, failure: failure('too_large', this.#peer, 'too many octets at once') }
    }
    return step.kind === 'need-more' ? { kind: 'continue', consumed: 0, send } : { ...step, consumed: 0, send }
  }
}
