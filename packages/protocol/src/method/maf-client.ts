/**
 * Method 08, the Multi-Authentication Framework (draft-ietf-aft-socks-maf-01), at the client: says what it can do, and
 * runs what the server wants. Knows none of the methods inside.
 */
import { type MalformedCode, failure } from '../failure.ts'
import { concat, sameOctets } from '../octets.ts'
import { MAF_INSTR, type MafIdGroup, type MafMessage, decodeMafMessage, encodeMafMessage } from '../wire/maf-message.ts'
import { METHOD } from '../wire/socks5-selection.ts'
import type { Exchange, ExchangeStep, Method } from './exchange.ts'
import { InnerExchange, type InnerStep } from './inner-exchange.ts'
import {
  MAF_MESSAGES_MAX,
  type MafMethod,
  type MafResult,
  answerToOem,
  bareMafMessage,
  joinMafResults,
  processMessages,
} from './maf-terms.ts'

/** COUNT has one octet. */
const GROUP_IDS_MAX = 255
/** FLAGS of More: start over, instead of only what was not sent. */
const MORE_ABSOLUTE = 0x0001

/** The client's end: what it can do. All ids go into one Can Do, which has room for about a thousand UUIDs. */
export function mafClient(methods: readonly MafMethod[]): Method {
  return { number: METHOD.maf, begin: () => new ClientExchange(methods) }
}

type State =
  | { readonly phase: 'can-do' | 'what-next' | 'acknowledge' }
  | { readonly phase: 'running'; readonly id: Uint8Array; readonly inner: InnerExchange }

class ClientExchange implements Exchange {
  readonly #methods: readonly MafMethod[]
  #state: State = { phase: 'can-do' }
  #messages = 0
  #result: MafResult = {}

  constructor(methods: readonly MafMethod[]) {
    this.#methods = methods
  }

  begin(): ExchangeStep {
    return { kind: 'continue', consumed: 0, send: canDo(this.#methods) }
  }

  read(octets: Uint8Array): ExchangeStep {
    const decoded = decodeMafMessage(octets, { sender: 'server' })
    if (decoded.kind === 'need-more') return decoded
    if (decoded.kind === 'malformed') return { kind: 'failed', failure: decoded.failure }
    if (++this.#messages > MAF_MESSAGES_MAX) return failed('unexpected_message', 'too many messages')
    return this.#take(decoded.value, decoded.consumed)
  }

  respond(response: Uint8Array): ExchangeStep {
    if (this.#state.phase !== 'running') throw new Error('a response while no method runs')
    return this.#run(this.#state.id, this.#state.inner.respond(response), 0)
  }

  #take(message: MafMessage, consumed: number): ExchangeStep {
    const state = this.#state
    switch (message.instr) {
      case MAF_INSTR.oem:
        return { kind: 'continue', consumed, send: answerToOem(message) }
      case MAF_INSTR.failure:
        return failed('auth_rejected', 'the server says Failure')
      case MAF_INSTR.more:
        if (state.phase !== 'can-do' && state.phase !== 'what-next') break
        this.#state = { phase: 'can-do' }
        // Everything was in the first Can Do.
        return { kind: 'continue', consumed, send: canDo(message.flags === MORE_ABSOLUTE ? this.#methods : []) }
      case MAF_INSTR.do:
        if (state.phase !== 'can-do' && state.phase !== 'what-next') break
        return this.#start(message.method, consumed)
      case MAF_INSTR.process:
        if (state.phase !== 'running' || !sameOctets(state.id, message.method)) break
        return this.#run(state.id, state.inner.receive(message.data), consumed)
      case MAF_INSTR.success:
        // Never before a method has run: a server cannot skip what we came to prove.
        if (state.phase !== 'what-next') break
        this.#state = { phase: 'acknowledge' }
        return { kind: 'continue', consumed, send: bareMafMessage(MAF_INSTR.acknowledge) }
      case MAF_INSTR.acknowledge:
        if (state.phase !== 'acknowledge') break
        return { kind: 'done', consumed, ...this.#result }
      default:
    }
    return failed('unexpected_message', `INSTR ${message.instr} in phase ${state.phase}`)
  }

  #start(id: Uint8Array, consumed: number): ExchangeStep {
    const method = this.#methods.find(one => sameOctets(one.id, id))
    if (method === undefined) return failed('method_not_offered', 'the server wants a method that was not offered')
    const inner = new InnerExchange(method.begin(), 'server')
    this.#state = { phase: 'running', id: method.id, inner }
    return this.#run(method.id, inner.begin(), consumed)
  }

  #run(id: Uint8Array, step: InnerStep, consumed: number): ExchangeStep {
    const send = processMessages(id, step)
    switch (step.kind) {
      case 'continue':
      case 'prompt':
        return { ...step, consumed, send }
      case 'done':
        this.#result = joinMafResults(this.#result, step)
        this.#state = { phase: 'what-next' }
        return { kind: 'continue', consumed, send: concat([send, bareMafMessage(MAF_INSTR.whatNext)]) }
      case 'failed':
        return { kind: 'failed', send, failure: step.failure }
      case 'ask':
        throw new Error('a client method must not ask for a verdict')
    }
  }
}

function canDo(methods: readonly MafMethod[]): Uint8Array {
  const groups: MafIdGroup[] = []
  for (const idLength of [4, 16] as const) {
    const ids = methods.map(({ id }) => id).filter(id => id.length === idLength)
    for (let at = 0; at < ids.length; at += GROUP_IDS_MAX)
      groups.push({ idLength, ids: ids.slice(at, at + GROUP_IDS_MAX) })
  }
  return encodeMafMessage({ instr: MAF_INSTR.canDo, flags: 0, groups })
}

function failed(code: MalformedCode, detail: string): ExchangeStep {
  return { kind: 'failed', failure: failure(code, 'server', detail) }
}
