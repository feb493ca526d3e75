/**
 * From a number to a row: addresses and ports. The line of all numbers is cut where something begins or ends; between two
 * cuts the row is the same, and a binary search finds it. Numbers are one word of 32 bits, or four.
 */
import type { Row, RowDraft } from './row-store.ts'

/** A stretch in which a term is in (`isIn`), or out, of the row. */
export interface Stretch {
  readonly first: bigint
  /** Inclusive. */
  readonly last: bigint
  readonly term: number
  readonly isIn: boolean
}

export class IntervalTable {
  readonly #starts: Uint32Array
  readonly #rows: Int32Array
  readonly #words: 1 | 4

  private constructor(starts: Uint32Array, rows: Int32Array, words: 1 | 4) {
    this.#starts = starts
    this.#rows = rows
    this.#words = words
  }

  /** `draft` holds the row of a number outside all stretches. */
  static of(stretches: readonly Stretch[], draft: RowDraft, words: 1 | 4): IntervalTable {
    const cuts = new Map<bigint, Stretch[][]>([[0n, [[], []]]])
    const cutAt = (at: bigint): Stretch[][] => {
      const known = cuts.get(at)
      if (known !== undefined) return known
      const made: Stretch[][] = [[], []]
      cuts.set(at, made)
      return made
    }
    for (const stretch of stretches) {
      cutAt(stretch.first)[0]?.push(stretch)
      cutAt(stretch.last + 1n)[1]?.push(stretch)
    }
    // How many stretches of a term hold here: they may overlap.
    const depth = new Map<number, number>()
    const starts: number[] = []
    const rows: Row[] = []
    const most = 1n << BigInt(words * 32)
    for (const [at, [begin = [], end = []]] of [...cuts].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))) {
      if (at >= most) break
      for (const { term } of begin) depth.set(term, (depth.get(term) ?? 0) + 1)
      for (const { term } of end) depth.set(term, (depth.get(term) ?? 0) - 1)
      for (const { term, isIn } of [...begin, ...end]) draft.set(term, (depth.get(term) ?? 0) > 0 === isIn)
      for (let word = words - 1; word >= 0; word--) starts.push(Number((at >> BigInt(word * 32)) & 0xffff_ffffn))
      rows.push(draft.row())
    }
    return new IntervalTable(Uint32Array.from(starts), Int32Array.from(rows), words)
  }

  /** The row of a one-word number. */
  at(key: number): Row {
    let [low, high] = [0, this.#rows.length - 1]
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if ((this.#starts[middle] as number) <= key) low = middle
      else high = middle - 1
    }
    return this.#rows[low] as Row
  }

  /** The row of an address, whose words these are. */
  atWords(key: Uint32Array): Row {
    if (this.#words === 1) return this.at(key[0] as number)
    let [low, high] = [0, this.#rows.length - 1]
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if (this.#startsBefore(middle * 4, key)) low = middle
      else high = middle - 1
    }
    return this.#rows[low] as Row
  }

  #startsBefore(index: number, key: Uint32Array): boolean {
    for (let word = 0; word < 4; word++) {
      const difference = (this.#starts[index + word] as number) - (key[word] as number)
      if (difference !== 0) return difference < 0
    }
    return true
  }
}
