/** Limits as values: what is counted together, and how much of it there may be. Counts nothing itself. */
import type { Condition } from './policy.ts'
import type { SourcePlace } from './problem.ts'

/**
 * What is counted together: one session, all of a user, of a client's address (a /64 of IPv6), of a listener, of what one
 * rule allowed, or everything.
 */
export type LimitScope = (typeof LIMIT_SCOPES)[number]

export const LIMIT_SCOPES = ['session', 'user', 'client', 'listener', 'rule', 'all'] as const

export interface Limit {
  readonly name: string
  readonly place: SourcePlace
  /** What it applies to by itself; absent: to what the rules allow that name it. */
  readonly of?: LimitCondition
  /** At least one; several are a combination, such as each user at each listener. */
  readonly per: readonly LimitScope[]
  readonly amounts: LimitAmounts
  /** As a sentence: `10Mbit/s down, 20 sessions at once; per user`. */
  readonly text: string
}

export interface LimitCondition {
  readonly condition?: Condition
  /** Only what rules with these names allow. */
  readonly rules?: ReadonlySet<string>
}

/** What there may be. Whatever is absent is without limit. */
export interface LimitAmounts {
  readonly bandwidth?: { readonly up?: Bandwidth; readonly down?: Bandwidth }
  /** Sessions at once. */
  readonly sessions?: number
  /** Sessions that may begin. */
  readonly newSessions?: Rate
  readonly octets?: Quota
  readonly sessionLengthMs?: number
  /** UDP datagrams, in each direction. */
  readonly datagrams?: Rate
  /** Without an octet in either direction. */
  readonly idleMs?: number
}

export interface Bandwidth {
  readonly octetsPerSecond: number
  /** What may come at once after a pause. */
  readonly burstOctets: number
}

/** So many in so long; as many may come at once after a pause. */
export interface Rate {
  readonly count: number
  readonly perMs: number
}

/** Octets in a day, week or month. Up is from the client. */
export interface Quota {
  readonly up?: number
  readonly down?: number
  readonly total?: number
  readonly period: Period
}

/** When counting begins anew, by the clock of the zone. */
export type Period = { readonly zone: string; /** Of the day. */ readonly minute: number } & (
  | { readonly every: 'day' }
  /** Sunday is 0. */
  | { readonly every: 'week'; readonly weekday: number }
  /** In a shorter month: on its last day. */
  | { readonly every: 'month'; readonly day: number }
)
