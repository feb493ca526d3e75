/**
 * Finds the first of many terms that holds. Terms that look at the same things stand together on pages, so that a page
 * is passed over as soon as one of its few tables has nothing on it; what no page asks for is never looked up. Knows no
 * verdict: a term has a kind, and a search names the kinds that it is for.
 */
import type { IpAddress } from '@socksmith/protocol'
import type { Facts, Geo } from '../facts.ts'
import type { Test } from '../policy.ts'
import type { Placed } from './fact-table.ts'
import { type Layer, UNKNOWN, layerOf } from './layer.ts'
import { PAGE_TERMS, RowStore } from './row-store.ts'
import type { Literal } from './terms.ts'

export interface SearchTerm {
  readonly literals: readonly Literal[]
  /** One bit. */
  readonly kind: number
}

/** The row of a layer that has not been looked up for these facts. */
const UNSET = -2

/** What tells most is asked first. */
const TELLING: readonly Test['kind'][] = [
  'user',
  'host',
  'address',
  'client',
  'port',
  'asn',
  'country',
  'listener',
  'method',
  'protocol',
  'command',
  'when',
]

/** Terms of one kind that look at the same layers. Slots are where terms stand on pages. */
interface Page {
  readonly kind: number
  readonly layers: readonly number[]
  readonly number: number
  readonly firstSlot: number
  readonly firstTerm: number
}

const NOBODY: Facts = { nowMs: 0, client: 'unix', listener: '' }

export class Search {
  /** In the order of their first terms. */
  readonly #pages: readonly Page[]
  readonly #store: RowStore
  readonly #layers: readonly Layer[]
  /** The term of each slot. */
  readonly #terms: Int32Array
  readonly #kinds: number
  readonly #possible: Int32Array
  readonly #sure: Int32Array
  #facts: Facts = NOBODY
  #form: IpAddress | undefined
  #metUnknown = false

  constructor(terms: readonly SearchTerm[], geo: Geo) {
    const { layers, ofTerm } = layersOf(terms)
    const { pages, slots } = pagesOf(terms, ofTerm)
    this.#pages = pages.toSorted((a, b) => a.firstTerm - b.firstTerm)
    this.#terms = Int32Array.from(slots)
    this.#kinds = terms.reduce((kinds, { kind }) => kinds | kind, 0)
    const slotOf = new Map(slots.flatMap((term, slot) => (term === -1 ? [] : [[term, slot] as const])))
    this.#store = new RowStore(
      [...slotOf.values()].sort((a, b) => a - b),
      layers.length,
    )
    this.#layers = layers.map(({ kind, placed }) =>
      layerOf(
        kind,
        placed.map(one => ({ ...one, term: slotOf.get(one.term) as number })),
        this.#store,
        geo,
      ),
    )
    this.#possible = new Int32Array(layers.length)
    this.#sure = new Int32Array(layers.length)
  }

  /** What the next searches are about. */
  about(facts: Facts, form: IpAddress | undefined): void {
    this.#facts = facts
    this.#form = form
    this.#metUnknown = false
    this.#possible.fill(UNSET)
    this.#sure.fill(UNSET)
  }

  /** Whether a fact that is not known yet mattered since {@link about}. */
  get metUnknown(): boolean {
    return this.#metUnknown
  }

  /** Whether there is a term of these kinds at all. */
  has(kinds: number): boolean {
    return (this.#kinds & kinds) !== 0
  }

  /** The first term of these kinds that holds whatever is still unknown; -1 when there is none. */
  firstSure(kinds: number): number {
    return this.#first(this.#sure, kinds)
  }

  /** The first term of these kinds that may hold; -1 when there is none. */
  firstPossible(kinds: number): number {
    return this.#first(this.#possible, kinds)
  }

  /** Every term of these kinds that holds whatever is still unknown, in order. */
  allSure(kinds: number): readonly number[] {
    const found: number[] = []
    for (const page of this.#pages) {
      const taken = (page.kind & kinds) === 0 ? -1 : this.#takePage(this.#sure, page)
      let bit = taken < 0 ? -1 : this.#store.firstTaken(taken)
      while (bit >= 0) {
        const term = this.#terms[page.firstSlot + bit] ?? -1
        if (term === -1) break
        found.push(term)
        bit = bit + 1 < PAGE_TERMS ? this.#store.firstTaken(taken, bit + 1) : -1
      }
    }
    return found.sort((a, b) => a - b)
  }

  #first(rows: Int32Array, kinds: number): number {
    let best = -1
    for (let i = 0; i < this.#pages.length; i++) {
      const page = this.#pages[i] as Page
      if (best !== -1 && page.firstTerm > best) break
      if ((page.kind & kinds) === 0) continue
      const taken = this.#takePage(rows, page)
      const bit = taken < 0 ? -1 : this.#store.firstTaken(taken)
      if (bit < 0) continue
      const term = this.#terms[page.firstSlot + bit] as number
      if (best === -1 || term < best) best = term
    }
    return best
  }

  #takePage(rows: Int32Array, page: Page): number {
    const { layers, number } = page
    let taken = 0
    for (let i = 0; i < layers.length; i++) {
      const layer = layers[i] as number
      if (rows[layer] === UNSET) this.#lookUp(layer)
      taken = this.#store.take(taken, rows[layer] as number, number)
      if (taken < 0) return -1
    }
    return taken
  }

  #lookUp(index: number): void {
    const { lookup, free } = this.#layers[index] as Layer
    const row = lookup(this.#facts, this.#form)
    const isUnknown = row === UNKNOWN
    if (isUnknown) this.#metUnknown = true
    this.#possible[index] = isUnknown ? this.#store.every : row
    this.#sure[index] = isUnknown ? free : row
  }
}

interface LaidLayer {
  readonly kind: Test['kind']
  readonly placed: Placed<Test>[]
}

/** The literals of all terms, in layers of one kind each with at most one literal of a term; and the layers of each term. */
function layersOf(terms: readonly SearchTerm[]): {
  readonly layers: readonly LaidLayer[]
  readonly ofTerm: readonly (readonly number[])[]
} {
  const indexes = new Map<string, number>()
  const layers: LaidLayer[] = []
  const ofTerm = terms.map(({ literals }, term) => {
    const depth = new Map<Test['kind'], number>()
    const mine = literals.map(({ test, isPositive }) => {
      const level = depth.get(test.kind) ?? 0
      depth.set(test.kind, level + 1)
      const key = `${test.kind} ${level}`
      const index = indexes.get(key) ?? layers.length
      indexes.set(key, index)
      layers[index] ??= { kind: test.kind, placed: [] }
      layers[index].placed.push({ test, term, isPositive })
      return index
    })
    return mine.sort((a, b) => rankOf(layers, a) - rankOf(layers, b) || a - b)
  })
  return { layers, ofTerm }
}

function rankOf(layers: readonly LaidLayer[], layer: number): number {
  return TELLING.indexOf((layers[layer] as LaidLayer).kind)
}

/** Terms with the same kind and the same layers, page by page; a slot without a term holds -1. */
function pagesOf(
  terms: readonly SearchTerm[],
  ofTerm: readonly (readonly number[])[],
): { readonly pages: readonly Page[]; readonly slots: readonly number[] } {
  const groups = new Map<string, number[]>()
  for (const [term, { kind }] of terms.entries()) {
    const key = `${kind} ${(ofTerm[term] ?? []).join()}`
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [term])
    else group.push(term)
  }
  const pages: Page[] = []
  const slots: number[] = []
  for (const group of groups.values()) {
    for (let start = 0; start < group.length; start += PAGE_TERMS) {
      const firstTerm = group[start] as number
      const { kind } = terms[firstTerm] as SearchTerm
      pages.push({ kind, layers: ofTerm[firstTerm] ?? [], number: pages.length, firstSlot: slots.length, firstTerm })
      for (let slot = 0; slot < PAGE_TERMS; slot++) slots.push(group[start + slot] ?? -1)
    }
  }
  return { pages, slots }
}
