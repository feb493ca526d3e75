/** One table: from one fact to the row of terms that it leaves possible. At most one literal of each term is in a table. */
import { type IpAddress, uint32At } from '@socksmith/protocol'
import { type Network } from '../network.ts'
import type { HostTest, NetworkTest, PortTest, Test, WhenTest, WordTest } from '../policy.ts'
import { HostTable, type HostStretch } from './host-table.ts'
import { IntervalTable, type Stretch } from './interval-table.ts'
import type { Row, RowStore } from './row-store.ts'
import { type Schedule, isWithin } from '../schedule.ts'

/** A test that belongs to a term. */
export interface Placed<T extends Test> {
  readonly test: T
  readonly term: number
  readonly isPositive: boolean
}

/** The rows that every table has. */
interface BaseRows {
  /** For a fact that no test names. */
  readonly other: Row
  /** The terms that have no test here. */
  readonly free: Row
}

function baseRows(placed: readonly Placed<Test>[], store: RowStore): BaseRows {
  const other = store.draft(store.every)
  const free = store.draft(store.every)
  for (const { term, isPositive } of placed) {
    other.set(term, !isPositive)
    free.set(term, false)
  }
  return { other: other.row(), free: free.row() }
}

export class WordTable {
  readonly free: Row
  readonly #other: Row
  readonly #rows = new Map<string, Row>()

  constructor(placed: readonly Placed<WordTest>[], store: RowStore) {
    const { other, free } = baseRows(placed, store)
    this.free = free
    this.#other = other
    const byWord = new Map<string, { term: number; isPositive: boolean }[]>()
    for (const { test, term, isPositive } of placed) {
      for (const word of test.words) {
        const entries = byWord.get(word)
        if (entries === undefined) byWord.set(word, [{ term, isPositive }])
        else entries.push({ term, isPositive })
      }
    }
    for (const [word, entries] of byWord) {
      const row = store.draft(other)
      for (const { term, isPositive } of entries) row.set(term, isPositive)
      this.#rows.set(word, row.row())
    }
  }

  at(word: string | null): Row {
    return word === null ? this.#other : (this.#rows.get(word) ?? this.#other)
  }
}

/** The words of an address that is looked up; looking up does not wait, so one buffer is enough. */
const KEY = new Uint32Array(4)

export class AddressTable {
  readonly free: Row
  readonly #ipv4: IntervalTable
  readonly #ipv6: IntervalTable
  readonly #unix: Row

  constructor(placed: readonly Placed<NetworkTest>[], store: RowStore) {
    const { other, free } = baseRows(placed, store)
    this.free = free
    this.#ipv4 = IntervalTable.of(stretchesOf(placed, 'ipv4'), store.draft(other), 1)
    this.#ipv6 = IntervalTable.of(stretchesOf(placed, 'ipv6'), store.draft(other), 4)
    const unix = store.draft(other)
    for (const { test, term, isPositive } of placed) if (test.unix) unix.set(term, isPositive)
    this.#unix = unix.row()
  }

  at(address: IpAddress | 'unix'): Row {
    if (address === 'unix') return this.#unix
    if (address.type === 'ipv4') return this.#ipv4.at(uint32At(address.octets, 0))
    for (let word = 0; word < 4; word++) KEY[word] = uint32At(address.octets, word * 4)
    return this.#ipv6.atWords(KEY)
  }
}

function stretchesOf(placed: readonly Placed<NetworkTest>[], type: IpAddress['type']): readonly Stretch[] {
  return placed.flatMap(({ test, term, isPositive }) =>
    test.networks
      .filter(({ address }) => address.type === type)
      .map(network => ({ ...rangeOf(network), term, isIn: isPositive })),
  )
}

/** The first and the last address of a network, as numbers. */
export function rangeOf({ address, bits }: Network): { readonly first: bigint; readonly last: bigint } {
  let first = 0n
  for (const octet of address.octets) first = (first << 8n) | BigInt(octet)
  const size = 1n << BigInt(address.octets.length * 8 - bits)
  return { first, last: first + size - 1n }
}

export class PortTable {
  readonly free: Row
  readonly #ports: IntervalTable

  constructor(placed: readonly Placed<PortTest>[], store: RowStore) {
    const { other, free } = baseRows(placed, store)
    this.free = free
    const stretches = placed.flatMap(({ test, term, isPositive }) =>
      test.ranges.map(([first, last]) => ({ first: BigInt(first), last: BigInt(last), term, isIn: isPositive })),
    )
    this.#ports = IntervalTable.of(stretches, store.draft(other), 1)
  }

  at(port: number): Row {
    return this.#ports.at(port)
  }
}

export class NameTable {
  readonly free: Row
  readonly #names: HostTable
  readonly #none: Row

  constructor(placed: readonly Placed<HostTest>[], store: RowStore) {
    const { other, free } = baseRows(placed, store)
    this.free = free
    this.#none = other
    const stretches: HostStretch[] = placed.flatMap(({ test, term, isPositive }) =>
      test.names.map(pattern => ({ pattern, term, isIn: isPositive })),
    )
    this.#names = HostTable.of(stretches, store, other)
  }

  /** `name` in plain form. */
  at(name: string | null): Row {
    return name === null ? this.#none : this.#names.at(name)
  }
}

/** Schedules change at full minutes only. */
const MINUTE_MS = 60_000

export class WhenTable {
  readonly free: Row
  readonly #other: Row
  readonly #placed: readonly Placed<WhenTest>[]
  readonly #store: RowStore
  #minute = Number.NaN
  #row: Row = 0

  constructor(placed: readonly Placed<WhenTest>[], store: RowStore) {
    const { other, free } = baseRows(placed, store)
    this.free = free
    this.#other = other
    this.#placed = placed
    this.#store = store
  }

  at(nowMs: number): Row {
    const minute = Math.floor(nowMs / MINUTE_MS)
    if (minute === this.#minute) return this.#row
    const row = this.#store.draft(this.#other)
    // Many rules share a schedule; its clock is read once.
    const known = new Map<string, boolean>()
    for (const { test, term, isPositive } of this.#placed) {
      if (test.schedules.some(schedule => isNow(schedule, nowMs, known))) row.set(term, isPositive)
    }
    this.#minute = minute
    this.#row = row.row()
    return this.#row
  }
}

function isNow(schedule: Schedule, nowMs: number, known: Map<string, boolean>): boolean {
  const key = `${schedule.zone} ${schedule.text}`
  let isNow = known.get(key)
  if (isNow === undefined) known.set(key, (isNow = isWithin(schedule, nowMs)))
  return isNow
}
