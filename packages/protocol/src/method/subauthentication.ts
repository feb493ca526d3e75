/**
 * The negotiation of RFC 1928 section 3 as an exchange, for methods that hold another one inside (SSL: option
 * Subauthentication). Knows neither the method around it nor those that it chooses from.
 */
import { failure } from '../failure.ts'
import {
  METHOD,
  decodeSocks5Selection,
  encodeSocks5Selection,
  selectMethod,
  selectionFault,
} from '../wire/socks5-selection.ts'
import { decodeSocks5Greeting, encodeSocks5Greeting } from '../wire/socks5-greeting.ts'
import type { Exchange, ExchangeStep, Method, Verdict } from './exchange.ts'

/** The server's end: the first of these methods that the client offers. */
export function subauthenticationServer(methods: readonly Method[]): Exchange {
  return new Subauthentication(octets => chooseMethod(methods, octets))
}

/** The client's end: these methods are offered. */
export function subauthenticationClient(methods: readonly Method[]): Exchange {
  const send = encodeSocks5Greeting({ methods: methods.map(method => method.number) })
  return new Subauthentication(octets => readSelection(methods, octets), { kind: 'continue', consumed: 0, send })
}

/** A step, or the method that both ends have agreed on. */
type Choice =
  | ExchangeStep
  | { readonly kind: 'chosen'; readonly consumed: number; readonly method: Method; readonly send?: Uint8Array }

class Subauthentication implements Exchange {
  readonly #choose: (octets: Uint8Array) => Choice
  readonly #first: ExchangeStep | undefined
  #inner: Exchange | undefined
  #begun = false

  constructor(choose: (octets: Uint8Array) => Choice, first?: ExchangeStep) {
    this.#choose = choose
    this.#first = first
  }

  begin(): ExchangeStep {
    return this.#first ?? { kind: 'need-more' }
  }

  read(octets: Uint8Array): ExchangeStep {
    if (this.#inner !== undefined) return this.#readInner(this.#inner, octets)
    const choice = this.#choose(octets)
    if (choice.kind !== 'chosen') return choice
    this.#inner = choice.method.begin()
    const { consumed, send } = choice
    return { kind: 'continue', consumed, ...(send && { send }) }
  }

  answer(verdict: Verdict): ExchangeStep {
    const step = this.#inner?.answer?.(verdict)
    if (step === undefined) throw new Error('the method asked and cannot take an answer')
    return step
  }

  respond(response: Uint8Array): ExchangeStep {
    const step = this.#inner?.respond?.(response)
    if (step === undefined) throw new Error('the method prompted and cannot take a response')
    return step
  }

  // The inner method begins once the selection is on its way, which is now.
  #readInner(inner: Exchange, octets: Uint8Array): ExchangeStep {
    const first = this.#begun ? undefined : inner.begin?.()
    this.#begun = true
    return first === undefined || first.kind === 'need-more' ? inner.read(octets) : first
  }
}

function chooseMethod(methods: readonly Method[], octets: Uint8Array): Choice {
  const greeting = decodeSocks5Greeting(octets)
  if (greeting.kind === 'need-more') return greeting
  if (greeting.kind === 'malformed') return { kind: 'failed', failure: greeting.failure }
  const numbers = methods.map(method => method.number)
  const number = selectMethod(numbers, greeting.value.methods)
  const method = methods.find(one => one.number === number)
  const send = encodeSocks5Selection({ method: method?.number ?? METHOD.noneAcceptable })
  if (method !== undefined) return { kind: 'chosen', consumed: greeting.consumed, method, send }
  const cause = failure('no_acceptable_methods', 'client', 'the client offers none of the inner methods')
  return { kind: 'failed', send, failure: cause }
}

function readSelection(methods: readonly Method[], octets: Uint8Array): Choice {
  const selection = decodeSocks5Selection(octets)
  if (selection.kind === 'need-more') return selection
  if (selection.kind === 'malformed') return { kind: 'failed', failure: selection.failure }
  const numbers = methods.map(method => method.number)
  const fault = selectionFault(selection.value, numbers)
  if (fault !== undefined) return { kind: 'failed', failure: fault }
  const method = methods[numbers.indexOf(selection.value.method)] as Method
  return { kind: 'chosen', consumed: selection.consumed, method }
}
