/**
 * What the octets of a client mean in each phase of the server's handshake, as functions without state: more is
 * needed, a step forward, or a refusal with the answer that it deserves.
 */
import type { NeedMore } from '../decoded.ts'
import { type Failure, failure } from '../failure.ts'
import type { Claim, Method } from '../method/exchange.ts'
import { decodeFirstOctet } from '../wire/first-octet.ts'
import { basicCredentials, decodeHttpConnectRequest } from '../wire/http-connect.ts'
import { decodeSocks4Request, refusalOfSocks4Request } from '../wire/socks4-request.ts'
import { decodeSocks5Greeting } from '../wire/socks5-greeting.ts'
import { decodeSocks5Request, refusalOfSocks5Request } from '../wire/socks5-request.ts'
import { METHOD, encodeSocks5Selection, selectMethod } from '../wire/socks5-selection.ts'
import { isHttpConnect, refusalOfHttp } from './http-front.ts'
import { type Reply, failureReply } from './reply.ts'
import { COMMAND_OCTETS, type CommandName, type HandshakeRequest, commandName } from './request.ts'

export interface ServerHandshakeOptions {
  readonly protocols: { readonly socks4: boolean; readonly socks5: boolean; readonly http: boolean }
  /** SOCKS5 methods in the server's order of preference. */
  readonly methods: readonly Method[]
  /** SOCKS4, which can carry no password, is refused; HTTP needs Basic credentials. */
  readonly passwordRequired: boolean
  /** Basic credentials of HTTP are judged when there are some, even where none are required. Default false. */
  readonly passwordAccepted?: boolean
  readonly commands: readonly CommandName[]
  /** BIND may name 0.0.0.0, that is any peer. */
  readonly anyPeer?: boolean
  /** RSV must be zero. Default false. */
  readonly strict?: boolean
  /** The caller speaks UDP over TCP: a CONNECT to its magic names may have port 0. Default false. */
  readonly udpOverTcp?: boolean
}

export type Reading =
  | NeedMore
  | {
      readonly kind: 'protocol'
      readonly protocol: 'socks4' | 'socks5' | 'http'
      readonly phase: 'socks4' | 'greeting' | 'http-head'
    }
  | { readonly kind: 'method'; readonly consumed: number; readonly method: Method }
  | { readonly kind: 'request'; readonly consumed: number; readonly request: HandshakeRequest; readonly claim?: Claim }
  /** HTTP, but not CONNECT: somebody else's business. */
  | { readonly kind: 'plain-http' }
  /** `octets` are sent before the connection is closed; `code` is their CD, REP or status. */
  | {
      readonly kind: 'refusal'
      readonly failure: Failure
      readonly octets?: Uint8Array | undefined
      readonly code?: number | undefined
    }

/** UDP ASSOCIATE and RESOLVE_PTR do not exist in SOCKS4. */
const SOCKS4_COMMANDS: ReadonlySet<CommandName> = new Set(['connect', 'bind', 'resolve'])

const FIRST_PHASE = { socks4: 'socks4', socks5: 'greeting', http: 'http-head' } as const

export function readFirstOctet(inbox: Uint8Array, options: ServerHandshakeOptions): Reading {
  const sniffed = decodeFirstOctet(inbox)
  if (sniffed.kind === 'need-more') return sniffed
  if (sniffed.kind === 'malformed') return refusal(sniffed.failure)
  const { protocol } = sniffed.value
  if (protocol !== 'socks4' && protocol !== 'socks5' && protocol !== 'http') {
    return refusal(failure('unknown_protocol', 'client', `${protocol} is not spoken here`))
  }
  if (!options.protocols[protocol]) {
    return refusal(failure('unknown_protocol', 'client', `${protocol} is switched off on this listener`))
  }
  return { kind: 'protocol', protocol, phase: FIRST_PHASE[protocol] }
}

export function readSocks4(inbox: Uint8Array, options: ServerHandshakeOptions): Reading {
  const commands = octetsOf(options.commands.filter(command => SOCKS4_COMMANDS.has(command)))
  const decoded = decodeSocks4Request(inbox, { commands, anyPeer: options.anyPeer === true })
  if (decoded.kind === 'need-more') return decoded
  if (decoded.kind === 'malformed') {
    const octets = refusalOfSocks4Request(decoded.failure)
    return { kind: 'refusal', failure: decoded.failure, octets, code: octets?.[1] }
  }
  const { command, destination, userid } = decoded.value
  const protocol = destination.address.type === 'domain' ? 'socks4a' : 'socks4'
  // Leaving SOCKS4 open beside a password would be a way around it.
  if (options.passwordRequired) {
    const cause = failure('auth_required', 'policy', 'this listener wants a password, which SOCKS4 cannot carry')
    return refusal(cause, failureReply(protocol, cause.code))
  }
  const request = { protocol, command: nameOf(command), destination, userid } as const
  return { kind: 'request', consumed: decoded.consumed, request }
}

/** The greeting and the choice of a method (RFC 1928 section 3). */
export function readGreeting(inbox: Uint8Array, options: ServerHandshakeOptions): Reading {
  const decoded = decodeSocks5Greeting(inbox)
  if (decoded.kind === 'need-more') return decoded
  if (decoded.kind === 'malformed') {
    const { failure: cause } = decoded
    return {
      kind: 'refusal',
      failure: cause,
      octets: cause.code === 'empty_method_list' ? noneAcceptable() : undefined,
    }
  }
  const offered = decoded.value.methods
  const numbers = options.methods.map(method => method.number)
  const number = selectMethod(numbers, offered)
  const method = options.methods.find(one => one.number === number)
  if (method === undefined) {
    const cause = failure('no_acceptable_methods', 'client', `the client offers only methods ${offered.join(', ')}`)
    return { kind: 'refusal', failure: cause, octets: noneAcceptable() }
  }
  return { kind: 'method', consumed: decoded.consumed, method }
}

function noneAcceptable(): Uint8Array {
  return encodeSocks5Selection({ method: METHOD.noneAcceptable })
}

export function readSocks5(inbox: Uint8Array, options: ServerHandshakeOptions): Reading {
  const commands = octetsOf(options.commands)
  const decoded = decodeSocks5Request(inbox, {
    commands,
    strict: options.strict === true,
    udpOverTcp: options.udpOverTcp === true,
  })
  if (decoded.kind === 'need-more') return decoded
  if (decoded.kind === 'malformed') {
    const octets = refusalOfSocks5Request(decoded.failure)
    return { kind: 'refusal', failure: decoded.failure, octets, code: octets[1] }
  }
  const { command, destination } = decoded.value
  const request = { protocol: 'socks5', command: nameOf(command), destination } as const
  return { kind: 'request', consumed: decoded.consumed, request }
}

export function readHttp(inbox: Uint8Array, options: ServerHandshakeOptions): Reading {
  const isConnect = isHttpConnect(inbox)
  if (isConnect === undefined) return { kind: 'need-more' }
  if (!isConnect) return { kind: 'plain-http' }
  const decoded = decodeHttpConnectRequest(inbox)
  if (decoded.kind === 'need-more') return decoded
  if (decoded.kind === 'malformed') return refusal(decoded.failure, refusalOfHttp(decoded.failure))
  if (!options.commands.includes('connect')) {
    const cause = failure('command_not_supported', 'client', 'CONNECT is switched off')
    return refusal(cause, failureReply('http', cause.code))
  }
  const request = { protocol: 'http', command: 'connect', destination: decoded.value.destination } as const
  const isAsked = options.passwordRequired || options.passwordAccepted === true
  const credentials = isAsked ? basicCredentials(decoded.value.headers) : undefined
  if (!options.passwordRequired && credentials === undefined) {
    return { kind: 'request', consumed: decoded.consumed, request }
  }
  if (credentials === undefined) return refusal(...missingHttpUser('the request carries no Proxy-Authorization'))
  return { kind: 'request', consumed: decoded.consumed, request, claim: { kind: 'password', ...credentials } }
}

/** The 407 that an HTTP client gets without a valid user. */
export function missingHttpUser(detail: string): [Failure, Reply] {
  return [failure('auth_rejected', 'client', detail), failureReply('http', 'auth_required')]
}

function refusal(cause: Failure, reply?: Reply): Reading {
  return { kind: 'refusal', failure: cause, octets: reply?.octets, code: reply?.code }
}

function octetsOf(commands: readonly CommandName[]): readonly number[] {
  return commands.map(name => COMMAND_OCTETS[name])
}

function nameOf(command: number): CommandName {
  const name = commandName(command)
  if (name === undefined) throw new Error(`command ${command} passed the decoder without a name`)
  return name
}
