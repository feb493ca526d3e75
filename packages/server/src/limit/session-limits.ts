/** The limits of one session, from its first grant to its end. Without limits it costs nothing. Knows no protocol. */
import type { RelayMeters } from '@socksmith/engine'
import { type Failure, failure } from '@socksmith/protocol'
import { type Gate, ruleOf } from '../decide.ts'
import type { Granted } from '../session-rules.ts'
import type { Counting, LimitRefusal } from './counting.ts'
import { type Held, Lease, type OnOver, type Share } from './lease.ts'

export class SessionLimits {
  readonly #gate: Gate
  readonly #counting: Counting
  readonly #onOver: OnOver
  #lease: Lease | undefined
  #share: Share | undefined
  /** Whose limits it is under. */
  #granted: Granted | undefined
  #refusedBy: string | undefined

  /** `onOver` is told when a limit ends the session. */
  constructor(gate: Gate, counting: Counting, onOver: OnOver) {
    this.#gate = gate
    this.#counting = counting
    this.#onOver = onOver
  }

  /** There are limits, on whatever. */
  get mayApply(): boolean {
    return this.#gate.hasLimits
  }

  /** The name of the limit that refused, or ended, the session. */
  get limit(): string | undefined {
    return this.#refusedBy
  }

  /**
   * The session is under the limits of this grant from now on, and no longer under others. A refusal changes nothing, and so
   * does the grant that it is under already.
   */
  hold(granted: Granted): Failure | undefined {
    return granted === this.#granted ? undefined : this.#hold(granted, false)
  }

  /** The session is under the limits of this grant too: one of several that it has at once. */
  join(granted: Granted): readonly Held[] | Failure {
    const limits = this.#gate.limitsOn(granted)
    if (limits.length === 0) return []
    this.#lease ??= this.#open()
    const held = this.#lease.add({ limits, facts: granted.facts, rule: ruleOf(granted) })
    return 'amount' in held ? failureOf(held) : held
  }

  /** Meters for what is carried under these; `undefined` when none of them bounds it. */
  share(held: readonly Held[]): Share | undefined {
    return this.#lease?.share(held)
  }

  /** The rules have changed, and still allow what was granted: their limits hold from now on. */
  renew(granted: Granted): void {
    this.#hold(granted, true)
  }

  /** What bounds the octets of the session. Absent directions have no bound. */
  get meters(): RelayMeters {
    const { up, down } = this.#share ?? {}
    return { ...(up && !up.isFree && { up }), ...(down && !down.isFree && { down }) }
  }

  /** The shorter of a usual time without octets (0 is for ever) and that of the limits. */
  idleMs(usualMs: number): number {
    const ownMs = this.#lease?.idleMs
    if (ownMs === undefined) return usualMs
    return usualMs === 0 ? ownMs : Math.min(usualMs, ownMs)
  }

  /** The session is over: everything is given back. */
  release(): void {
    this.#lease?.release()
    this.#lease = undefined
    this.#share = undefined
    this.#granted = undefined
  }

  #hold(granted: Granted, isForced: boolean): Failure | undefined {
    const limits = this.#gate.limitsOn(granted)
    if (limits.length === 0 && this.#lease === undefined) return undefined
    this.#lease ??= this.#open()
    const held = this.#lease.add({ limits, facts: granted.facts, rule: ruleOf(granted) }, isForced)
    if ('amount' in held) {
      this.#refusedBy = held.limit.name
      return failureOf(held)
    }
    if (!isSameShare(this.#share?.held, held)) {
      // Before the accounts are left, which may then be another's.
      this.#share?.up.close()
      this.#share?.down.close()
      this.#share = this.#lease.share(held)
    }
    this.#lease.keepOnly(held)
    this.#granted = granted
    return undefined
  }

  #open(): Lease {
    return new Lease(this.#counting, (cause, limit) => {
      this.#refusedBy = limit.name
      this.#onOver(cause, limit)
    })
  }
}

/** The same accounts, with the same amounts. */
function isSameShare(before: readonly Held[] | undefined, held: readonly Held[]): boolean {
  if (before?.length !== held.length) return false
  return held.every(({ account, limit }, index) => {
    const one = before[index] as Held
    if (one.account !== account) return false
    return one.limit.amounts === limit.amounts || JSON.stringify(one.limit.amounts) === JSON.stringify(limit.amounts)
  })
}

/** What a client is told. Busy is for a while; what is used up stays so until the next period. */
function failureOf({ limit, amount }: LimitRefusal): Failure {
  switch (amount) {
    case 'sessions':
      return failure('too_busy', 'policy', `the limit ${limit.name} allows no more sessions at once`)
    case 'new-sessions':
      return failure('too_busy', 'policy', `the limit ${limit.name} allows no more new sessions just now`)
    case 'octets':
      return failure('not_allowed', 'policy', `the octets of the limit ${limit.name} are used up`)
    case 'accounts':
      return failure('too_busy', 'us', `there is no room to count for the limit ${limit.name}`)
  }
}
