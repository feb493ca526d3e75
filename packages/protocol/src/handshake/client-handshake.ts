/**
 * The client's side of a SOCKS4, 4a, 5 or HTTP CONNECT handshake. Octets go in, events come out; nothing behind a
 * reply is ever taken for a part of it. Knows no socket, no clock and no name resolution.
 */
import { type Destination, ANY_IPV4, parseIp } from '../address.ts'
import { type Failure, type MalformedCode, failure } from '../failure.ts'
import type { Exchange, ExchangeStep, Method, Protection } from '../method/exchange.ts'
import { NO_OCTETS, concat } from '../octets.ts'
import { decodeHttpConnectResponse, encodeHttpConnectRequest } from '../wire/http-connect.ts'
import { decodeSocks4Reply, socks4Fault } from '../wire/socks4-reply.ts'
import { SOCKS4_USERID_OCTETS_MAX, encodeSocks4Request } from '../wire/socks4-request.ts'
import { nameOctets } from '../wire/socks5-address.ts'
import { encodeSocks5Greeting } from '../wire/socks5-greeting.ts'
import { decodeSocks5Answer } from '../wire/socks5-reply.ts'
import { encodeSocks5Request } from '../wire/socks5-request.ts'
import { decodeSocks5Selection, selectionFault } from '../wire/socks5-selection.ts'
import { COMMAND_OCTETS, type CommandName } from './request.ts'

/** What the length octet of a name can say. */
const NAME_FIELD_OCTETS_MAX = 255

export type ClientHandshakeOptions =
  | {
      readonly protocol: 'socks5'
      /** Offered in this order, and only these: a server that chooses another one is refused. */
      readonly methods: readonly Method[]
      readonly command: CommandName
      readonly destination: Destination
    }
  | {
      readonly protocol: 'socks4'
      readonly command: CommandName
      /** A name makes it SOCKS4a. IPv6 cannot be written but as a name. */
      readonly destination: Destination
      readonly userid: Uint8Array
    }
  | {
      readonly protocol: 'http'
      readonly command: 'connect'
      readonly destination: Destination
      /** For `Proxy-Authorization: Basic`. */
      readonly credentials?: { readonly username: Uint8Array; readonly password: Uint8Array }
    }

export type ClientHandshakeEvent =
  | { readonly kind: 'send'; readonly octets: Uint8Array }
  /** The method asks the person (CRAM): show the text, in the server's words, then call `respond`. */
  | { readonly kind: 'prompt'; readonly text: Uint8Array }
  /** First reply to BIND: where the server listens for the peer. */
  | { readonly kind: 'listening'; readonly bound: Destination }
  /** The request is granted; for BIND `bound` is the peer. `takeRemainder()` is what the other end sent already. */
  | { readonly kind: 'established'; readonly bound: Destination }
  | { readonly kind: 'failed'; readonly failure: Failure }

type State =
  | { readonly phase: 'idle' | 'selection' | 'reply' | 'second-reply' | 'established' }
  | { readonly phase: 'exchange' | 'prompting'; readonly exchange: Exchange }
  | { readonly phase: 'failed'; readonly failedIn: ClientPhase }

export type ClientPhase =
  | 'idle'
  | 'selection'
  | 'exchange'
  | 'prompting'
  | 'reply'
  | 'second-reply'
  | 'established'
  | 'failed'

type Reader = () => boolean

export class ClientHandshake {
  readonly #options: ClientHandshakeOptions
  #state: State = { phase: 'idle' }
  #inbox: Uint8Array = NO_OCTETS
  #protection: Protection | undefined
  #events: ClientHandshakeEvent[] = []

  constructor(options: ClientHandshakeOptions) {
    this.#options = options
  }

  readonly #readers: { readonly [P in ClientPhase]: Reader | null } = {
    idle: null,
    selection: () => this.#readSelection(),
    exchange: () => this.#readExchange(),
    prompting: null,
    reply: () => this.#readReply(),
    'second-reply': () => this.#readReply(),
    established: null,
    failed: null,
  }

  get phase(): ClientPhase {
    return this.#state.phase
  }

  /** The phase in which it failed, once it has. */
  get failedIn(): ClientPhase | undefined {
    return this.#state.phase === 'failed' ? this.#state.failedIn : undefined
  }

  /** True while the server has to speak. */
  get deadlineWanted(): boolean {
    return this.#readers[this.#state.phase] !== null
  }

  /** The transforms that every later octet passes, when the method has them. */
  get protection(): Protection | undefined {
    return this.#protection
  }

  /** The first octets to send, or why this request cannot be written at all: nothing is sent then. */
  start(): readonly ClientHandshakeEvent[] {
    if (this.#state.phase !== 'idle') return []
    const fault = requestFault(this.#options)
    if (fault !== undefined) {
      this.#fail(failure(fault.code, 'us', fault.detail))
      return this.#flush()
    }
    const options = this.#options
    if (options.protocol === 'socks5') {
      this.#send(encodeSocks5Greeting({ methods: options.methods.map(method => method.number) }))
      this.#state = { phase: 'selection' }
    } else {
      this.#send(options.protocol === 'socks4' ? socks4Octets(options) : encodeHttpConnectRequest(options))
      this.#state = { phase: 'reply' }
    }
    return this.#flush()
  }

  receive(octets: Uint8Array): readonly ClientHandshakeEvent[] {
    if (this.#state.phase === 'failed') return []
    const plain = this.#protection === undefined ? octets : this.#protection.unprotect(octets)
    if (!(plain instanceof Uint8Array)) {
      this.#fail(plain)
      return this.#flush()
    }
    // Not `slice`, which copies nothing where the caller's octets are a Buffer of Node.
    this.#inbox = this.#inbox.length === 0 ? new Uint8Array(plain) : concat([this.#inbox, plain])
    return this.#advance()
  }

  /** The person's response to the last `prompt`. */
  respond(response: Uint8Array): readonly ClientHandshakeEvent[] {
    if (this.#state.phase !== 'prompting') return []
    const { exchange } = this.#state
    this.#state = { phase: 'exchange', exchange }
    const step = exchange.respond?.(response)
    if (step === undefined) throw new Error('the method prompted and cannot take a response')
    this.#takeStep(step)
    return this.#advance()
  }

  /** The server sent FIN. */
  endOfStream(): readonly ClientHandshakeEvent[] {
    if (this.deadlineWanted || this.#state.phase === 'prompting') {
      this.#fail(failure('truncated', 'server', `the server hung up in phase ${this.#state.phase}`))
    }
    return this.#flush()
  }

  /** The octets behind the last reply: the beginning of the stream. They are given out once. */
  takeRemainder(): Uint8Array {
    const remainder = this.#inbox
    this.#inbox = NO_OCTETS
    return remainder
  }

  #advance(): readonly ClientHandshakeEvent[] {
    for (;;) {
      const reader = this.#readers[this.#state.phase]
      if (reader === null || !reader()) return this.#flush()
    }
  }

  #flush(): readonly ClientHandshakeEvent[] {
    const events = this.#events
    this.#events = []
    return events
  }

  #send(octets: Uint8Array | undefined): void {
    if (octets === undefined || octets.length === 0) return
    this.#events.push({ kind: 'send', octets: this.#protection?.protect(octets) ?? octets })
  }

  #fail(cause: Failure): false {
    this.#state = { phase: 'failed', failedIn: this.#state.phase }
    this.#inbox = NO_OCTETS
    this.#events.push({ kind: 'failed', failure: cause })
    return false
  }

  #consume(octets: number): void {
    this.#inbox = this.#inbox.subarray(octets)
  }

  #readSelection(): boolean {
    if (this.#options.protocol !== 'socks5') return false
    const { methods } = this.#options
    const decoded = decodeSocks5Selection(this.#inbox)
    if (decoded.kind === 'need-more') return false
    if (decoded.kind === 'malformed') return this.#fail(decoded.failure)
    const fault = selectionFault(
      decoded.value,
      methods.map(method => method.number),
    )
    if (fault !== undefined) return this.#fail(fault)
    this.#consume(decoded.consumed)
    const method = methods.find(one => one.number === decoded.value.method) as Method
    const exchange = method.begin()
    this.#state = { phase: 'exchange', exchange }
    const first = exchange.begin?.()
    return first === undefined || this.#takeStep(first)
  }

  #readExchange(): boolean {
    if (this.#state.phase !== 'exchange') return false
    return this.#takeStep(this.#state.exchange.read(this.#inbox))
  }

  #takeStep(step: ExchangeStep): boolean {
    if (step.kind === 'need-more') return false
    this.#send(step.send)
    if (step.kind === 'failed') return this.#fail(step.failure)
    if (step.kind === 'ask') throw new Error('a client method must not ask for a verdict')
    this.#consume(step.consumed)
    if (step.kind === 'prompt' && this.#state.phase === 'exchange') {
      this.#state = { ...this.#state, phase: 'prompting' }
      this.#events.push({ kind: 'prompt', text: step.text })
    }
    if (step.kind === 'done') return this.#sendRequest(step.protection)
    return true
  }

  #sendRequest(protection: Protection | undefined): boolean {
    if (this.#options.protocol !== 'socks5') return false
    const { command, destination } = this.#options
    if (protection !== undefined) {
      this.#protection = protection
      const plain = protection.unprotect(this.#inbox)
      if (!(plain instanceof Uint8Array)) return this.#fail(plain)
      this.#inbox = plain
    }
    this.#send(
      encodeSocks5Request({ command: COMMAND_OCTETS[command], reserved: 0, destination: asAddress(destination) }),
    )
    this.#state = { phase: 'reply' }
    return true
  }

  #readReply(): boolean {
    const { protocol } = this.#options
    const answer =
      protocol === 'socks5'
        ? decodeSocks5Answer(this.#inbox)
        : protocol === 'socks4'
          ? decodeSocks4Reply(this.#inbox)
          : decodeHttpConnectResponse(this.#inbox)
    if (answer.kind === 'need-more') return false
    if (answer.kind === 'malformed') return this.#fail(answer.failure)
    const fault = 'code' in answer.value ? socks4Fault(answer.value) : undefined
    if (fault !== undefined) return this.#fail(fault)
    this.#consume(answer.consumed)
    const bound: Destination = 'bound' in answer.value ? answer.value.bound : { address: ANY_IPV4, port: 0 }
    // BIND has two replies (RFC 1928 section 6): where the server listens, and who connected.
    if (this.#options.command === 'bind' && this.#state.phase === 'reply') {
      this.#state = { phase: 'second-reply' }
      this.#events.push({ kind: 'listening', bound })
      return true
    }
    this.#state = { phase: 'established' }
    this.#events.push({ kind: 'established', bound })
    return false
  }
}

interface RequestFault {
  readonly code: MalformedCode
  readonly detail: string
}

// Judged before anything is sent, and never answered by resolving the name here instead (CVE-2023-38545).
function requestFault(options: ClientHandshakeOptions): RequestFault | undefined {
  const { address } = options.destination
  if (address.type === 'domain') {
    const { length } = nameOctets(address.name)
    if (length === 0) return { code: 'empty_name', detail: 'the host name is empty' }
    if (length > NAME_FIELD_OCTETS_MAX) {
      return {
        code: 'name_too_long',
        detail: `the host name has ${length} octets; SOCKS carries ${NAME_FIELD_OCTETS_MAX}`,
      }
    }
    if (options.protocol === 'socks4' && address.name.includes('\0')) {
      return { code: 'name_has_nul', detail: 'the host name holds NUL, which ends it in SOCKS4a' }
    }
    if (options.protocol === 'http' && /[\0- \x7f]/.test(address.name)) {
      return { code: 'name_bad_char', detail: 'the host name holds a space or a control, which could begin a field' }
    }
  }
  if (options.protocol === 'socks5') {
    return options.methods.length > 0 ? undefined : { code: 'empty_method_list', detail: 'no method to offer' }
  }
  if (options.protocol === 'http') return undefined
  if (options.userid.length > SOCKS4_USERID_OCTETS_MAX || options.userid.includes(0)) {
    return { code: 'userid_too_long', detail: `USERID has at most ${SOCKS4_USERID_OCTETS_MAX} octets and no NUL` }
  }
  if (address.type === 'ipv6') return { code: 'bad_address', detail: 'SOCKS4 carries no IPv6 address' }
  return undefined
}

function socks4Octets(options: ClientHandshakeOptions & { protocol: 'socks4' }): Uint8Array {
  const { address } = options.destination
  // The 4a mark: an address 0.0.0.x with x not 0, and the name behind the user id.
  const ip = address.type === 'domain' ? Uint8Array.of(0, 0, 0, 1) : address.octets
  const { command, userid, destination } = options
  return encodeSocks4Request({ command: COMMAND_OCTETS[command], userid, ip, destination })
}

// A literal in a name field works with some servers only: send it as the address that it is (digest section 14).
function asAddress(destination: Destination): Destination {
  if (destination.address.type !== 'domain') return destination
  const literal = parseIp(destination.address.name)
  return literal === undefined ? destination : { address: literal, port: destination.port }
}
