/**
 * The server's side of a SOCKS4, 4a, 5 or HTTP CONNECT handshake. Octets go in, events come out; decisions are asked
 * for by events and answered by calls. Knows no socket, no clock, no account and no rule.
 */
import type { Destination } from '../address.ts'
import { type Failure, failure } from '../failure.ts'
import type { Claim, Exchange, ExchangeStep, Protection, Verdict } from '../method/exchange.ts'
import { NO_OCTETS, concat } from '../octets.ts'
import { METHOD, encodeSocks5Selection } from '../wire/socks5-selection.ts'
import { type Reply, failureReply, successReply } from './reply.ts'
import type { HandshakeRequest } from './request.ts'
import {
  type Reading,
  type ServerHandshakeOptions,
  missingHttpUser,
  readFirstOctet,
  readGreeting,
  readHttp,
  readSocks4,
  readSocks5,
} from './server-reading.ts'

/** What the caller has to do, in this order. */
export type ServerHandshakeEvent =
  | { readonly kind: 'send'; readonly octets: Uint8Array }
  /** Judge the claim, then call `verdict`. */
  | { readonly kind: 'authenticate'; readonly claim: Claim }
  /** Decide and act, then call `succeed` or `fail`; for BIND `succeed` twice. */
  | { readonly kind: 'request'; readonly request: HandshakeRequest }
  /** The tunnel is open: `takeRemainder()` goes first, then the streams are joined. */
  | { readonly kind: 'established' }
  /** An HTTP request that is not CONNECT: `takeRemainder()` holds it from its first octet. */
  | { readonly kind: 'http' }
  /** Nothing more will be read: send FIN after what was sent, then close within ten seconds. */
  | { readonly kind: 'failed'; readonly failure: Failure }

interface ExchangeState {
  readonly phase: 'exchange' | 'judging'
  readonly exchange: Exchange
  readonly method: number
}

type State =
  | { readonly phase: 'first-octet' | 'socks4' | 'greeting' | 'socks5' | 'http-head' }
  | ExchangeState
  | { readonly phase: 'judging-http'; readonly request: HandshakeRequest }
  | { readonly phase: 'deciding' | 'listening' | 'established'; readonly request: HandshakeRequest }
  | { readonly phase: 'http' }
  | { readonly phase: 'failed'; readonly failure: Failure }

export type ServerPhase = State['phase']

/** Reads the octets that no step has used yet. */
type Reader = (inbox: Uint8Array, options: ServerHandshakeOptions, state: State) => Reading | ExchangeStep

// One reader for each phase; null where the caller has to answer first, or nothing is read any more.
const READERS: { readonly [P in ServerPhase]: Reader | null } = {
  'first-octet': readFirstOctet,
  socks4: readSocks4,
  greeting: readGreeting,
  exchange: (inbox, _options, state) => (state as ExchangeState).exchange.read(inbox),
  judging: null,
  socks5: readSocks5,
  'http-head': readHttp,
  'judging-http': null,
  deciding: null,
  listening: null,
  established: null,
  http: null,
  failed: null,
}

export class ServerHandshake {
  readonly #options: ServerHandshakeOptions
  #state: State = { phase: 'first-octet' }
  #inbox: Uint8Array = NO_OCTETS
  #protection: Protection | undefined
  #events: ServerHandshakeEvent[] = []
  #user: string | undefined
  #protocol: 'socks4' | 'socks5' | 'http' | undefined
  #reply: number | undefined
  #parameters: { readonly [key: string]: unknown } | undefined

  constructor(options: ServerHandshakeOptions) {
    this.#options = options
  }

  get phase(): ServerPhase {
    return this.#state.phase
  }

  /** True while the client has to speak: the caller's handshake deadline runs. */
  get deadlineWanted(): boolean {
    return READERS[this.#state.phase] !== null
  }

  /** What the client speaks, by its first octet. */
  get protocol(): 'socks4' | 'socks5' | 'http' | undefined {
    return this.#protocol
  }

  /** Octets received and not yet used. The caller stops reading when this passes its limit for early data. */
  get bufferedOctets(): number {
    return this.#inbox.length
  }

  /** Who the client is, once a method or HTTP Basic has shown it. */
  get user(): string | undefined {
    return this.#user
  }

  /** What the JSON method carried. */
  get parameters(): { readonly [key: string]: unknown } | undefined {
    return this.#parameters
  }

  /** The last REP, CD or HTTP status that was sent as the answer to a request. */
  get reply(): number | undefined {
    return this.#reply
  }

  /** The transforms that every later octet passes, when the method has them. */
  get protection(): Protection | undefined {
    return this.#protection
  }

  receive(octets: Uint8Array): readonly ServerHandshakeEvent[] {
    if (this.#state.phase === 'failed') return []
    const plain = this.#protection === undefined ? octets : this.#protection.unprotect(octets)
    if (!(plain instanceof Uint8Array)) return this.#finish(plain)
    // Not `slice`, which copies nothing where the caller's octets are a Buffer of Node.
    this.#inbox = this.#inbox.length === 0 ? new Uint8Array(plain) : concat([this.#inbox, plain])
    return this.#advance()
  }

  /** The client sent FIN. In the middle of a message this is the end; behind a request it is the client's business. */
  endOfStream(): readonly ServerHandshakeEvent[] {
    if (!this.deadlineWanted) return []
    return this.#finish(failure('truncated', 'client', `the stream ended in phase ${this.#state.phase}`))
  }

  /** The handshake deadline has passed. */
  timeOut(): readonly ServerHandshakeEvent[] {
    if (!this.deadlineWanted) return []
    const { phase } = this.#state
    if (phase === 'exchange' && this.#state.method === METHOD.json) this.#sendReply(failureReply('socks5', 0x11))
    return this.#finish(failure('timed_out', 'client', `no complete handshake in time (phase ${phase})`))
  }

  /** The judgement on the last `authenticate`. */
  verdict(verdict: Verdict): readonly ServerHandshakeEvent[] {
    if (this.#state.phase === 'judging-http') {
      const { request } = this.#state
      if (verdict.kind === 'accepted') {
        this.#user = verdict.user
        this.#ask(request)
      } else {
        const [cause, reply] = missingHttpUser('wrong user name or password')
        this.#sendReply(reply)
        this.#end(cause)
      }
      return this.#flush()
    }
    if (this.#state.phase !== 'judging') return []
    const { exchange, method } = this.#state
    this.#state = { phase: 'exchange', exchange, method }
    const step = exchange.answer?.(verdict)
    if (step === undefined) throw new Error(`method ${method} asked and cannot take an answer`)
    if (step.kind !== 'need-more') this.#take(step)
    return this.#advance()
  }

  /**
   * The request is granted: sends the reply with BND. For BIND the first call tells where the server listens, the
   * second who connected.
   */
  succeed(bound: Destination): readonly ServerHandshakeEvent[] {
    if (this.#state.phase !== 'deciding' && this.#state.phase !== 'listening') return []
    const { request, phase } = this.#state
    this.#sendReply(successReply(request, bound))
    if (request.command === 'bind' && phase === 'deciding') {
      this.#state = { phase: 'listening', request }
    } else {
      this.#state = { phase: 'established', request }
      this.#events.push({ kind: 'established' })
    }
    return this.#flush()
  }

  /** The request is refused or has failed: sends the reply that this code has in the client's protocol. */
  fail(cause: Failure): readonly ServerHandshakeEvent[] {
    if (this.#state.phase !== 'deciding' && this.#state.phase !== 'listening') return []
    this.#sendReply(failureReply(this.#state.request.protocol, cause.code))
    return this.#finish(cause)
  }

  /** The octets behind the handshake, which belong to the tunnel (or to HTTP). They are given out once. */
  takeRemainder(): Uint8Array {
    const remainder = this.#inbox
    this.#inbox = NO_OCTETS
    return remainder
  }

  #advance(): readonly ServerHandshakeEvent[] {
    for (;;) {
      const reader = READERS[this.#state.phase]
      const reading = reader?.(this.#inbox, this.#options, this.#state)
      if (reading === undefined || reading.kind === 'need-more') return this.#flush()
      this.#take(reading)
    }
  }

  #take(reading: Exclude<Reading | ExchangeStep, { kind: 'need-more' }>): void {
    switch (reading.kind) {
      case 'protocol':
        this.#protocol = reading.protocol
        this.#state = { phase: reading.phase }
        break
      case 'method': {
        this.#consume(reading.consumed)
        this.#send(encodeSocks5Selection({ method: reading.method.number }))
        const exchange = reading.method.begin()
        this.#state = { phase: 'exchange', exchange, method: reading.method.number }
        const first = exchange.begin?.()
        if (first !== undefined && first.kind !== 'need-more') this.#take(first)
        break
      }
      case 'request':
        this.#consume(reading.consumed)
        if (reading.claim === undefined) this.#ask(reading.request)
        else {
          this.#state = { phase: 'judging-http', request: reading.request }
          this.#events.push({ kind: 'authenticate', claim: reading.claim })
        }
        break
      case 'plain-http':
        this.#state = { phase: 'http' }
        this.#events.push({ kind: 'http' })
        break
      case 'refusal':
        this.#reply = reading.code
        this.#send(reading.octets)
        this.#end(reading.failure)
        break
      case 'failed':
        this.#send(reading.send)
        this.#end(reading.failure)
        break
      case 'continue':
      case 'ask':
      case 'done':
        this.#takeStep(reading)
        break
      case 'prompt':
        throw new Error('a server method must not prompt')
    }
  }

  #takeStep(step: Extract<ExchangeStep, { kind: 'continue' | 'ask' | 'done' }>): void {
    if (this.#state.phase !== 'exchange') return
    this.#consume(step.consumed)
    this.#send(step.send)
    if (step.kind === 'ask') {
      this.#state = { ...this.#state, phase: 'judging' }
      this.#events.push({ kind: 'authenticate', claim: step.claim })
    } else if (step.kind === 'done') {
      this.#user = step.user
      this.#parameters = step.parameters
      this.#state = { phase: 'socks5' }
      if (step.protection !== undefined) this.#startProtection(step.protection)
    }
  }

  // Octets that came with the last octets of the exchange are protected already.
  #startProtection(protection: Protection): void {
    this.#protection = protection
    const plain = protection.unprotect(this.#inbox)
    if (plain instanceof Uint8Array) this.#inbox = plain
    else this.#end(plain)
  }

  #ask(request: HandshakeRequest): void {
    this.#state = { phase: 'deciding', request }
    this.#events.push({ kind: 'request', request })
  }

  #consume(octets: number): void {
    this.#inbox = octets === this.#inbox.length ? NO_OCTETS : this.#inbox.subarray(octets)
  }

  #send(octets: Uint8Array | undefined): void {
    if (octets === undefined || octets.length === 0) return
    this.#events.push({ kind: 'send', octets: this.#protection?.protect(octets) ?? octets })
  }

  #sendReply(reply: Reply): void {
    this.#reply = reply.code
    this.#send(reply.octets)
  }

  #end(cause: Failure): void {
    this.#state = { phase: 'failed', failure: cause }
    this.#inbox = NO_OCTETS
    this.#events.push({ kind: 'failed', failure: cause })
  }

  #finish(cause: Failure): readonly ServerHandshakeEvent[] {
    this.#end(cause)
    return this.#flush()
  }

  #flush(): readonly ServerHandshakeEvent[] {
    const events = this.#events
    this.#events = []
    return events
  }
}
