/** What the limits of one server share: where is counted, whose turn it is, and when periods end. */
import type { Clock, IdleWheel } from '@socksmith/engine'
import { type Limit, type Quota, type Stretch, stretchAt } from '@socksmith/policy'
import { Ledger } from './ledger.ts'
import { accountsFor, createLedgerMemory } from './ledger-memory.ts'
import { Pacer } from './pacer.ts'

export class Counting {
  readonly clock: Clock
  readonly wheel: IdleWheel
  readonly #stretches = new WeakMap<Quota, Stretch>()
  readonly #ledger: () => Ledger
  #pacer: Pacer | undefined

  /** Without a ledger one is made when something is counted for the first time. */
  constructor(clock: Clock, wheel: IdleWheel, connectionsMax: number, ledger: Ledger | undefined) {
    this.clock = clock
    this.wheel = wheel
    this.#ledger = lazily(() => ledger ?? ownLedger(clock, connectionsMax))
  }

  get ledger(): Ledger {
    return this.#ledger()
  }

  get pacer(): Pacer {
    this.#pacer ??= new Pacer(this.ledger, this.clock)
    return this.#pacer
  }

  /** When the period of a quota ends in which it is now; milliseconds since 1970. */
  periodEndMs(quota: Quota): number {
    const nowMs = this.clock.wallMs()
    const known = this.#stretches.get(quota)
    if (known !== undefined && nowMs >= known.startMs && nowMs < known.endMs) return known.endMs
    const stretch = stretchAt(quota.period, nowMs)
    this.#stretches.set(quota, stretch)
    return stretch.endMs
  }
}

/** A ledger for a server that counts alone. */
export function ownLedger(clock: Clock, connectionsMax: number): Ledger {
  const memory = createLedgerMemory(1, accountsFor(connectionsMax))
  return new Ledger(
    memory,
    0,
    () => clock.monotonicMs(),
    () => clock.wallMs(),
  )
}

/** The same each time; made the first time. */
export function lazily<T>(make: () => T): () => T {
  let made: T | undefined
  return () => (made ??= make())
}

/** Octets that a quota leaves in one direction. */
export function roomIn(quota: Quota, isUp: boolean, counted: { readonly up: number; readonly down: number }): number {
  const { up = Infinity, down = Infinity, total = Infinity } = quota
  const own = isUp ? up - counted.up : down - counted.down
  return Math.max(0, Math.min(own, total - counted.up - counted.down))
}

/** The refusal of a limit. */
export interface LimitRefusal {
  readonly limit: Limit
  readonly amount: 'sessions' | 'new-sessions' | 'octets' | 'accounts'
}
