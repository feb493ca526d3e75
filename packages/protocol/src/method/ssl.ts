/**
 * Method 06, SSL (draft-ietf-aft-socks-ssl-00), at both ends: the handshake of TLS in frames, then the options inside
 * TLS, then perhaps a whole negotiation of its own (Subauthentication). TLS is handed in.
 */
import { type Failure, type MalformedCode, failure } from '../failure.ts'
import { NO_OCTETS, concat, octetAt } from '../octets.ts'
import type { Sender } from '../wire/sender.ts'
import { METHOD } from '../wire/socks5-selection.ts'
import { SSL_STATE, type SslState, decodeSslFrame } from '../wire/ssl-frame.ts'
import type { Exchange, ExchangeStep, Method, Verdict } from './exchange.ts'
import { InnerExchange, type InnerStep } from './inner-exchange.ts'
import { layeredProtection } from './layered-protection.ts'
import { SslProtection, type TlsStream, encodeSslFrames, openSslFrame, withNakedDatagrams } from './ssl-tunnel.ts'
import { subauthenticationClient, subauthenticationServer } from './subauthentication.ts'

/** The options that a client offers and a server chooses from. */
export const SSL_OPTION = { subauthentication: 0x01, udpNaked: 0x10 } as const

/** The number in the draft, from the private range; IANA assigned 06 later. */
export const SSL_METHOD_OF_DRAFT = 0x86

/** Frames from the other end before the data flow: the TLS handshake takes three or four, inner methods a dozen. */
export const SSL_NEGOTIATION_FRAMES_MAX = 512

export interface SslOptions {
  /** A new TLS connection, made for this end. */
  readonly tls: () => TlsStream
  /**
   * Inner methods in the order of preference; empty for none. A server that has them does without no client; a client
   * that has them leaves it to the server.
   */
  readonly methods: readonly Method[]
  /** Datagrams may travel unprotected; without it there are none. Default false. */
  readonly udpNaked?: boolean
  /** Default 06. */
  readonly number?: typeof METHOD.ssl | typeof SSL_METHOD_OF_DRAFT
}

/** The server's end. The claims are those of the inner method; without one, the certificate names the user. */
export function sslServer(options: SslOptions): Method {
  return { number: options.number ?? METHOD.ssl, begin: () => new SslExchange(options, 'server') }
}

/** The client's end. */
export function sslClient(options: SslOptions): Method {
  return { number: options.number ?? METHOD.ssl, begin: () => new SslExchange(options, 'client') }
}

class SslExchange implements Exchange {
  readonly #options: SslOptions
  readonly #end: Sender
  readonly #peer: Sender
  readonly #tls: TlsStream
  #reached: SslState = SSL_STATE.handshake
  #frames = 0
  /** Plain octets that nothing has used yet: less than LEN and OPTIONS need, or what lies behind the negotiation. */
  #plain: Uint8Array = NO_OCTETS
  #offered = false
  #naked = false
  #inner: InnerExchange | undefined

  constructor(options: SslOptions, end: Sender) {
    this.#options = options
    this.#end = end
    this.#peer = end === 'server' ? 'client' : 'server'
    this.#tls = options.tls()
  }

  begin(): ExchangeStep {
    return this.#proceed(0)
  }

  read(octets: Uint8Array): ExchangeStep {
    const frame = decodeSslFrame(octets, { sender: this.#peer, reached: this.#reached })
    if (frame.kind === 'need-more') return frame
    if (frame.kind === 'malformed') return { kind: 'failed', failure: frame.failure }
    if (++this.#frames > SSL_NEGOTIATION_FRAMES_MAX) return this.#failed('unexpected_message', 'too many frames')
    this.#reached = frame.value.state
    const delivery = openSslFrame(frame.value, this.#tls, this.#peer)
    // TLS may want to say why: its alert leaves in front of the end.
    if ('code' in delivery) return { kind: 'failed', send: this.#outgoing(), failure: delivery }
    this.#plain = concat([this.#plain, delivery.plain])
    return this.#proceed(frame.consumed)
  }

  answer(verdict: Verdict): ExchangeStep {
    if (this.#inner === undefined) throw new Error('a verdict without an inner method')
    return this.#takeInner(this.#inner, this.#inner.answer(verdict), 0, NO_OCTETS)
  }

  respond(response: Uint8Array): ExchangeStep {
    if (this.#inner === undefined) throw new Error('a response without an inner method')
    return this.#takeInner(this.#inner, this.#inner.respond(response), 0, NO_OCTETS)
  }

  #proceed(consumed: number): ExchangeStep {
    const send = this.#outgoing()
    if (this.#inner !== undefined) {
      const plain = this.#plain
      this.#plain = NO_OCTETS
      return this.#takeInner(this.#inner, this.#inner.receive(plain), consumed, send)
    }
    if (!this.#tls.established) return { kind: 'continue', consumed, send }
    return this.#end === 'client' ? this.#clientOptions(consumed, send) : this.#serverOptions(consumed, send)
  }

  #clientOptions(consumed: number, before: Uint8Array): ExchangeStep {
    const offer = this.#ownOptions
    const send = this.#offered ? before : concat([before, this.#seal(Uint8Array.of(offer.length, ...offer))])
    this.#offered = true
    const chosen = this.#takeOptions()
    if (chosen === undefined) return { kind: 'continue', consumed, send }
    const stranger = chosen.find(option => !offer.includes(option))
    if (stranger !== undefined) return this.#failed('method_not_offered', `option ${stranger} was not offered`)
    return this.#agree(chosen, consumed, send)
  }

  #serverOptions(consumed: number, before: Uint8Array): ExchangeStep {
    const offered = this.#takeOptions()
    if (offered === undefined) return { kind: 'continue', consumed, send: before }
    const chosen = this.#ownOptions.filter(option => offered.includes(option))
    if (this.#options.methods.length > 0 && !chosen.includes(SSL_OPTION.subauthentication)) {
      return this.#failed('no_acceptable_methods', 'the client does not offer Subauthentication')
    }
    return this.#agree(chosen, consumed, concat([before, this.#seal(Uint8Array.of(chosen.length, ...chosen))]))
  }

  get #ownOptions(): readonly number[] {
    const { methods, udpNaked = false } = this.#options
    const { subauthentication, udpNaked: naked } = SSL_OPTION
    return [...(methods.length > 0 ? [subauthentication] : []), ...(udpNaked ? [naked] : [])]
  }

  // LEN(1) OPTIONS(LEN), once they are there.
  #takeOptions(): readonly number[] | undefined {
    if (this.#plain.length === 0) return undefined
    const end = 1 + octetAt(this.#plain, 0)
    if (this.#plain.length < end) return undefined
    const options = [...this.#plain.subarray(1, end)]
    this.#plain = this.#plain.subarray(end)
    return options
  }

  #agree(chosen: readonly number[], consumed: number, send: Uint8Array): ExchangeStep {
    this.#naked = chosen.includes(SSL_OPTION.udpNaked)
    if (!chosen.includes(SSL_OPTION.subauthentication)) return this.#done({ kind: 'done', consumed: 0 }, consumed, send)
    const { methods } = this.#options
    const inner = new InnerExchange(
      this.#end === 'server' ? subauthenticationServer(methods) : subauthenticationClient(methods),
      this.#peer,
    )
    this.#inner = inner
    const first = this.#takeInner(inner, inner.begin(), consumed, send)
    if (first.kind !== 'continue' || this.#plain.length === 0) return first
    const plain = this.#plain
    this.#plain = NO_OCTETS
    return this.#takeInner(inner, inner.receive(plain), consumed, first.send ?? NO_OCTETS)
  }

  // `before` leaves in front of what the inner method sends.
  #takeInner(inner: InnerExchange, step: InnerStep, consumed: number, before: Uint8Array): ExchangeStep {
    const sealed = step.send === undefined || step.send.length === 0 ? NO_OCTETS : this.#seal(step.send)
    const send = concat([before, sealed])
    if (step.kind === 'failed') return { ...step, send }
    if (step.kind !== 'done') return { ...step, consumed, send }
    this.#plain = inner.takeRemainder()
    return this.#done(step, consumed, send)
  }

  #done(step: Extract<ExchangeStep, { kind: 'done' }>, consumed: number, send: Uint8Array): ExchangeStep {
    const tunnel = new SslProtection({
      tls: this.#tls,
      sender: this.#peer,
      reached: this.#reached,
      pending: this.#plain,
    })
    const protection = layeredProtection(step.protection, this.#naked ? withNakedDatagrams(tunnel) : tunnel)
    const user = step.user ?? (this.#end === 'server' ? this.#tls.peer : undefined)
    return { ...step, consumed, send, ...(user !== undefined && { user }), ...(protection && { protection }) }
  }

  #outgoing(): Uint8Array {
    const state = this.#offered || this.#inner !== undefined ? SSL_STATE.options : SSL_STATE.handshake
    return encodeSslFrames(state, this.#tls.takeOutgoing())
  }

  #seal(plain: Uint8Array): Uint8Array {
    return encodeSslFrames(SSL_STATE.options, this.#tls.seal(plain))
  }

  #failed(code: MalformedCode, detail: string): ExchangeStep {
    const cause: Failure = failure(code, this.#peer, detail)
    return { kind: 'failed', failure: cause }
  }
}
