/**
 * Method 01, GSSAPI (RFC 1961), at both ends: tokens to and fro, the protection level, then everything in frames. The
 * mechanism (Kerberos, SPNEGO, ...) is handed in; no cryptography is known here.
 */
import { type Blame, type Failure, failure } from '../failure.ts'
import { NO_OCTETS } from '../octets.ts'
import {
  GSSAPI_LEVEL,
  type GssapiContext,
  type GssapiLevel,
  MTYP,
  TOKEN_OCTETS_MAX,
  type TokenType,
  decodeGssapiFrame,
  decodeProtectionLevel,
  encodeGssapiAbort,
  encodeGssapiFrame,
  encodeProtectionLevel,
} from '../wire/gssapi-frame.ts'
import { METHOD } from '../wire/socks5-selection.ts'
import type { Exchange, ExchangeStep, Method } from './exchange.ts'
import { GssapiProtection } from './gssapi-protection.ts'

/** Tokens from the other end for one context: Kerberos needs one, SPNEGO around NTLM three. */
export const GSSAPI_ROUNDS_MAX = 16
/** The levels of the RFC that both ends can judge, the stronger one first. */
export const GSSAPI_LEVELS_DEFAULT: readonly GssapiLevel[] = [GSSAPI_LEVEL.confidentiality, GSSAPI_LEVEL.integrity]

/** What a mechanism makes of a token. */
export interface GssapiMechanismStep {
  /** For the other end. */
  readonly token?: Uint8Array
  /** The context stands: no token is wanted any more, and `wrap` and `unwrap` may be called. */
  readonly done: boolean
  /** Who the other end is, once `done`. */
  readonly peer?: string
  /** What the context offers, once `done`. Default true, both. */
  readonly integrity?: boolean
  readonly confidentiality?: boolean
}

/** One context of a security mechanism, at the end that it was made for. */
export interface GssapiMechanism extends GssapiContext {
  /** Without a token: the initiator's first step. */
  step(token?: Uint8Array): GssapiMechanismStep | Failure
}

export interface GssapiOptions {
  /** A new context for a connection. */
  readonly mechanism: () => GssapiMechanism
  /**
   * The levels that are acceptable, the preferred one first. A client requests the first. `clear` in it means no
   * protection at all, which is not in the RFC. Default {@link GSSAPI_LEVELS_DEFAULT}.
   */
  readonly levels?: readonly GssapiLevel[]
  /** The level unwrapped, as NEC's implementation has it: nobody authenticates it. The server takes both forms. */
  readonly nec?: boolean
}

/** The server's end. It never asks: the mechanism has proved who the client is. */
export function gssapiServer(options: GssapiOptions): Method {
  return { number: METHOD.gssapi, begin: () => new ServerExchange(options) }
}

/** The client's end. */
export function gssapiClient(options: GssapiOptions): Method {
  return { number: METHOD.gssapi, begin: () => new ClientExchange(options) }
}

class ServerExchange implements Exchange {
  readonly #options: GssapiOptions
  readonly #mechanism: GssapiMechanism
  #established: GssapiMechanismStep | undefined
  #rounds = 0

  constructor(options: GssapiOptions) {
    this.#options = options
    this.#mechanism = options.mechanism()
  }

  read(octets: Uint8Array): ExchangeStep {
    const expect: TokenType = this.#established === undefined ? MTYP.authentication : MTYP.protectionLevel
    const frame = decodeGssapiFrame(octets, { expect })
    if (frame.kind === 'need-more') return frame
    if (frame.kind === 'malformed') return refused(frame.failure)
    const { token } = frame.value
    if (this.#established !== undefined) return this.#grant(token, frame.consumed, this.#established)
    return this.#establish(token, frame.consumed)
  }

  #establish(token: Uint8Array, consumed: number): ExchangeStep {
    const step = stepOf(this.#mechanism, ++this.#rounds, 'client', token)
    if ('code' in step) return refused(step)
    if (step.done) this.#established = step
    // Section 3.4: without a token to send, an empty one says that the context stands.
    return { kind: 'continue', consumed, send: authentication(step.token ?? NO_OCTETS) }
  }

  // Section 4.3: the client wants a level, and the server says which one it will be.
  #grant(token: Uint8Array, consumed: number, established: GssapiMechanismStep): ExchangeStep {
    const { levels = GSSAPI_LEVELS_DEFAULT, nec = false } = this.#options
    const clear = levels.includes(GSSAPI_LEVEL.clear)
    const wanted = decodeProtectionLevel(token, this.#mechanism, { nec, clear })
    if (wanted.kind === 'malformed') return refused(wanted.failure)
    const possible = levels.filter(level => offers(established, level))
    const level = possible.find(one => one === wanted.value.level) ?? possible[0]
    if (level === undefined) {
      return refused(failure('bad_level', 'us', 'the context offers no acceptable level'))
    }
    const send = encodeProtectionLevel({ level, form: wanted.value.form }, this.#mechanism)
    return done(consumed, this.#mechanism, { level, established, sender: 'client' }, send)
  }
}

class ClientExchange implements Exchange {
  readonly #mechanism: GssapiMechanism
  readonly #levels: readonly GssapiLevel[]
  readonly #nec: boolean
  #established: GssapiMechanismStep | undefined
  #wanted: GssapiLevel | undefined
  #rounds = 0

  constructor({ mechanism, levels = GSSAPI_LEVELS_DEFAULT, nec = false }: GssapiOptions) {
    this.#mechanism = mechanism()
    this.#levels = levels
    this.#nec = nec
  }

  begin(): ExchangeStep {
    return this.#step(0)
  }

  read(octets: Uint8Array): ExchangeStep {
    const expect: TokenType = this.#wanted === undefined ? MTYP.authentication : MTYP.protectionLevel
    const frame = decodeGssapiFrame(octets, { sender: 'server', expect })
    if (frame.kind === 'need-more') return frame
    if (frame.kind === 'malformed') return { kind: 'failed', failure: frame.failure }
    const { token } = frame.value
    if (this.#established === undefined) return this.#step(frame.consumed, token)
    if (this.#wanted !== undefined) return this.#take(token, frame.consumed, this.#established)
    // Our last token made the context; what comes now is the empty one of section 3.4.
    if (token.length > 0) return failed('unexpected_message', 'a token for a context that stands')
    return this.#request(frame.consumed, this.#established)
  }

  #step(consumed: number, token?: Uint8Array): ExchangeStep {
    const step = stepOf(this.#mechanism, ++this.#rounds, 'server', token)
    if ('code' in step) return { kind: 'failed', failure: step }
    if (step.done) this.#established = step
    if (step.token !== undefined) return { kind: 'continue', consumed, send: authentication(step.token) }
    if (step.done) return this.#request(consumed, step)
    return failed('unexpected_message', 'a token that the mechanism has no answer to')
  }

  #request(consumed: number, established: GssapiMechanismStep): ExchangeStep {
    this.#wanted = this.#levels.find(level => offers(established, level))
    if (this.#wanted === undefined) {
      return { kind: 'failed', failure: failure('bad_level', 'us', 'the context offers no acceptable level') }
    }
    const send = encodeProtectionLevel({ level: this.#wanted, form: this.#nec ? 'nec' : 'wrapped' }, this.#mechanism)
    return { kind: 'continue', consumed, send }
  }

  #take(token: Uint8Array, consumed: number, established: GssapiMechanismStep): ExchangeStep {
    const clear = this.#levels.includes(GSSAPI_LEVEL.clear)
    const granted = decodeProtectionLevel(token, this.#mechanism, { sender: 'server', nec: this.#nec, clear })
    if (granted.kind === 'malformed') return { kind: 'failed', failure: granted.failure }
    const { level } = granted.value
    if (!this.#levels.includes(level) || !offers(established, level)) {
      return failed('bad_level', `the server grants level ${level}`)
    }
    return done(consumed, this.#mechanism, { level, established, sender: 'server' })
  }
}

interface Granted {
  readonly level: GssapiLevel
  readonly established: GssapiMechanismStep
  readonly sender: 'client' | 'server'
}

function done(consumed: number, context: GssapiContext, granted: Granted, send?: Uint8Array): ExchangeStep {
  const { level, established, sender } = granted
  const confidential =
    level === GSSAPI_LEVEL.confidentiality ||
    (level === GSSAPI_LEVEL.selective && offers(established, GSSAPI_LEVEL.confidentiality))
  const { peer } = established
  return {
    kind: 'done',
    consumed,
    ...(send && { send }),
    ...(peer !== undefined && sender === 'client' && { user: peer }),
    ...(level !== GSSAPI_LEVEL.clear && {
      protection: new GssapiProtection({ context, level, confidential, sender }),
    }),
  }
}

// Sections 3.3 and 3.4: bounded, and never with a token that has no room in a frame.
function stepOf(
  mechanism: GssapiMechanism,
  round: number,
  peer: Blame,
  token?: Uint8Array,
): GssapiMechanismStep | Failure {
  if (round > GSSAPI_ROUNDS_MAX) return failure('unexpected_message', peer, 'too many tokens')
  const step = mechanism.step(token)
  if ('code' in step || (step.token?.length ?? 0) <= TOKEN_OCTETS_MAX) return step
  return failure('too_large', 'us', 'the token of the mechanism does not fit a frame')
}

// Section 4.3: the level needs what the context offers.
function offers({ integrity = true, confidentiality = true }: GssapiMechanismStep, level: GssapiLevel): boolean {
  if (level === GSSAPI_LEVEL.confidentiality) return confidentiality
  return level === GSSAPI_LEVEL.clear || integrity
}

function authentication(token: Uint8Array): Uint8Array {
  return encodeGssapiFrame({ mtyp: MTYP.authentication, token })
}

function refused(cause: Failure): ExchangeStep {
  return { kind: 'failed', send: encodeGssapiAbort(), failure: cause }
}

function failed(code: 'unexpected_message' | 'bad_level', detail: string): ExchangeStep {
  return { kind: 'failed', failure: failure(code, 'server', detail) }
}
