/**
 * Method 08, the Multi-Authentication Framework (draft-ietf-aft-socks-maf-01), at the server, which manages it: asks
 * what the client can do, has methods run one after the other, and says how it ends. Knows none of these methods.
 */
import { type Failure, failure } from '../failure.ts'
import { NO_OCTETS, concat, sameOctets } from '../octets.ts'
import {
  MAF_INSTR,
  type MafMessage,
  decodeMafMessage,
  encodeMafMessage,
  refusalOfMafMessage,
} from '../wire/maf-message.ts'
import { METHOD } from '../wire/socks5-selection.ts'
import type { Exchange, ExchangeStep, Method, Verdict } from './exchange.ts'
import { InnerExchange, type InnerStep } from './inner-exchange.ts'
import {
  MAF_MESSAGES_MAX,
  MAF_MORE_IDS,
  type MafMethod,
  type MafResult,
  answerToOem,
  bareMafMessage,
  joinMafResults,
  processMessages,
} from './maf-terms.ts'

/** Ids that are kept of one client: the Can Do messages of a client with UUIDs for everything that exists. */
export const MAF_IDS_MAX = 1_024

export interface MafServerOptions {
  /** One method of each group must succeed, in this order. `[[a, b]]` is either; `[[a], [b]]` is both. At least one group. */
  readonly groups: readonly (readonly MafMethod[])[]
}

/** The server's end. The claims are those of the methods inside. */
export function mafServer(options: MafServerOptions): Method {
  return { number: METHOD.maf, begin: () => new ServerExchange(options.groups) }
}

type State =
  | { readonly phase: 'can-do' | 'what-next' | 'acknowledge' }
  | { readonly phase: 'running'; readonly id: Uint8Array; readonly inner: InnerExchange }

class ServerExchange implements Exchange {
  readonly #groups: readonly (readonly MafMethod[])[]
  #state: State = { phase: 'can-do' }
  #group = 0
  #ids: Uint8Array[] = []
  #messages = 0
  #result: MafResult = {}

  constructor(groups: readonly (readonly MafMethod[])[]) {
    if (groups.length === 0) throw new RangeError('MAF without a method to succeed in')
    this.#groups = groups
  }

  read(octets: Uint8Array): ExchangeStep {
    const decoded = decodeMafMessage(octets)
    if (decoded.kind === 'need-more') return decoded
    if (decoded.kind === 'malformed') return refused(decoded.failure)
    if (++this.#messages > MAF_MESSAGES_MAX) return unexpected('too many messages')
    return this.#take(decoded.value, decoded.consumed)
  }

  answer(verdict: Verdict): ExchangeStep {
    if (this.#state.phase !== 'running') throw new Error('a verdict while no method runs')
    return this.#run(this.#state.id, this.#state.inner.answer(verdict), 0)
  }

  #take(message: MafMessage, consumed: number): ExchangeStep {
    const state = this.#state
    switch (message.instr) {
      case MAF_INSTR.oem:
        return { kind: 'continue', consumed, send: answerToOem(message) }
      case MAF_INSTR.canDo:
        if (state.phase !== 'can-do') break
        for (const { ids } of message.groups) this.#ids.push(...ids)
        if (this.#ids.length > MAF_IDS_MAX) return refused(failure('too_large', 'client', 'too many method ids'))
        return this.#next(consumed)
      case MAF_INSTR.process:
        if (state.phase !== 'running' || !sameOctets(state.id, message.method)) break
        return this.#run(state.id, state.inner.receive(message.data), consumed)
      case MAF_INSTR.whatNext:
        if (state.phase !== 'what-next') break
        return this.#next(consumed)
      case MAF_INSTR.acknowledge:
        if (state.phase !== 'acknowledge') break
        return { kind: 'done', consumed, send: bareMafMessage(MAF_INSTR.acknowledge), ...this.#result }
      default:
    }
    return unexpected(`INSTR ${message.instr} in phase ${state.phase}`)
  }

  // Do, More, Success or Failure.
  #next(consumed: number): ExchangeStep {
    const group = this.#groups[this.#group]
    if (group === undefined) {
      this.#state = { phase: 'acknowledge' }
      return { kind: 'continue', consumed, send: bareMafMessage(MAF_INSTR.success) }
    }
    const method = group.find(({ id }) => this.#ids.some(one => sameOctets(one, id)))
    if (method !== undefined) {
      const inner = new InnerExchange(method.begin(), 'client')
      this.#state = { phase: 'running', id: method.id, inner }
      const order = encodeMafMessage({ instr: MAF_INSTR.do, flags: 0, method: method.id })
      return this.#run(method.id, inner.begin(), consumed, order)
    }
    if (!this.#ids.some(id => sameOctets(id, MAF_MORE_IDS))) {
      return refused(failure('no_acceptable_methods', 'client', 'the client can do none of the methods'))
    }
    // FLAGS 0000: only ids that were not sent yet.
    this.#ids = this.#ids.filter(id => !sameOctets(id, MAF_MORE_IDS))
    this.#state = { phase: 'can-do' }
    return { kind: 'continue', consumed, send: bareMafMessage(MAF_INSTR.more) }
  }

  // `before` leaves in front of what the method itself sends.
  #run(id: Uint8Array, step: InnerStep, consumed: number, before: Uint8Array = NO_OCTETS): ExchangeStep {
    const send = concat([before, processMessages(id, step)])
    switch (step.kind) {
      case 'continue':
      case 'ask':
        return { ...step, consumed, send }
      case 'done':
        this.#result = joinMafResults(this.#result, step)
        this.#group++
        this.#state = { phase: 'what-next' }
        return { kind: 'continue', consumed, send }
      case 'failed':
        return { kind: 'failed', send: concat([send, refusalOfMafMessage()]), failure: step.failure }
      case 'prompt':
        throw new Error('a server method must not prompt')
    }
  }
}

function unexpected(detail: string): ExchangeStep {
  return refused(failure('unexpected_message', 'client', detail))
}

function refused(cause: Failure): ExchangeStep {
  return { kind: 'failed', send: refusalOfMafMessage(), failure: cause }
}
