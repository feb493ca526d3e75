/**
 * Sets of terms as rows of bits. A row is cut into pages, and equal pages and equal rows are kept once: ten thousand rows
 * that differ from each other in one bit cost one small page each. Knows nothing of what a term is.
 */

/** Words of 32 bits in a page. Smaller pages find their end sooner, larger ones need fewer look-ups; measured. */
const PAGE_WORDS = 16
export const PAGE_TERMS: number = PAGE_WORDS * 32

/** The page without a bit, and the page with all of them. */
const EMPTY_PAGE = 0
const FULL_PAGE = 1

export type Row = number

export class RowStore {
  /** The row of no term, and the row of every term. */
  readonly none: Row
  readonly every: Row
  /** Pages of one row. */
  readonly #pageCount: number
  #pages: Uint32Array = new Uint32Array(64 * PAGE_WORDS)
  #pagesUsed = 0
  #rows: Uint32Array
  #rowsUsed = 0
  readonly #pageByText = new Map<string, number>()
  readonly #rowByText = new Map<string, Row>()
  /** Where the pages begin that take part in one search. */
  readonly #taken: Int32Array

  /** `terms` are the numbers that are used; `tablesMax` is how many rows one search may join. */
  constructor(terms: readonly number[], tablesMax: number) {
    this.#pageCount = Math.max(1, Math.ceil(((terms.at(-1) ?? 0) + 1) / PAGE_TERMS))
    this.#rows = new Uint32Array(64 * this.#pageCount)
    this.#taken = new Int32Array(tablesMax)
    this.#internPage(new Uint32Array(PAGE_WORDS))
    this.#internPage(new Uint32Array(PAGE_WORDS).fill(0xffff_ffff))
    this.none = this.#internRow(new Uint32Array(this.#pageCount).fill(EMPTY_PAGE))
    this.every = this.rowOf(terms)
  }

  /** The row of these terms. */
  rowOf(terms: Iterable<number>): Row {
    const draft = this.draft(this.none)
    for (const term of terms) draft.set(term, true)
    return draft.row()
  }

  /** A row to be changed bit by bit, beginning as `row`. */
  draft(row: Row): RowDraft {
    const pageIds = this.#rows.slice(row * this.#pageCount, (row + 1) * this.#pageCount)
    const words = new Uint32Array(this.#pageCount * PAGE_WORDS)
    for (const [page, id] of pageIds.entries()) {
      words.set(this.#pages.subarray(id * PAGE_WORDS, (id + 1) * PAGE_WORDS), page * PAGE_WORDS)
    }
    const changed = new Set<number>()
    return {
      set(term, isIn) {
        const bit = 1 << (term & 31)
        const word = words[term >> 5] as number
        words[term >> 5] = isIn ? word | bit : word & ~bit
        changed.add(Math.floor(term / PAGE_TERMS))
      },
      row: () => {
        for (const page of changed) {
          pageIds[page] = this.#internPage(words.slice(page * PAGE_WORDS, (page + 1) * PAGE_WORDS))
        }
        changed.clear()
        return this.#internRow(pageIds)
      },
    }
  }

  /** Lets one page of a row take part, as the `taken`th; the number that now do, or -1 when nothing is left. */
  take(taken: number, row: Row, page: number): number {
    const id = this.#rows[row * this.#pageCount + page] as number
    if (id === EMPTY_PAGE) return -1
    if (id === FULL_PAGE) return taken
    this.#taken[taken] = id * PAGE_WORDS
    return taken + 1
  }

  /** The first term, counted within the page and not before `from`, that is in all pages taken; -1 without one. */
  firstTaken(taken: number, from: number = 0): number {
    const start = from >> 5
    for (let word = start; word < PAGE_WORDS; word++) {
      let bits = word === start ? -1 << (from & 31) : -1
      for (let i = 0; i < taken; i++) bits &= this.#pages[(this.#taken[i] as number) + word] as number
      if (bits !== 0) return word * 32 + 31 - Math.clz32(bits & -bits)
    }
    return -1
  }

  #internPage(words: Uint32Array): number {
    const text = words.join()
    const known = this.#pageByText.get(text)
    if (known !== undefined) return known
    const id = this.#pagesUsed++
    this.#pages = grown(this.#pages, this.#pagesUsed * PAGE_WORDS)
    this.#pages.set(words, id * PAGE_WORDS)
    this.#pageByText.set(text, id)
    return id
  }

  #internRow(pageIds: Uint32Array): Row {
    const text = pageIds.join()
    const known = this.#rowByText.get(text)
    if (known !== undefined) return known
    const row = this.#rowsUsed++
    this.#rows = grown(this.#rows, this.#rowsUsed * this.#pageCount)
    this.#rows.set(pageIds, row * this.#pageCount)
    this.#rowByText.set(text, row)
    return row
  }
}

/** A row that is being made. */
export interface RowDraft {
  set(term: number, isIn: boolean): void
  /** The row as it is now; more may be changed afterwards. */
  row(): Row
}

function grown(array: Uint32Array, needed: number): Uint32Array {
  if (needed <= array.length) return array
  const larger = new Uint32Array(Math.max(needed, array.length * 2))
  larger.set(array)
  return larger
}
