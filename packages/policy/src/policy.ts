/** A policy as a value: rules in order, with everything they name put in. Knows no file format and how nothing is decided. */
import type { Destination, IpAddress, RequestFailureCode } from '@socksmith/protocol'
import type { AuthenticationMethod, Command, Facts, Protocol } from './facts.ts'
import type { HostPattern } from './host-pattern.ts'
import type { Limit } from './limit.ts'
import type { Network } from './network.ts'
import type { SourcePlace } from './problem.ts'
import type { Schedule } from './schedule.ts'

export interface Policy {
  /** `report`: what the rules would refuse is written down and served. */
  readonly mode: Mode
  readonly rules: readonly Rule[]
  /** Every set and group, with how many entries it has and whether a rule uses it. */
  readonly sets: readonly NamedSet[]
  readonly limits: readonly Limit[]
  readonly cases: readonly Case[]
  /** What people call {@link DEFAULT_WAY}. Default: `direct`. */
  readonly defaultWay?: string
}

/** The way out of rules that name none: straight, or by what the server is told to go by. */
export const DEFAULT_WAY = 'default'
/** Straight, whatever the default is. */
export const DIRECT_WAY = 'direct'
/** Nowhere. */
export const BLOCK_WAY = 'block'
/** Ways out that are there without being defined. */
export const BUILT_IN_WAYS: readonly string[] = [DIRECT_WAY, DEFAULT_WAY, BLOCK_WAY]

/** What people call this way out. */
export function wayText(via: string, { defaultWay = DIRECT_WAY }: Pick<Policy, 'defaultWay'>): string {
  return via === DEFAULT_WAY ? defaultWay : via
}

export type Mode = 'enforce' | 'report'
export type LogDetail = 'full' | 'no-targets' | 'none'

interface RuleBase {
  /** From 1, in the order in which rules are asked. */
  readonly number: number
  readonly name?: string
  readonly place: SourcePlace
  readonly condition: Condition
  /** The condition as a sentence. */
  readonly text: string
  readonly mode: Mode
  readonly note?: string
}

export interface AllowRule extends RuleBase {
  readonly verdict: 'allow'
  /** The name of the way out; {@link DEFAULT_WAY} when the rule says none. */
  readonly via: string
  readonly limits: readonly string[]
  readonly log?: LogDetail
  readonly redirect?: Redirect
}

export interface DenyRule extends RuleBase {
  readonly verdict: 'deny'
  readonly reply: RequestFailureCode
}

export type Rule = AllowRule | DenyRule

/** Another target; without a port, the port stays. */
export interface Redirect {
  readonly address: Destination['address']
  readonly port?: number
}

/** What must be true for a rule. */
export type Condition =
  | { readonly kind: 'everything' }
  | { readonly kind: 'all'; readonly of: readonly Condition[] }
  /** `text`: how it was written, where one key became several tests. */
  | { readonly kind: 'any'; readonly of: readonly Condition[]; readonly text?: string }
  | { readonly kind: 'not'; readonly of: Condition }
  | Test

/** One thing that is looked at. `text` is how it was written: `group staff`. */
export type Test = WordTest | NetworkTest | HostTest | PortTest | WhenTest

export type WordFact = 'listener' | 'user' | 'method' | 'protocol' | 'command' | 'country' | 'asn'

export interface WordTest {
  readonly kind: WordFact
  readonly words: ReadonlySet<string>
  readonly text: string
}

export interface NetworkTest {
  readonly kind: 'client' | 'address'
  readonly networks: readonly Network[]
  /** For clients: those on a Unix socket too. */
  readonly unix: boolean
  /** For targets: every network lies inside, so that an allow opens it to clients from elsewhere. */
  readonly inside: boolean
  readonly text: string
}

export interface HostTest {
  readonly kind: 'host'
  readonly names: readonly HostPattern[]
  readonly text: string
}

export interface PortTest {
  readonly kind: 'port'
  /** First and last port of each range. */
  readonly ranges: readonly (readonly [first: number, last: number])[]
  readonly text: string
}

export interface WhenTest {
  readonly kind: 'when'
  readonly schedules: readonly Schedule[]
  readonly text: string
}

export interface NamedSet {
  readonly kind: 'set' | 'group'
  readonly name: string
  readonly place: SourcePlace
  readonly size: number
  readonly isUsed: boolean
}

/** A request, and what must become of it. */
export interface Case {
  readonly place: SourcePlace
  readonly expect: 'allow' | 'deny'
  readonly via?: string
  /** The name or the number of the rule that must decide. */
  readonly rule?: string
  readonly reply?: RequestFailureCode
  readonly asked: CaseRequest
}

/** The request of a case; what is not said is as most requests are. */
export interface CaseRequest {
  readonly client: Facts['client']
  readonly listener: string
  readonly protocol: Protocol
  readonly method: AuthenticationMethod
  readonly user: string | null
  readonly command: Command
  readonly to?: Destination
  /** The addresses of a name. */
  readonly resolves: readonly IpAddress[]
  readonly country?: string
  readonly asn?: string
  /** Milliseconds since 1970; the time of asking when absent. */
  readonly atMs?: number
}
