/**
 * The server's side of a SOCKS4, 4a, 5 or HTTP CONNECT handshake. Octets go in, events come out; decisions are asked
 * for by events and answered by calls. Knows no socket, no clock, no account and no rule.
 */
import type { Destination } from '../address.ts'
import { type Failure, failure } from '../failure.ts'
import type { Exchange, ExchangeStep, Method, Protection, Verdict, Claim } from '../method/exchange.ts'
import { NO_OCTETS, concat } from '../octets.ts'
import { decodeFirstOctet } from '../wire/first-octet.ts'
import { decodeHttpConnectRequest } from '../wire/http-connect.ts'
import { decodeSocks4Request, refusalOfSocks4Request } from '../wire/socks4-request.ts'
import { decodeSocks5Greeting } from '../wire/socks5-greeting.ts'
import { decodeSocks5Request, refusalOfSocks5Request } from '../wire/socks5-request.ts'
import { METHOD, encodeSocks5Selection, selectMethod } from '../wire/socks5-selection.ts'
import { basicCredentials, isHttpConnect, refusalOfHttp } from './http-front.ts'
import { type Reply, failureReply, successReply } from './reply.ts'
import { COMMAND_OCTETS, type CommandName, type HandshakeRequest, commandName } from './request.ts'

export interface ServerHandshakeOptions {
  readonly protocols: { readonly socks4: boolean; readonly socks5: boolean; readonly http: boolean }
  /** SOCKS5 methods in the server's order of preference. */
  readonly methods: readonly Method[]
  /** SOCKS4, which can carry no password, is refused; HTTP needs Basic credentials. */
  readonly passwordRequired: boolean
  readonly commands: readonly CommandName[]
  /** BIND may name 0.0.0.0, that is any peer. */
  readonly anyPeer?: boolean
  /** RSV must be zero. Default false. */
  readonly strict?: boolean
}

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

type State =
  | { readonly phase: 'first-octet' | 'socks4' | 'greeting' | 'socks5' | 'http-head' }
  | { readonly phase: 'exchange' | 'judging'; readonly exchange: Exchange; readonly method: number }
  | { readonly phase: 'judging-http'; readonly request: HandshakeRequest }
  | { readonly phase: 'deciding' | 'listening' | 'established'; readonly request: HandshakeRequest }
  | { readonly phase: 'http' }
  | { readonly phase: 'failed'; readonly failure: Failure }

export type ServerPhase = State['phase']

/** True when the step was taken and another may follow; false when more octets or an answer are needed. */
type Reader = () => boolean

export class ServerHandshake {
  readonly #options: ServerHandshakeOptions
  readonly #commandOctets: readonly number[]
  #state: State = { phase: 'first-octet' }
  #inbox: Uint8Array = NO_OCTETS
  #protection: Protection | undefined
  #events: ServerHandshakeEvent[] = []
  #user: string | undefined
  #reply: number | undefined
  #parameters: { readonly [key: string]: unknown } | undefined

  constructor(options: ServerHandshakeOptions) {
    this.#options = options
    this.#commandOctets = options.commands.map(name => COMMAND_OCTETS[name])
  }

  // One reader for each phase; null where the caller has to answer first, or nothing is read any more.
  readonly #readers: { readonly [P in ServerPhase]: Reader | null } = {
    'first-octet': () => this.#readFirstOctet(),
    socks4: () => this.#readSocks4(),
    greeting: () => this.#readGreeting(),
    exchange: () => this.#readExchange(),
    judging: null,
    socks5: () => this.#readSocks5(),
    'http-head': () => this.#readHttp(),
    'judging-http': null,
    deciding: null,
    listening: null,
    established: null,
    http: null,
    failed: null,
  }

  get phase(): ServerPhase {
    return this.#state.phase
  }

  /** True while the client has to speak: the caller's handshake deadline runs. */
  get deadlineWanted(): boolean {
    return this.#readers[this.#state.phase] !== null
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
    this.#inbox = this.#inbox.length === 0 ? plain.slice() : concat([this.#inbox, plain])
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
    if (this.#state.phase === 'judging-http') return this.#judgeHttp(this.#state.request, verdict)
    if (this.#state.phase !== 'judging') return []
    const { exchange, method } = this.#state
    this.#state = { phase: 'exchange', exchange, method }
    const step = exchange.answer?.(verdict)
    if (step === undefined) throw new Error(`method ${method} asked and cannot take an answer`)
    this.#takeStep(step)
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
      const reader = this.#readers[this.#state.phase]
      if (reader === null || !reader()) break
    }
    return this.#flush()
  }

  #flush(): readonly ServerHandshakeEvent[] {
    const events = this.#events
    this.#events = []
    return events
  }

  #consume(octets: number): void {
    this.#inbox = this.#inbox.subarray(octets)
  }

  #send(octets: Uint8Array | undefined): void {
    if (octets === undefined || octets.length === 0) return
    this.#events.push({ kind: 'send', octets: this.#protection?.protect(octets) ?? octets })
  }

  #sendReply(reply: Reply): void {
    this.#reply = reply.code
    this.#send(reply.octets)
  }

  #finish(cause: Failure): readonly ServerHandshakeEvent[] {
    this.#state = { phase: 'failed', failure: cause }
    this.#inbox = NO_OCTETS
    this.#events.push({ kind: 'failed', failure: cause })
    return this.#flush()
  }

  // As #finish, from inside a reader: the events are flushed by #advance.
  #refuse(cause: Failure, octets?: Uint8Array): true {
    this.#send(octets)
    this.#state = { phase: 'failed', failure: cause }
    this.#inbox = NO_OCTETS
    this.#events.push({ kind: 'failed', failure: cause })
    return true
  }

  #readFirstOctet(): boolean {
    const sniffed = decodeFirstOctet(this.#inbox)
    if (sniffed.kind === 'need-more') return false
    if (sniffed.kind === 'malformed') return this.#refuse(sniffed.failure)
    const { protocol } = sniffed.value
    if (protocol !== 'socks4' && protocol !== 'socks5' && protocol !== 'http') {
      return this.#refuse(failure('unknown_protocol', 'client', `${protocol} is not spoken here`))
    }
    if (!this.#options.protocols[protocol]) {
      return this.#refuse(failure('unknown_protocol', 'client', `${protocol} is switched off on this listener`))
    }
    this.#state = { phase: protocol === 'socks5' ? 'greeting' : protocol === 'http' ? 'http-head' : protocol }
    return true
  }

  #readSocks4(): boolean {
    const { anyPeer } = this.#options
    const decoded = decodeSocks4Request(this.#inbox, { commands: this.#commandOctets, anyPeer: anyPeer === true })
    if (decoded.kind === 'need-more') return false
    if (decoded.kind === 'malformed') {
      this.#reply = failureReply('socks4', decoded.failure.code).code
      return this.#refuse(decoded.failure, refusalOfSocks4Request(decoded.failure))
    }
    this.#consume(decoded.consumed)
    const { command, destination, userid } = decoded.value
    const protocol = destination.address.type === 'domain' ? 'socks4a' : 'socks4'
    // Leaving SOCKS4 open beside a password would be a way around it.
    if (this.#options.passwordRequired) {
      this.#sendReply(failureReply(protocol, 'auth_required'))
      return this.#refuse(
        failure('auth_required', 'policy', 'this listener wants a password, which SOCKS4 cannot carry'),
      )
    }
    return this.#ask({ protocol, command: nameOf(command), destination, userid })
  }

  #readGreeting(): boolean {
    const decoded = decodeSocks5Greeting(this.#inbox)
    if (decoded.kind === 'need-more') return false
    const none = encodeSocks5Selection({ method: METHOD.noneAcceptable })
    if (decoded.kind === 'malformed') {
      return this.#refuse(decoded.failure, decoded.failure.code === 'empty_method_list' ? none : undefined)
    }
    this.#consume(decoded.consumed)
    const { methods } = this.#options
    const number = selectMethod(
      methods.map(method => method.number),
      decoded.value.methods,
    )
    const method = methods.find(one => one.number === number)
    if (method === undefined) {
      const detail = `the client offers methods ${decoded.value.methods.join(', ')}`
      return this.#refuse(failure('no_acceptable_methods', 'client', detail), none)
    }
    this.#send(encodeSocks5Selection({ method: method.number }))
    const exchange = method.begin()
    this.#state = { phase: 'exchange', exchange, method: method.number }
    const first = exchange.begin?.()
    if (first !== undefined) this.#takeStep(first)
    return true
  }

  #readExchange(): boolean {
    if (this.#state.phase !== 'exchange') return false
    return this.#takeStep(this.#state.exchange.read(this.#inbox))
  }

  #takeStep(step: ExchangeStep): boolean {
    if (step.kind === 'need-more' || this.#state.phase !== 'exchange') return false
    if (step.kind === 'failed') {
      return this.#refuse(step.failure, step.send)
    }
    this.#consume(step.consumed)
    this.#send(step.send)
    const { exchange, method } = this.#state
    if (step.kind === 'ask') {
      this.#state = { phase: 'judging', exchange, method }
      this.#events.push({ kind: 'authenticate', claim: step.claim })
    } else if (step.kind === 'done') {
      this.#user = step.user
      this.#parameters = step.parameters
      this.#state = { phase: 'socks5' }
      return this.#startProtection(step.protection)
    }
    return true
  }

  // Octets that came with the last octets of the exchange are protected already.
  #startProtection(protection: Protection | undefined): boolean {
    if (protection === undefined) return true
    this.#protection = protection
    const plain = protection.unprotect(this.#inbox)
    if (!(plain instanceof Uint8Array)) return this.#refuse(plain)
    this.#inbox = plain
    return true
  }

  #readSocks5(): boolean {
    const decoded = decodeSocks5Request(this.#inbox, {
      commands: this.#commandOctets,
      strict: this.#options.strict === true,
    })
    if (decoded.kind === 'need-more') return false
    if (decoded.kind === 'malformed') {
      const octets = refusalOfSocks5Request(decoded.failure)
      this.#reply = octets[1]
      return this.#refuse(decoded.failure, octets)
    }
    this.#consume(decoded.consumed)
    const { command, destination } = decoded.value
    return this.#ask({ protocol: 'socks5', command: nameOf(command), destination })
  }

  #readHttp(): boolean {
    const isConnect = isHttpConnect(this.#inbox)
    if (isConnect === undefined) return false
    if (!isConnect) {
      this.#state = { phase: 'http' }
      this.#events.push({ kind: 'http' })
      return false
    }
    const decoded = decodeHttpConnectRequest(this.#inbox)
    if (decoded.kind === 'need-more') return false
    if (decoded.kind === 'malformed') {
      const reply = refusalOfHttp(decoded.failure)
      this.#reply = reply.code
      return this.#refuse(decoded.failure, reply.octets)
    }
    this.#consume(decoded.consumed)
    const request: HandshakeRequest = { protocol: 'http', command: 'connect', destination: decoded.value.destination }
    if (!this.#options.passwordRequired) return this.#ask(request)
    const credentials = basicCredentials(decoded.value.headers)
    if (credentials === undefined) return this.#refuseHttpUser('the request carries no Proxy-Authorization')
    this.#state = { phase: 'judging-http', request }
    this.#events.push({ kind: 'authenticate', claim: { kind: 'password', ...credentials } })
    return true
  }

  #judgeHttp(request: HandshakeRequest, verdict: Verdict): readonly ServerHandshakeEvent[] {
    if (verdict.kind === 'accepted') {
      this.#user = verdict.user
      this.#ask(request)
    } else {
      this.#refuseHttpUser('wrong user name or password')
    }
    return this.#flush()
  }

  #refuseHttpUser(detail: string): true {
    const reply = failureReply('http', 'auth_required')
    this.#reply = reply.code
    return this.#refuse(failure('auth_rejected', 'client', detail), reply.octets)
  }

  #ask(request: HandshakeRequest): true {
    this.#state = { phase: 'deciding', request }
    this.#events.push({ kind: 'request', request })
    return true
  }
}

function nameOf(command: number): CommandName {
  const name = commandName(command)
  if (name === undefined) throw new Error(`command ${command} passed the decoder without a name`)
  return name
}
