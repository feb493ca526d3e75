/** What a policy is read from, and the notes that are taken on the way. Knows no key. */
import type { Path, Problem, SourcePlace } from '../problem.ts'
import { nearest } from '../nearest.ts'

/** A map as YAML or TOML give it. */
export interface RawMap {
  readonly [key: string]: unknown
}

/** What the reader asks of the world. */
export interface PolicySource {
  readonly file: string
  /** The line, from 1, on which the value at a path stands. */
  readonly lineOf: (path: Path) => number
  /** The text of a file that a set names, or why it cannot be read. */
  readonly readText: (file: string) => { readonly text: string } | { readonly fault: string }
  /** Names that are defined elsewhere; absent: not known, so any name is taken. */
  readonly routes?: readonly string[]
  /** What people call the way of rules that name none. Default: `direct`. */
  readonly defaultWay?: string
  readonly listeners?: readonly string[]
}

/** Wrong files are told by their first problems. */
const PROBLEMS_MAX = 100

/** Reads parts of a raw policy and collects what is wrong with it. */
export class Notes {
  readonly source: PolicySource
  readonly problems: Problem[] = []

  constructor(source: PolicySource) {
    this.source = source
  }

  placeOf(path: Path): SourcePlace {
    return { file: this.source.file, line: this.source.lineOf(path) }
  }

  /** Notes a wrong value; answers `undefined`, for the value that is not there. */
  wrong(path: Path, message: string, suggestion?: string): undefined {
    this.#note({ path, at: 'value', message, ...(suggestion !== undefined && { suggestion }) })
  }

  missing(path: Path): void {
    this.#note({ path, at: 'missing', message: `the key "${String(path.at(-1))}" is missing here` })
  }

  /** The map at a path, without keys that are not known; `undefined` when it is none. */
  mapAt(value: unknown, path: Path, keys: readonly string[]): RawMap | undefined {
    if (!isMap(value)) return this.wrong(path, 'expected a map of keys')
    for (const key of Object.keys(value)) if (!keys.includes(key)) this.#unknownKey([...path, key], key, keys)
    return value
  }

  /** A list, or one value for a list of one. */
  listAt(value: unknown, path: Path): readonly { readonly value: unknown; readonly path: Path }[] {
    if (!Array.isArray(value)) return [{ value, path }]
    if (value.length === 0) this.wrong(path, 'expected at least one')
    return value.map((one: unknown, index) => ({ value: one, path: [...path, index] }))
  }

  /** One of these words. */
  wordAt<W extends string>(value: unknown, path: Path, words: readonly W[]): W | undefined {
    const found = words.find(word => word === value)
    if (found !== undefined) return found
    return this.wrong(path, `expected ${inWords(words)}`, typeof value === 'string' ? nearest(value, words) : undefined)
  }

  /** A text that is not empty; a number is the text of it. */
  textAt(value: unknown, path: Path, expected: string): string | undefined {
    if (typeof value === 'number' || typeof value === 'boolean') return String(value)
    return typeof value === 'string' && value.trim() !== '' ? value.trim() : this.wrong(path, expected)
  }

  /** A name that must be one of those that are known. */
  nameAt(value: unknown, path: Path, kind: string, known: readonly string[] | undefined): string | undefined {
    const name = this.textAt(value, path, `expected the name of a ${kind}`)
    if (name === undefined || known === undefined || known.includes(name)) return name
    const there = known.length === 0 ? `no ${kind} is defined` : `there is ${known.join(', ')}`
    return this.wrong(path, `there is no ${kind} "${name}"; ${there}`, nearest(name, known))
  }

  #unknownKey(path: Path, key: string, keys: readonly string[]): void {
    const suggestion = nearest(key, keys)
    const rest = suggestion === undefined ? `; the keys here are ${keys.join(', ')}` : ''
    this.#note({
      path,
      at: 'key',
      message: `unknown key "${key}"${rest}`,
      ...(suggestion !== undefined && { suggestion }),
    })
  }

  #note(problem: Problem): void {
    if (this.problems.length < PROBLEMS_MAX) this.problems.push(problem)
  }
}

export function isMap(value: unknown): value is RawMap {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export function inWords(words: readonly string[]): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`
}
