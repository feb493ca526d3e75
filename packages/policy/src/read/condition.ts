/** What must be true for a rule, from its map of keys. Words are checked here and nowhere later. */
import { COMMANDS, FOLLOWING, METHODS, PROTOCOLS } from '../facts.ts'
import { nearest } from '../nearest.ts'
import { type HostPattern, parseHostPattern } from '../host-pattern.ts'
import { INSIDE, type Network, containsNetwork, parseNetwork, reachedNetwork } from '../network.ts'
import type { Condition, NetworkTest, PortTest, Test, WordFact } from '../policy.ts'
import type { Path } from '../problem.ts'
import { parseSchedule } from '../schedule.ts'
import { readAsn, readCountry } from './registration.ts'
import type { ListWord, NamedLists } from './sets.ts'
import { type Notes, type RawMap, inWords, isMap } from './source.ts'

export interface ConditionReader {
  /** The condition at a path; `everything` in place of one that is wrong, which is noted. */
  read(value: unknown, path: Path): Condition
}

export interface Names {
  readonly sets: NamedLists
  readonly groups: NamedLists
  /** The zone of times that name none. */
  readonly zone: string
}

const EVERYTHING: Condition = { kind: 'everything' }
/** Deeper conditions are nobody's sentence, and must not exhaust the stack. */
const DEPTH_MAX = 16
const NETWORK_EXPECTED = 'expected a network such as 10.0.0.0/8 or 2001:db8::/32, without bits behind the prefix'
const TO_EXPECTED = 'expected a host (example.com, .example.com, *.example.com) or a network, perhaps with :PORT'

/** What a broader word stands for besides itself. */
const BROADER: Readonly<Record<string, readonly string[]>> = {
  ...Object.fromEntries(Object.entries(FOLLOWING).map(([request, other]) => [request, [other]])),
  socks4: ['socks4a'],
}

type KeyReader = (value: unknown, path: Path) => Condition

/** Reads conditions and notes what is wrong. */
export function createConditionReader(notes: Notes, names: Names): ConditionReader {
  return new MapReader(notes, names)
}

class MapReader implements ConditionReader {
  readonly #notes: Notes
  readonly #names: Names
  readonly #keys: ReadonlyMap<string, KeyReader>
  #depth = 0

  constructor(notes: Notes, names: Names) {
    this.#notes = notes
    this.#names = names
    this.#keys = new Map<string, KeyReader>([
      ['from', (value, path) => this.#from(value, path)],
      ['listener', (value, path) => this.#known(value, path, 'listener', this.#notes.source.listeners)],
      ['user', (value, path) => this.#words(value, path, 'user', word => word)],
      ['group', (value, path) => this.#group(value, path)],
      ['method', (value, path) => this.#known(value, path, 'method', METHODS)],
      ['protocol', (value, path) => this.#known(value, path, 'protocol', PROTOCOLS)],
      ['command', (value, path) => this.#known(value, path, 'command', COMMANDS)],
      ['to', (value, path) => this.#to(value, path)],
      ['port', (value, path) => this.#port(value, path)],
      ['country', (value, path) => this.#country(value, path)],
      ['asn', (value, path) => this.#asn(value, path)],
      ['when', (value, path) => this.#when(value, path)],
      ['all', (value, path) => this.#parts(value, path, 'all')],
      ['any', (value, path) => this.#parts(value, path, 'any')],
      ['not', (value, path) => ({ kind: 'not', of: this.read(value, path) })],
    ])
  }

  read(value: unknown, path: Path): Condition {
    if (value === 'everything') return EVERYTHING
    if (!isMap(value))
      return this.#wrong(path, 'expected a map such as { user: alice, to: .example.com }, or everything')
    if (this.#depth >= DEPTH_MAX) return this.#wrong(path, 'this is nested too deeply')
    this.#depth++
    const map = this.#notes.mapAt(value, path, [...this.#keys.keys()]) ?? {}
    const parts = this.#partsOf(map, path)
    this.#depth--
    if (parts.length === 0) return this.#wrong(path, 'expected at least one key; for all requests say everything')
    return parts.length === 1 ? (parts[0] as Condition) : { kind: 'all', of: parts }
  }

  #partsOf(map: RawMap, path: Path): readonly Condition[] {
    return Object.entries(map).map(([key, value]) => this.#keys.get(key)?.(value, [...path, key]) ?? EVERYTHING)
  }

  #parts(value: unknown, path: Path, kind: 'all' | 'any'): Condition {
    if (!Array.isArray(value)) return this.#wrong(path, 'expected a list of maps')
    return { kind, of: this.#notes.listAt(value, path).map(part => this.read(part.value, part.path)) }
  }

  #from(value: unknown, path: Path): Condition {
    const networks: Network[] = []
    let unix = false
    for (const word of this.#list(value, path)) {
      const network = parseNetwork(word.text)
      // Where it comes from: no translator makes another address of it.
      if (network !== undefined) networks.push(network)
      else if (word.text === 'unix') unix = true
      else this.#wrongWord(word, `${NETWORK_EXPECTED}, or unix`)
    }
    return { kind: 'client', networks, unix, inside: false, text: textOf('from', value) }
  }

  #words(
    value: unknown,
    path: Path,
    kind: WordFact,
    plain: (word: string) => string | undefined,
    key: string = kind,
  ): Test {
    const words = new Set<string>()
    for (const word of this.#list(value, path)) {
      const found = plain(word.text)
      if (found !== undefined) words.add(found)
    }
    return { kind, words, text: textOf(key, value) }
  }

  #known(value: unknown, path: Path, kind: WordFact, known: readonly string[] | undefined): Test {
    const words = new Set<string>()
    for (const word of this.#list(value, path)) {
      if (known !== undefined && !known.includes(word.text)) {
        this.#wrongWord(word, `expected ${inWords(known)}`, nearest(word.text, known))
      }
      for (const one of [word.text, ...(BROADER[word.text] ?? [])]) words.add(one)
    }
    return { kind, words, text: textOf(kind, value) }
  }

  #group(value: unknown, path: Path): Test {
    const words = new Set<string>()
    for (const { text, path: at } of this.#list(value, path)) {
      for (const member of this.#names.groups.use(text, at)) words.add(member.text)
    }
    return { kind: 'user', words, text: textOf('group', value) }
  }

  #country(value: unknown, path: Path): Test {
    return this.#words(value, path, 'country', word => readCountry(word, path, this.#notes))
  }

  #asn(value: unknown, path: Path): Test {
    return this.#words(value, path, 'asn', word => readAsn(word, path, this.#notes))
  }

  #port(value: unknown, path: Path): Test {
    const ranges: (readonly [number, number])[] = []
    for (const word of this.#list(value, path)) {
      const range = parsePorts(word.text)
      if (range === undefined) this.#wrongWord(word, 'expected a port or a range of ports such as 8000-8999')
      else ranges.push(range)
    }
    return { kind: 'port', ranges, text: textOf('port', value) }
  }

  #when(value: unknown, path: Path): Condition {
    const schedules = this.#list(value, path).flatMap(word => {
      const schedule = parseSchedule(word.text, this.#names.zone)
      if (schedule === undefined) this.#wrongWord(word, 'expected a time such as Mon-Fri 08:00-18:00 Europe/Berlin')
      return schedule ?? []
    })
    return { kind: 'when', schedules, text: textOf('when', value) }
  }

  // Hosts, networks that are inside, other networks; each with or without ports.
  #to(value: unknown, path: Path): Condition {
    const byPorts = new Map<string, { ports?: PortTest; hosts: HostPattern[]; inside: Network[]; others: Network[] }>()
    const text = textOf('to', value)
    for (const word of this.#list(value, path)) {
      const target = parseTarget(word.text)
      if (target === undefined) {
        this.#wrongWord(word, TO_EXPECTED)
        continue
      }
      const key = target.ports?.join('-') ?? ''
      const ports = target.ports && { ports: { kind: 'port', ranges: [target.ports], text } as const }
      const entry = byPorts.get(key) ?? { ...ports, hosts: [], inside: [], others: [] }
      byPorts.set(key, entry)
      if ('name' in target.host) entry.hosts.push(target.host)
      else if (INSIDE.some(outer => containsNetwork(outer, target.host as Network))) entry.inside.push(target.host)
      else entry.others.push(target.host)
    }
    const parts = [...byPorts.values()].flatMap(({ ports, hosts, inside, others }): readonly Condition[] => {
      const tests: Test[] = []
      if (hosts.length > 0) tests.push({ kind: 'host', names: hosts, text })
      if (inside.length > 0) tests.push(addressTest(inside, true, text))
      if (others.length > 0) tests.push(addressTest(others, false, text))
      return ports === undefined ? tests : tests.map(test => ({ kind: 'all', of: [test, ports] }))
    })
    const [only] = parts
    return only !== undefined && parts.length === 1 ? only : { kind: 'any', of: parts, text }
  }

  #list(value: unknown, path: Path): readonly ListWord[] {
    return this.#names.sets.wordsAt(value, path)
  }

  #wrongWord(word: ListWord, expected: string, suggestion?: string): void {
    const place = word.origin === undefined ? '' : `${word.origin}: `
    this.#notes.wrong(word.path, `${place}${expected}; "${word.text}" is none`, suggestion)
  }

  #wrong(path: Path, message: string): Condition {
    this.#notes.wrong(path, message)
    return EVERYTHING
  }
}

function addressTest(networks: readonly Network[], inside: boolean, text: string): NetworkTest {
  return { kind: 'address', networks, unix: false, inside, text }
}

/** `to .example.com, $mail`: a key as it was written. */
function textOf(key: string, value: unknown): string {
  // What is no word has been refused, and may be a map with a key toString.
  const words = (Array.isArray(value) ? value : [value]).map(word => (typeof word === 'object' ? '' : String(word)))
  const shown =
    words.length > WORDS_SHOWN_MAX
      ? [...words.slice(0, WORDS_SHOWN_MAX), `and ${words.length - WORDS_SHOWN_MAX} more`]
      : words
  return `${key} ${shown.join(', ')}`
}

/** A longer list is told by its beginning. */
const WORDS_SHOWN_MAX = 6

interface Target {
  readonly host: HostPattern | Network
  readonly ports?: readonly [number, number]
}

function parseTarget(text: string): Target | undefined {
  const whole = parseHost(text)
  if (whole !== undefined) return { host: whole }
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+)):([0-9-]+)$/.exec(text)
  const host = match === null ? undefined : parseHost(match[1] ?? match[2] ?? '')
  const ports = parsePorts(match?.[3] ?? '')
  return host === undefined || ports === undefined ? undefined : { host, ports }
}

function parseHost(text: string): HostPattern | Network | undefined {
  const network = parseNetwork(text)
  return network === undefined ? parseHostPattern(text) : reachedNetwork(network)
}

/** First and last port of `443` or `8000-8999`. */
function parsePorts(text: string): readonly [number, number] | undefined {
  const match = /^(0|[1-9][0-9]{0,4})(?:-([1-9][0-9]{0,4}))?$/.exec(text)
  if (match === null) return undefined
  const first = Number(match[1])
  const last = Number(match[2] ?? match[1])
  return first <= last && last <= 65_535 ? [first, last] : undefined
}
