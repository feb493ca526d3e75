/**
 * What a case of the suite is, and how it may end. Data and types; opens no socket and knows no one case.
 */
import { parseIp } from '@socksmith/protocol'
import type { Ability, Need } from './ability.ts'
import type { Probe } from './probe.ts'
import type { Transcript } from './transcript.ts'

/**
 * How binding a case is. `must`: the standard's own words or layout. `should`: the standard recommends it, or a client
 * that follows the standard breaks without it. `custom`: what good servers do where the standard is silent.
 * `safety`: whoever fails it lets somebody in, or can be stopped by anybody.
 */
export type Level = 'must' | 'should' | 'custom' | 'safety'

export const LEVELS: readonly Level[] = ['must', 'should', 'custom', 'safety']

/** The groups of the table, in its order; the words are also what `--only` takes. */
export const AREAS = {
  greeting: 'Greeting',
  methods: 'Choice of a method',
  login: 'User name and password',
  request: 'Request and reply',
  replies: 'Reply codes by cause',
  bound: 'BND.ADDR and BND.PORT',
  names: 'Address types and names',
  ipv6: 'IPv6',
  pieces: 'Split, glued and early octets',
  tunnel: 'Tunnel and half-close',
  bind: 'BIND',
  udp: 'UDP ASSOCIATE',
  socks4: 'SOCKS4 and SOCKS4a',
  limits: 'Silence, limits and bad clients',
  walkaround: 'Ways around the password',
  inside: 'Addresses inside',
} as const

export type Area = keyof typeof AREAS

export interface Case {
  /** Stable, for example `S5-REQ-03`. Never used again for another case. */
  readonly id: string
  /** What must hold, as a sentence without its full stop. */
  readonly title: string
  readonly area: Area
  /** Where it is written: `RFC 1928 section 4`, `SOCKS4 note`, or `practice`. */
  readonly clause: string
  readonly level: Level
  /** One sentence: what goes wrong for whom when it does not hold. */
  readonly why: string
  /** What the server must be able to do before this can be asked. */
  readonly needs: readonly Need[]
  /** It has to wait for a long time limit of the server; only run when asked for. */
  readonly isSlow?: true
  /** Talks to the server. Returns when the case holds, throws a `Finding` when not, or answers why it could not be asked. */
  readonly run: (probe: Probe) => Promise<Skip | void>
}

export interface Skip {
  readonly skip: string
}

/** For cases that somebody else has to come in. */
export const NO_STRANGER: Skip = { skip: 'there is no second address from which a stranger could come' }

/** For cases about the look-up of a name: an address written as one needs no resolver. */
export function unnamed({ targets }: Probe): Skip | undefined {
  return parseIp(targets.name) === undefined ? undefined : { skip: `the targets have no name but ${targets.name}` }
}

export type Outcome =
  | { readonly kind: 'pass' }
  | { readonly kind: 'fail'; readonly expected: string; readonly got: string }
  | { readonly kind: 'skip'; readonly reason: string }

/** One case after it was run. */
export interface CaseResult {
  readonly case: Omit<Case, 'run'>
  readonly outcome: Outcome
  readonly durationMs: number
  readonly transcript: Transcript
}

/** Everything that a run found out. */
export interface Report {
  /** The server as it was named, without user and password. */
  readonly proxy: string
  readonly startedAt: string
  readonly durationMs: number
  readonly abilities: Readonly<Record<Need, Ability>>
  readonly results: readonly CaseResult[]
}
