/**
 * What one session holds of its limits: places among the sessions at once, its part of octets and bandwidth, and the time
 * that it may last. Takes all or nothing; gives everything back once. Knows no connection.
 */
import type { Idling } from '@socksmith/engine'
import type { Facts, Limit, Rule } from '@socksmith/policy'
import { accountKey, accountName } from './account-key.ts'
import { type Counting, type LimitRefusal, roomIn } from './counting.ts'
import { FlowMeter, isFlowBounded } from './flow-meter.ts'
import { BUCKET, type Filling } from './ledger.ts'

/** What is asked about: a request and the rule that allowed it. */
export interface LimitedBy {
  readonly limits: readonly Limit[]
  readonly facts: Facts
  readonly rule: Rule | undefined
}

/** One account that is held. */
export interface Held {
  readonly limit: Limit
  readonly account: number
  /** What is counted together in it; absent for what is of one session. */
  readonly name: string | undefined
}

/** What may be carried under some of the limits. */
export interface Share {
  readonly held: readonly Held[]
  readonly up: FlowMeter
  readonly down: FlowMeter
}

/** Told when a session must end. */
export type OnOver = (cause: 'quota' | 'session-length', limit: Limit) => void

export class Lease implements Idling {
  readonly #counting: Counting
  readonly #onOver: OnOver
  readonly #beganAtMs: number
  #held: readonly Held[] = []
  readonly #shares: Share[] = []
  #isOver = false

  constructor(counting: Counting, onOver: OnOver) {
    this.#counting = counting
    this.#onOver = onOver
    this.#beganAtMs = counting.clock.monotonicMs()
  }

  /** Whether a time without octets ends the session, and which: the shortest of all limits, in milliseconds. */
  get idleMs(): number | undefined {
    let shortest: number | undefined
    for (const { limit } of this.#held) {
      const { idleMs } = limit.amounts
      if (idleMs !== undefined && idleMs < (shortest ?? Infinity)) shortest = idleMs
    }
    return shortest
  }

  /**
   * Holds these limits too, besides what is held. Those that are held already are not taken again. `isForced`: whatever is
   * there, since the session lives already.
   */
  add(by: LimitedBy, isForced = false): readonly Held[] | LimitRefusal {
    const wanted: Held[] = []
    const fresh: Held[] = []
    for (const limit of by.limits) {
      const name = accountName(limit, by.facts, by.rule)
      const known = this.#held.find(one => one.limit.name === limit.name && one.name === name)
      const taken = known === undefined ? this.#take(limit, name, isForced) : { ...known, limit }
      if ('amount' in taken) {
        for (const one of fresh) this.#undo(one, isForced)
        return taken
      }
      if (known === undefined) fresh.push(taken)
      wanted.push(taken)
    }
    if (this.#held.length === 0) this.#held = wanted
    else {
      const renewed = this.#held.map(one => wanted.find(({ account }) => account === one.account) ?? one)
      this.#held = [...renewed, ...fresh]
    }
    this.#watchLength()
    return wanted
  }

  /** Gives back everything but these. */
  keepOnly(held: readonly Held[]): void {
    // As at the first grant of every session.
    if (held === this.#held) return
    const kept = new Set(held.map(({ account }) => account))
    for (const { account } of this.#held) if (!kept.has(account)) this.#counting.ledger.leave(account)
    this.#held = this.#held.filter(({ account }) => kept.has(account))
    this.#watchLength()
  }

  /** Meters for what is carried under these, if any of them bounds it; those of shares that were made before go on. */
  share(held: readonly Held[]): Share | undefined {
    if (!held.some(isFlowBounded)) return undefined
    const onUsedUp = (limit: Limit): void => this.#end('quota', limit)
    const share: Share = {
      held,
      up: new FlowMeter(this.#counting, true, held, onUsedUp),
      down: new FlowMeter(this.#counting, false, held, onUsedUp),
    }
    this.#shares.push(share)
    return share
  }

  /** Gives everything back. */
  release(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#counting.wheel.forget(this)
    for (const { up, down } of this.#shares) {
      up.close()
      down.close()
    }
    for (const { account } of this.#held) this.#counting.ledger.leave(account)
    this.#held = []
  }

  idleAtMs(): number {
    return this.#beganAtMs + (this.#shortest()?.amounts.sessionLengthMs ?? Infinity)
  }

  onIdle(): void {
    const limit = this.#shortest()
    if (limit !== undefined) this.#end('session-length', limit)
  }

  #shortest(): Limit | undefined {
    let shortest: Limit | undefined
    for (const { limit } of this.#held) {
      const { sessionLengthMs } = limit.amounts
      if (sessionLengthMs !== undefined && sessionLengthMs < (shortest?.amounts.sessionLengthMs ?? Infinity)) {
        shortest = limit
      }
    }
    return shortest
  }

  #watchLength(): void {
    if (this.#shortest() === undefined) this.#counting.wheel.forget(this)
    else this.#counting.wheel.watch(this)
  }

  // Whoever carries octets just now is told at his next turn.
  #end(cause: 'quota' | 'session-length', limit: Limit): void {
    queueMicrotask(() => {
      if (!this.#isOver) this.#onOver(cause, limit)
    })
  }

  #take(limit: Limit, name: string | undefined, isForced: boolean): Held | LimitRefusal {
    const { ledger } = this.#counting
    const { sessions, newSessions, octets } = limit.amounts
    const entered = ledger.enter(accountKey(name), isForced ? Infinity : (sessions ?? Infinity))
    if ('refused' in entered) return { limit, amount: entered.refused === 'held' ? 'sessions' : 'accounts' }
    const { account } = entered
    if (!isForced && octets !== undefined) {
      const counted = ledger.octets(account, this.#counting.periodEndMs(octets))
      if (roomIn(octets, true, counted) === 0 || roomIn(octets, false, counted) === 0) {
        ledger.leave(account)
        return { limit, amount: 'octets' }
      }
    }
    if (!isForced && newSessions !== undefined) {
      if (ledger.take(account, BUCKET.newSessions, fillingOf(newSessions), 1, 1) === 0) {
        ledger.leave(account)
        return { limit, amount: 'new-sessions' }
      }
    }
    return { limit, account, name }
  }

  #undo({ limit, account }: Held, isForced: boolean): void {
    const { newSessions } = limit.amounts
    if (!isForced && newSessions !== undefined) {
      this.#counting.ledger.spend(account, BUCKET.newSessions, fillingOf(newSessions), -1)
    }
    this.#counting.ledger.leave(account)
  }
}

function fillingOf({ count, perMs }: { readonly count: number; readonly perMs: number }): Filling {
  return { perMs: count / perMs, most: count }
}
