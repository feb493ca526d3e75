/**
 * The counts of several servers in one memory, so that a limit holds for all of them together. Each thread counts in a
 * column of its own: what a thread that died had taken is given back by clearing its column. Knows no limit.
 */
import { type IpAddress, octetAt, unmapped } from '@socksmith/protocol'
import { COUNTED, type Counted, type Tally } from './tally.ts'

// The words of the memory: the lock, the last id, the counts of each thread, and the table of clients.
const LOCK = 0
const LAST_ID = 1
const COUNTS = 2
/** An address is four words; IPv4 is kept as IPv4-mapped IPv6. */
const KEY_WORDS = 4

/** The memory and its measures; it can be sent to another thread. */
export interface SharedCounts {
  readonly memory: SharedArrayBuffer
  readonly threads: number
  /** Entries of the table of clients, a power of two. */
  readonly clients: number
}

/** Memory for so many threads and, at once, so many clients. */
export function createSharedCounts(threads: number, clientsMax: number): SharedCounts {
  // Half empty at most, so that a search is short.
  const clients = 2 ** Math.ceil(Math.log2(Math.max(2, clientsMax * 2)))
  const words = COUNTS + threads * COUNTED.length + clients * (KEY_WORDS + threads)
  return { memory: new SharedArrayBuffer(words * 4), threads, clients }
}

/** The counts as thread number `thread` (from 0) takes and gives back. */
export function openSharedTally(counts: SharedCounts, thread: number): Tally {
  return new SharedTally(counts, thread)
}

/** Client connections of one thread that are not yet closed. */
export function connectionsOfThread({ memory, threads }: SharedCounts, thread: number): number {
  return Atomics.load(new Int32Array(memory), COUNTS + COUNTED.indexOf('connections') * threads + thread)
}

/** Gives back all that a thread had taken when it died. To be called by another one. */
export function forgetThread(counts: SharedCounts, thread: number): void {
  new SharedTally(counts, thread).forget()
}

class SharedTally implements Tally {
  readonly #words: Int32Array
  readonly #threads: number
  readonly #thread: number
  readonly #table: number
  readonly #entryWords: number
  readonly #mask: number
  readonly #key = new Int32Array(KEY_WORDS)

  constructor({ memory, threads, clients }: SharedCounts, thread: number) {
    this.#words = new Int32Array(memory)
    this.#threads = threads
    this.#thread = thread
    this.#table = COUNTS + threads * COUNTED.length
    this.#entryWords = KEY_WORDS + threads
    this.#mask = clients - 1
  }

  take(counted: Counted, most: number): boolean {
    const own = this.#rowOf(counted) + this.#thread
    Atomics.add(this.#words, own, 1)
    if (this.count(counted) <= most) return true
    Atomics.sub(this.#words, own, 1)
    return false
  }

  count(counted: Counted): number {
    const row = this.#rowOf(counted)
    let sum = 0
    for (let i = 0; i < this.#threads; i++) sum += Atomics.load(this.#words, row + i)
    return sum
  }

  giveBack(counted: Counted): void {
    Atomics.sub(this.#words, this.#rowOf(counted) + this.#thread, 1)
  }

  takeClient(client: IpAddress | undefined, most: number): boolean {
    this.#setKey(client)
    return this.#locked(() => {
      const entry = this.#find()
      if (this.#sumOf(entry) >= most) return false
      this.#words.set(this.#key, entry)
      this.#addTo(entry, 1)
      return true
    })
  }

  giveBackClient(client: IpAddress | undefined): void {
    this.#setKey(client)
    this.#locked(() => {
      const entry = this.#find()
      this.#addTo(entry, -1)
      if (this.#sumOf(entry) === 0) this.#remove(entry)
    })
  }

  nextId(): number {
    return Atomics.add(this.#words, LAST_ID, 1) + 1
  }

  forget(): void {
    // The dead thread may have held the lock.
    Atomics.compareExchange(this.#words, LOCK, this.#thread + 1, 0)
    for (let i = 0; i < COUNTED.length; i++) Atomics.store(this.#words, COUNTS + i * this.#threads + this.#thread, 0)
    this.#locked(() => {
      // From the end, since a removal moves later entries to the front.
      for (let slot = this.#mask; slot >= 0; slot--) this.#forgetIn(this.#entryAt(slot))
    })
  }

  #rowOf(counted: Counted): number {
    return COUNTS + COUNTED.indexOf(counted) * this.#threads
  }

  #forgetIn(entry: number): void {
    while (this.#words[entry + KEY_WORDS + this.#thread] !== 0) {
      this.#words[entry + KEY_WORDS + this.#thread] = 0
      if (this.#sumOf(entry) === 0) this.#remove(entry)
    }
  }

  // Each holds it for less than a microsecond, so that waiting in a circle costs less than to sleep would.
  #locked<T>(body: () => T): T {
    while (Atomics.compareExchange(this.#words, LOCK, 0, this.#thread + 1) !== 0);
    try {
      return body()
    } finally {
      Atomics.store(this.#words, LOCK, 0)
    }
  }

  #setKey(client: IpAddress | undefined): void {
    const key = this.#key
    // All ones is a multicast address, which nobody connects from.
    if (client === undefined) return void key.fill(-1)
    const { type, octets } = unmapped(client)
    if (type === 'ipv4') {
      key[0] = 0
      key[1] = 0
      key[2] = 0xffff
      key[3] = wordAt(octets, 0)
    } else for (let i = 0; i < KEY_WORDS; i++) key[i] = wordAt(octets, i * 4)
  }

  /** The entry of the key, or the free one where it belongs. */
  #find(): number {
    for (let slot = this.#home(this.#key, 0); ; slot = (slot + 1) & this.#mask) {
      const entry = this.#entryAt(slot)
      if (this.#sumOf(entry) === 0 || this.#hasKey(entry)) return entry
    }
  }

  #hasKey(entry: number): boolean {
    for (let i = 0; i < KEY_WORDS; i++) if (this.#words[entry + i] !== this.#key[i]) return false
    return true
  }

  /** Frees an entry, and closes the gap: a search ends at the first free one. */
  #remove(entry: number): void {
    let gap = (entry - this.#table) / this.#entryWords
    for (let slot = (gap + 1) & this.#mask; ; slot = (slot + 1) & this.#mask) {
      const next = this.#entryAt(slot)
      if (this.#sumOf(next) === 0) break
      const home = this.#home(this.#words, next)
      // It may move to the gap when its home does not lie between the two.
      if (((slot - home) & this.#mask) < ((slot - gap) & this.#mask)) continue
      this.#words.copyWithin(this.#entryAt(gap), next, next + this.#entryWords)
      gap = slot
    }
    const last = this.#entryAt(gap)
    this.#words.fill(0, last, last + this.#entryWords)
  }

  #home(words: Int32Array, at: number): number {
    let hash = 0
    for (let i = 0; i < KEY_WORDS; i++) hash = Math.imul(hash ^ (words[at + i] ?? 0), 0x9e37_79b1) ^ (hash >>> 15)
    return (hash ^ (hash >>> 16)) & this.#mask
  }

  #entryAt(slot: number): number {
    return this.#table + slot * this.#entryWords
  }

  #addTo(entry: number, change: number): void {
    const at = entry + KEY_WORDS + this.#thread
    this.#words[at] = (this.#words[at] ?? 0) + change
  }

  #sumOf(entry: number): number {
    let sum = 0
    for (let i = 0; i < this.#threads; i++) sum += this.#words[entry + KEY_WORDS + i] ?? 0
    return sum
  }
}

function wordAt(octets: Uint8Array, at: number): number {
  return (
    (octetAt(octets, at) << 24) |
    (octetAt(octets, at + 1) << 16) |
    (octetAt(octets, at + 2) << 8) |
    octetAt(octets, at + 3)
  )
}
