/** From a host name to a row: a tree of labels from the right, so that a name costs as many steps as its rules are deep. */
import { type HostPattern } from '../host-pattern.ts'
import type { Row, RowStore } from './row-store.ts'

interface Entry {
  readonly term: number
  readonly isIn: boolean
}

interface Draft {
  readonly children: Map<string, Draft>
  readonly itself: Entry[]
  readonly below: Entry[]
}

interface Node {
  readonly children: ReadonlyMap<string, Node>
  /** The row of the name that ends here, and of every name below that has no node of its own. */
  readonly itself: Row
  readonly below: Row
}

export interface HostStretch extends Entry {
  readonly pattern: HostPattern
}

export class HostTable {
  readonly #root: Node

  private constructor(root: Node) {
    this.#root = root
  }

  /** `base` is the row of a name that no pattern matches, and of "no name". */
  static of(stretches: readonly HostStretch[], store: RowStore, base: Row): HostTable {
    const root: Draft = { children: new Map(), itself: [], below: [] }
    for (const { pattern, term, isIn } of stretches) {
      const node = nodeOf(root, pattern.name)
      if (pattern.itself) node.itself.push({ term, isIn })
      if (pattern.below) node.below.push({ term, isIn })
    }
    return new HostTable(finished(root, store, base))
  }

  /** The row of a name in plain form. */
  at(name: string): Row {
    let node = this.#root
    let end = name.length
    while (end > 0) {
      const dot = name.lastIndexOf('.', end - 1)
      const child = node.children.get(name.slice(dot + 1, end))
      if (child === undefined) return node.below
      node = child
      end = dot
    }
    return node.itself
  }
}

function nodeOf(root: Draft, name: string): Draft {
  let node = root
  for (const label of name.split('.').toReversed()) {
    let child = node.children.get(label)
    if (child === undefined) node.children.set(label, (child = { children: new Map(), itself: [], below: [] }))
    node = child
  }
  return node
}

function finished(draft: Draft, store: RowStore, inherited: Row, known: Map<string, Row> = new Map()): Node {
  // Long lists belong to few terms: most rows are made once.
  const rowWith = (entries: readonly Entry[]): Row => {
    if (entries.length === 0) return inherited
    const key = `${inherited} ${entries.map(({ term, isIn }) => `${term}${isIn}`).join(' ')}`
    const made = known.get(key)
    if (made !== undefined) return made
    const row = store.draft(inherited)
    for (const { term, isIn } of entries) row.set(term, isIn)
    known.set(key, row.row())
    return row.row()
  }
  const below = rowWith(draft.below)
  const children = new Map<string, Node>()
  for (const [label, child] of draft.children) children.set(label, finished(child, store, below, known))
  return { children, itself: rowWith(draft.itself), below }
}
