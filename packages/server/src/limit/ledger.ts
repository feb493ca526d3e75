/**
 * What is taken of limited things, by account: buckets that fill with time, octets of a period, and how many hold it. One
 * memory for all threads of a server. Knows no limit: every amount is an argument, so that new amounts count on.
 */
import { AccountTable, KEY_WORDS, type LedgerMemory } from './ledger-memory.ts'

/**
 * A bucket of an account. Each is two numbers: what is in it, and when that was so. An account of failed logins has no
 * sessions, and none of the numbers behind {@link FAILURE_NUMBERS}.
 */
export const BUCKET = { failures: 0, newSessions: 0, up: 7, down: 9, datagramsUp: 11, datagramsDown: 13 } as const
export type Bucket = (typeof BUCKET)[keyof typeof BUCKET]

/** When the last of its buckets is full again, so that nothing has to be remembered of them. */
const FULL_AT = 2
const OCTETS_UP = 3
const OCTETS_DOWN = 4
/** Milliseconds since 1970 at which the period of the octets ends; 0 when nothing was counted. */
const PERIOD_END = 5
/** Of an account of failed logins: there may be very many of them. */
export const FAILURE_NUMBERS: number = PERIOD_END + 1
/** Octets of both directions at the last {@link Ledger.changedOctets}. */
const SAVED = 6

/** How fast a bucket fills, and how much it holds. */
export interface Filling {
  readonly perMs: number
  readonly most: number
}

/** Octets counted in a period. */
export interface Octets {
  readonly up: number
  readonly down: number
  readonly periodEndMs: number
}

/** The answer of {@link Ledger.enter}. */
export type Entered = { readonly account: number } | { readonly refused: 'held' | 'full' }

/** After a search for accounts to free that found none, the next one waits so long. */
const SWEEP_PAUSE_MS = 1_000

export class Ledger {
  readonly #table: AccountTable
  readonly #monotonicMs: () => number
  readonly #wallMs: () => number
  #sweepAfterMs = 0

  /** `monotonicMs` must be the same clock in all threads. */
  constructor(memory: LedgerMemory, thread: number, monotonicMs: () => number, wallMs: () => number) {
    this.#table = new AccountTable(memory, thread)
    // 0 is an empty number of an account.
    this.#monotonicMs = () => monotonicMs() + 1
    this.#wallMs = wallMs
  }

  /** Holds the account with this key, unless `most` hold it already. To be given back by {@link leave}. */
  enter(key: Int32Array, most: number): Entered {
    const table = this.#table
    table.lockTable()
    try {
      let account = table.find(key)
      if (account >= 0 && table.held(account) >= most) return { refused: 'held' }
      if (account < 0) {
        if (most <= 0) return { refused: 'held' }
        account = table.open(key)
        if (account < 0 && this.#sweep()) account = table.open(key)
        if (account < 0) return { refused: 'full' }
      }
      table.hold(account, 1)
      return { account }
    } finally {
      table.unlockTable()
    }
  }

  /** Holds an account once more. */
  enterAgain(account: number): void {
    this.#table.hold(account, 1)
  }

  /** Gives it back. What is to be remembered stays. */
  leave(account: number): void {
    const table = this.#table
    table.lockTable()
    try {
      table.hold(account, -1)
      if (this.#isForgettable(account)) table.free(account)
    } finally {
      table.unlockTable()
    }
  }

  /** How many hold it. */
  held(account: number): number {
    return this.#table.held(account)
  }

  /** Takes up to `wanted` out of a bucket; nothing when less than `least` is in it. Whole numbers only. */
  take(account: number, bucket: Bucket, filling: Filling, wanted: number, least: number): number {
    this.#table.lock(account)
    const available = Math.floor(this.#fill(account, bucket, filling))
    const taken = available < least ? 0 : Math.min(wanted, available)
    this.#change(account, bucket, filling, -taken)
    this.#table.unlock(account)
    return taken
  }

  /** Takes it whether it is there or not; what is missing fills first. True when something is left. Negative gives back. */
  spend(account: number, bucket: Bucket, filling: Filling, amount: number): boolean {
    return this.spendAndTell(account, bucket, filling, amount) > 0
  }

  /** The same; answers what is left. */
  spendAndTell(account: number, bucket: Bucket, filling: Filling, amount: number): number {
    this.#table.lock(account)
    const left = this.#fill(account, bucket, filling) - amount
    this.#change(account, bucket, filling, -amount)
    this.#table.unlock(account)
    return left
  }

  /** The octets of the period that ends then; of another one, none. */
  octets(account: number, periodEndMs: number): Octets {
    this.#table.lock(account)
    this.#turnPeriod(account, periodEndMs)
    const octets = this.#octets(account)
    this.#table.unlock(account)
    return octets
  }

  /**
   * Counts octets in the period that ends then: as many as `room` leaves of `wanted`, which it is told what was counted
   * before. A negative `wanted` gives back.
   */
  countOctets(
    account: number,
    isUp: boolean,
    periodEndMs: number,
    wanted: number,
    room: (counted: Octets) => number,
  ): number {
    this.#table.lock(account)
    this.#turnPeriod(account, periodEndMs)
    const at = this.#table.numbersOf(account) + (isUp ? OCTETS_UP : OCTETS_DOWN)
    const counted = wanted < 0 ? wanted : Math.max(0, Math.min(wanted, room(this.#octets(account))))
    this.#numbers[at] = Math.max(0, (this.#numbers[at] as number) + counted)
    this.#table.unlock(account)
    return counted
  }

  /** A flow of this thread begins or ends to wait. */
  wait(account: number, isUp: boolean, change: 1 | -1): void {
    this.#table.wait(account, isUp ? 1 : 2, change)
  }

  /** Flows of all threads that wait. */
  waiting(account: number, isUp: boolean): number {
    return this.#table.waiting(account, isUp ? 1 : 2)
  }

  /** Tells of each account whose octets have changed since it was told of them before. */
  changedOctets(tell: (key: Int32Array, octets: Octets) => void): void {
    const table = this.#table
    for (let account = 0; account < table.usedMax; account++) {
      if (!table.isUsed(account)) continue
      const saved = this.#table.numbersOf(account) + SAVED
      const octets = this.#octets(account)
      const sum = octets.up + octets.down
      if (octets.periodEndMs === 0 || sum === this.#numbers[saved]) continue
      this.#numbers[saved] = sum
      tell(table.keyOf(account), octets)
    }
  }

  /** Counts on from what was counted in an earlier life of the server. False when there is no room. */
  restore(key: Int32Array, { up, down, periodEndMs }: Octets): boolean {
    const table = this.#table
    table.lockTable()
    const found = table.find(key)
    const account = found < 0 ? table.open(key) : found
    table.unlockTable()
    if (account < 0) return false
    const at = this.#table.numbersOf(account)
    this.#numbers[at + OCTETS_UP] = up
    this.#numbers[at + OCTETS_DOWN] = down
    this.#numbers[at + PERIOD_END] = periodEndMs
    this.#numbers[at + SAVED] = up + down
    return true
  }

  get #numbers(): Float64Array {
    return this.#table.numbers
  }

  #octets(account: number): Octets {
    const at = this.#table.numbersOf(account)
    return {
      up: this.#numbers[at + OCTETS_UP] as number,
      down: this.#numbers[at + OCTETS_DOWN] as number,
      periodEndMs: this.#numbers[at + PERIOD_END] as number,
    }
  }

  // A thread that has not heard of the new period yet counts in it too.
  #turnPeriod(account: number, periodEndMs: number): void {
    const at = this.#table.numbersOf(account)
    if ((this.#numbers[at + PERIOD_END] as number) >= periodEndMs) return
    this.#numbers[at + PERIOD_END] = periodEndMs
    this.#numbers[at + OCTETS_UP] = 0
    this.#numbers[at + OCTETS_DOWN] = 0
  }

  /** What is in the bucket now. A new one is full. */
  #fill(account: number, bucket: Bucket, { perMs, most }: Filling): number {
    const at = this.#table.numbersOf(account) + bucket
    const nowMs = this.#monotonicMs()
    const filledAtMs = this.#numbers[at + 1] as number
    const before = this.#numbers[at] as number
    const now = filledAtMs === 0 ? most : Math.min(most, before + Math.max(0, nowMs - filledAtMs) * perMs)
    this.#numbers[at] = now
    this.#numbers[at + 1] = nowMs
    return now
  }

  #change(account: number, bucket: Bucket, { perMs, most }: Filling, change: number): void {
    const at = this.#table.numbersOf(account)
    const now = Math.min(most, (this.#numbers[at + bucket] as number) + change)
    this.#numbers[at + bucket] = now
    const fullAtMs = (this.#numbers[at + bucket + 1] as number) + (most - now) / perMs
    if (fullAtMs > (this.#numbers[at + FULL_AT] as number)) this.#numbers[at + FULL_AT] = fullAtMs
  }

  #isForgettable(account: number): boolean {
    const at = this.#table.numbersOf(account)
    if (this.#table.held(account) > 0) return false
    if ((this.#numbers[at + FULL_AT] as number) > this.#monotonicMs()) return false
    const { up, down, periodEndMs } = this.#octets(account)
    return up + down === 0 || periodEndMs <= this.#wallMs()
  }

  /** Frees what need not be remembered any more; true when something was. Under the table's lock. */
  #sweep(): boolean {
    const nowMs = this.#monotonicMs()
    if (nowMs < this.#sweepAfterMs) return false
    let freed = 0
    for (let account = 0; account < this.#table.usedMax; account++) {
      if (!this.#table.isUsed(account) || !this.#isForgettable(account)) continue
      this.#table.free(account)
      freed++
    }
    if (freed === 0) this.#sweepAfterMs = nowMs + SWEEP_PAUSE_MS
    return freed > 0
  }
}

/** The accounts of a memory that several threads of this process share, as thread number `thread` (from 0). */
export function openSharedLedger(memory: LedgerMemory, thread: number): Ledger {
  // Each thread's own clock begins with the thread; this one is that of the machine.
  const offsetMs = Number(process.hrtime.bigint()) / 1e6 - performance.now()
  return new Ledger(
    memory,
    thread,
    () => performance.now() + offsetMs,
    () => Date.now(),
  )
}

/** Gives back what a thread held when it died. To be called by another one. */
export function forgetLedgerThread(memory: LedgerMemory, thread: number): void {
  new AccountTable(memory, thread).forgetThread()
}

/** An account's key as text, for a file; and back. */
export function keyText(key: Int32Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('hex')
}

export function keyOfText(text: string): Int32Array | undefined {
  const octets = Buffer.from(text, 'hex')
  if (octets.length !== KEY_WORDS * 4) return undefined
  return Int32Array.from({ length: KEY_WORDS }, (_, index) => octets.readInt32LE(index * 4))
}
