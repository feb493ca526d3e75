/** Named lists: sets and groups, inline or from files, which may stand for each other by `$name`. Knows not what the words mean. */
import { formatNetwork, INSIDE, LOOPBACK } from '../network.ts'
import { nearest } from '../nearest.ts'
import type { NamedSet } from '../policy.ts'
import type { Path } from '../problem.ts'
import { type Notes, isMap } from './source.ts'

/** One word of a list, and where it was written. */
export interface ListWord {
  readonly text: string
  readonly path: Path
  /** `blocked.txt:7`, for a word from a file. */
  readonly origin?: string
}

const NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$/
/** Entries of one set: a million names are some hundred megabytes of tables. */
const ENTRIES_MAX = 1_000_000

const BUILT_IN: ReadonlyMap<string, readonly string[]> = new Map([
  ['inside', INSIDE.map(formatNetwork)],
  ['loopback', LOOPBACK.map(formatNetwork)],
])

interface Defined {
  readonly path: Path
  readonly value: unknown
  isUsed: boolean
}

/** All lists of one kind. */
export class NamedLists {
  readonly #notes: Notes
  readonly #kind: NamedSet['kind']
  readonly #defined = new Map<string, Defined>()
  readonly #words = new Map<string, readonly ListWord[]>()
  readonly #files: Set<string>
  /** The lists that are being put in, to find those that stand for themselves. */
  readonly #open: string[] = []
  /** What `$name` means in these lists. */
  readonly #sets: NamedLists

  constructor(notes: Notes, kind: NamedSet['kind'], raw: unknown, files: Set<string>, sets?: NamedLists) {
    this.#notes = notes
    this.#kind = kind
    this.#files = files
    this.#sets = sets ?? this
    if (raw === undefined) return
    if (!isMap(raw)) notes.wrong([`${kind}s`], 'expected a map from names to lists')
    for (const [name, value] of isMap(raw) ? Object.entries(raw) : []) {
      const path: Path = [`${kind}s`, name]
      if (!NAME.test(name)) notes.wrong(path, 'expected a name of letters, digits, dots, dashes and underscores')
      else if (BUILT_IN.has(name)) notes.wrong(path, `the set $${name} is there already and cannot be changed`)
      else this.#defined.set(name, { path, value, isUsed: false })
    }
  }

  /** The words of a list, named for use at `path`; empty (and noted) when there is no such list. */
  use(name: string, path: Path): readonly ListWord[] {
    const builtIn = this.#kind === 'set' ? BUILT_IN.get(name) : undefined
    if (builtIn !== undefined) return builtIn.map(text => ({ text, path }))
    const defined = this.#defined.get(name)
    if (defined === undefined) {
      const names = [...this.#defined.keys(), ...(this.#kind === 'set' ? BUILT_IN.keys() : [])]
      this.#notes.wrong(path, `there is no ${this.#kind} "${name}"`, nearest(name, names))
      return []
    }
    defined.isUsed = true
    return this.#wordsOf(name, defined)
  }

  /** The words at a path, with sets put in. */
  wordsAt(value: unknown, path: Path): readonly ListWord[] {
    return this.#notes.listAt(value, path).flatMap(one => {
      const text = this.#notes.textAt(one.value, one.path, 'expected a text')
      if (text === undefined) return []
      return text.startsWith('$') ? this.#sets.use(text.slice(1), one.path) : [{ text, path: one.path }]
    })
  }

  /** Every list that was defined. To be asked when all rules are read. */
  summary(): readonly NamedSet[] {
    return [...this.#defined].map(([name, defined]) => ({
      kind: this.#kind,
      name,
      place: this.#notes.placeOf(defined.path),
      size: this.#wordsOf(name, defined).length,
      isUsed: defined.isUsed,
    }))
  }

  #wordsOf(name: string, { path, value }: Defined): readonly ListWord[] {
    const known = this.#words.get(name)
    if (known !== undefined) return known
    if (this.#open.includes(name)) {
      this.#notes.wrong(path, `the ${this.#kind} "${name}" stands for itself: ${[...this.#open, name].join(' → ')}`)
      return []
    }
    this.#open.push(name)
    const words = isMap(value) ? this.#wordsOfFile(value, path) : this.#wordsOfList(value, path)
    this.#open.pop()
    if (words.length > ENTRIES_MAX) this.#notes.wrong(path, `expected at most ${ENTRIES_MAX} entries`)
    this.#words.set(name, words)
    return words
  }

  // An empty list is no fault here: a guest list may be empty today. Lint tells it.
  #wordsOfList(value: unknown, path: Path): readonly ListWord[] {
    if (value === null || (Array.isArray(value) && value.length === 0)) return []
    return this.wordsAt(value, path)
  }

  #wordsOfFile(value: object, path: Path): readonly ListWord[] {
    const file = this.#notes.mapAt(value, path, ['file'])?.['file']
    const at = [...path, 'file']
    if (file === undefined) {
      this.#notes.missing(at)
      return []
    }
    const name = this.#notes.textAt(file, at, 'expected the path of a file')
    if (name === undefined) return []
    this.#files.add(name)
    const read = this.#notes.source.readText(name)
    if ('fault' in read) {
      this.#notes.wrong(at, `cannot read ${name}: ${read.fault}`)
      return []
    }
    // Lines of other systems end with CR LF, and `.` matches no CR: the comment would stay.
    return read.text.split(/\r?\n/).flatMap((line, index) => {
      const text = line.replace(/(^|\s)#.*$/, '').trim()
      return text === '' ? [] : [{ text, path: at, origin: `${name}:${index + 1}` }]
    })
  }
}
