/** How long each phase of a connection may take, and all of them together. Every limit is in milliseconds. */
import type { Phase } from '../socks-error.ts'

/** A limit for each phase; a phase begins anew at each proxy. */
export interface PhaseTimeouts {
  /** Turning a name into addresses here. */
  readonly resolve?: number
  /** TCP to the first proxy, or to the target of a direct route; all its addresses together. */
  readonly connect?: number
  /** TLS to a proxy. */
  readonly tls?: number
  /** From the greeting to the choice of the method. */
  readonly greeting?: number
  readonly authentication?: number
  /** From the request to the reply: the proxy dials meanwhile. */
  readonly request?: number
  /** Between the two replies to BIND; without it nobody stops waiting. */
  readonly accept?: number
  /** TLS to the target. */
  readonly targetTls?: number
}

/** For everything together, unless said otherwise: somebody waits for it. */
export const TIMEOUT_MS = 60_000

/** A name server, a TCP handshake and a proxy's own answers need seconds at most. */
const SHORT_MS = 10_000
/** The proxy may have to resolve and to try several addresses; Linux gives up one after 130 s, people much earlier. */
const REQUEST_MS = 40_000
/** A person may have to answer (CRAM). */
const AUTHENTICATION_MS = 30_000

/** For what several wait, each with limits of his own. */
export const UNLIMITED: PhaseTimeouts = {
  resolve: Infinity,
  connect: Infinity,
  tls: Infinity,
  greeting: Infinity,
  authentication: Infinity,
  request: Infinity,
}

/** The limit of this phase. */
export function limitOf(phase: Phase, limits: PhaseTimeouts): number {
  switch (phase) {
    case 'resolve':
      return limits.resolve ?? SHORT_MS
    case 'connect':
      return limits.connect ?? SHORT_MS
    case 'tls':
      return limits.tls ?? SHORT_MS
    case 'greeting':
      return limits.greeting ?? SHORT_MS
    case 'authentication':
      return limits.authentication ?? AUTHENTICATION_MS
    case 'request':
      return limits.request ?? REQUEST_MS
    case 'target-tls':
      return limits.targetTls ?? SHORT_MS
    case 'accept':
      return limits.accept ?? Infinity
    case 'route':
    case 'relay':
      return Infinity
  }
}
