/**
 * Where what is limited is counted: accounts by their keys, in one memory that several threads may share. Finds, opens and
 * frees accounts; knows not what their numbers mean.
 */

/** The memory and its measures; it can be sent to another thread. */
export interface LedgerMemory {
  readonly memory: SharedArrayBuffer
  readonly threads: number
  /** Accounts at once, a power of two. */
  readonly accounts: number
  /** Numbers of each account, as doubles. */
  readonly numbers: number
}

/** All that may be counted of an account. */
const NUMBERS = 16
/** A key is four words of a digest. */
export const KEY_WORDS = 4

// The words of the header.
const TABLE_LOCK = 0
/** The first account that was freed, plus one; each names the next. */
const FIRST_FREE = 1
/** Accounts that were ever used: what lies behind was never touched, and takes no memory. */
const USED_MAX = 2
const HEADER = 4

// The words of an account, before those of each thread.
const LOCK = 0
const IS_USED = 1
const KEY = 2
/** Of a free account: the next one, plus one. */
const NEXT_FREE = KEY
const HELD = KEY + KEY_WORDS
/** Of each thread: how often it holds the account, and flows that wait up and down. */
const COLUMNS = 3

/** For clients and users of the past too, as long as something is to be remembered of them; about 200 octets each, once used, and 120 for a failed login. */
const ACCOUNTS_MIN = 65_536

/** Accounts for a server of so many connections at once: each may be under some limits of its own. */
export function accountsFor(connectionsMax: number): number {
  return Math.max(ACCOUNTS_MIN, connectionsMax * 4)
}

/** Memory for so many threads and accounts. What is not used of it costs nothing. */
export function createLedgerMemory(threads: number, accountsMax: number, numbers: number = NUMBERS): LedgerMemory {
  const accounts = 2 ** Math.ceil(Math.log2(Math.max(2, accountsMax)))
  const words = HEADER + accounts * (HELD + COLUMNS * threads) + accounts * 2
  return { memory: new SharedArrayBuffer(accounts * numbers * 8 + words * 4), threads, accounts, numbers }
}

/** Turns of the circle, some microseconds, before a thread naps. */
const LOCK_TRIES = 200
/** As short as the kernel makes it. */
const LOCK_NAP_MS = 0.05

/** Accounts and their numbers. Whoever changes numbers holds the account's lock. */
export class AccountTable {
  readonly numbers: Float64Array
  readonly #words: Int32Array
  readonly #threads: number
  readonly #thread: number
  readonly #accounts: number
  readonly #accountNumbers: number
  readonly #accountWords: number
  readonly #index: number

  constructor({ memory, threads, accounts, numbers }: LedgerMemory, thread: number) {
    this.numbers = new Float64Array(memory, 0, accounts * numbers)
    this.#words = new Int32Array(memory, accounts * numbers * 8)
    this.#accountNumbers = numbers
    this.#threads = threads
    this.#thread = thread
    this.#accounts = accounts
    this.#accountWords = HELD + COLUMNS * threads
    this.#index = HEADER + accounts * this.#accountWords
  }

  /** So many accounts may be in use; the rest was never touched. */
  get usedMax(): number {
    return Atomics.load(this.#words, USED_MAX)
  }

  /** Where its numbers begin. */
  numbersOf(account: number): number {
    return account * this.#accountNumbers
  }

  isUsed(account: number): boolean {
    return Atomics.load(this.#words, this.#at(account) + IS_USED) === 1
  }

  keyOf(account: number): Int32Array {
    const at = this.#at(account) + KEY
    return this.#words.slice(at, at + KEY_WORDS)
  }

  /** How often it is held, by all threads. */
  held(account: number): number {
    return this.#sum(account, 0)
  }

  /** Changes how often this thread holds it. */
  hold(account: number, change: 1 | -1): void {
    Atomics.add(this.#words, this.#at(account) + HELD + this.#thread, change)
  }

  /** Changes how many flows of this thread wait for it; column 1 is up, 2 is down. */
  wait(account: number, column: 1 | 2, change: 1 | -1): void {
    Atomics.add(this.#words, this.#at(account) + HELD + column * this.#threads + this.#thread, change)
  }

  /** Flows of all threads that wait for it. */
  waiting(account: number, column: 1 | 2): number {
    return this.#sum(account, column)
  }

  /** The account with this key; -1 when there is none. To be called under the table's lock. */
  find(key: Int32Array): number {
    for (let slot = home(key, 0) & this.#mask; ; slot = (slot + 1) & this.#mask) {
      const account = this.#words[this.#index + slot] as number
      if (account === 0) return -1
      if (this.#hasKey(account - 1, key)) return account - 1
    }
  }

  /** A new account with this key, its numbers all 0; -1 when there is no room. To be called under the table's lock. */
  open(key: Int32Array): number {
    const account = this.#takeFree()
    if (account < 0) return -1
    const at = this.#at(account)
    this.#words.fill(0, at, at + this.#accountWords)
    this.#words.set(key, at + KEY)
    this.numbers.fill(0, this.numbersOf(account), this.numbersOf(account + 1))
    Atomics.store(this.#words, at + IS_USED, 1)
    let slot = home(key, 0) & this.#mask
    while (this.#words[this.#index + slot] !== 0) slot = (slot + 1) & this.#mask
    this.#words[this.#index + slot] = account + 1
    return account
  }

  /** Forgets an account that nobody holds. To be called under the table's lock. */
  free(account: number): void {
    const at = this.#at(account)
    this.#unlist(account)
    Atomics.store(this.#words, at + IS_USED, 0)
    this.#words[at + NEXT_FREE] = this.#words[FIRST_FREE] as number
    this.#words[FIRST_FREE] = account + 1
  }

  lockTable(): void {
    this.#lock(TABLE_LOCK)
  }

  unlockTable(): void {
    Atomics.store(this.#words, TABLE_LOCK, 0)
  }

  lock(account: number): void {
    this.#lock(this.#at(account) + LOCK)
  }

  unlock(account: number): void {
    Atomics.store(this.#words, this.#at(account) + LOCK, 0)
  }

  /** Gives back what this thread held when it died, and its locks. To be called by another one. */
  forgetThread(): void {
    Atomics.compareExchange(this.#words, TABLE_LOCK, this.#thread + 1, 0)
    for (let account = 0; account < this.usedMax; account++) {
      const at = this.#at(account)
      Atomics.compareExchange(this.#words, at + LOCK, this.#thread + 1, 0)
      for (let column = 0; column < COLUMNS; column++) {
        Atomics.store(this.#words, at + HELD + column * this.#threads + this.#thread, 0)
      }
    }
  }

  // Each lock is held for less than a microsecond, so that waiting in a circle costs less than to sleep would; unless its
  // holder has lost the processor, which then is better left to it.
  #lock(at: number): void {
    for (let tries = 1; Atomics.compareExchange(this.#words, at, 0, this.#thread + 1) !== 0; tries++) {
      const holder = tries > LOCK_TRIES ? Atomics.load(this.#words, at) : 0
      if (holder !== 0) Atomics.wait(this.#words, at, holder, LOCK_NAP_MS)
    }
  }

  get #mask(): number {
    return this.#accounts * 2 - 1
  }

  #at(account: number): number {
    return HEADER + account * this.#accountWords
  }

  #sum(account: number, column: number): number {
    const at = this.#at(account) + HELD + column * this.#threads
    let sum = 0
    for (let thread = 0; thread < this.#threads; thread++) sum += Atomics.load(this.#words, at + thread)
    return sum
  }

  #takeFree(): number {
    const freed = this.#words[FIRST_FREE] as number
    if (freed !== 0) {
      this.#words[FIRST_FREE] = this.#words[this.#at(freed - 1) + NEXT_FREE] as number
      return freed - 1
    }
    const fresh = this.usedMax
    if (fresh >= this.#accounts) return -1
    Atomics.store(this.#words, USED_MAX, fresh + 1)
    return fresh
  }

  #hasKey(account: number, key: Int32Array): boolean {
    const at = this.#at(account) + KEY
    for (let i = 0; i < KEY_WORDS; i++) if (this.#words[at + i] !== key[i]) return false
    return true
  }

  /** Takes it out of the index, and closes the gap: a search ends at the first free place. */
  #unlist(account: number): void {
    const { keyAt, mask } = { keyAt: (one: number) => this.#at(one - 1) + KEY, mask: this.#mask }
    let gap = home(this.#words, keyAt(account + 1)) & mask
    while (this.#words[this.#index + gap] !== account + 1) gap = (gap + 1) & mask
    for (let slot = (gap + 1) & mask; ; slot = (slot + 1) & mask) {
      const next = this.#words[this.#index + slot] as number
      if (next === 0) break
      const wanted = home(this.#words, keyAt(next)) & mask
      // It may move to the gap when its home does not lie between the two.
      if (((slot - wanted) & mask) < ((slot - gap) & mask)) continue
      this.#words[this.#index + gap] = next
      gap = slot
    }
    this.#words[this.#index + gap] = 0
  }
}

/** Keys are digests: any word of them is as good as a hash. */
function home(words: Int32Array, at: number): number {
  return (words[at] as number) >>> 0
}
