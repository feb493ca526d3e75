/**
 * Requests that stand for all others: where every test of some rules has the same answer, one request is as good as
 * another. So looking at one of each kind is looking at all of them. Knows no verdict.
 */
import { type IpAddress, parseIp } from '@socksmith/protocol'
import { rangeOf } from './compile/fact-table.ts'
import type { Term } from './compile/terms.ts'
import { type Facts, METHODS } from './facts.ts'
import type { Test } from './policy.ts'
import { type Place, type View, truthOf } from './walk.ts'

/** One request, with where its address is registered. */
export interface Point {
  readonly facts: Facts
  readonly place: Place
}

/** The part of a request that one kind of test looks at. */
type Part = Partial<Facts> & { readonly country?: string; readonly asn?: string }

type Kind = Test['kind']

export interface Points {
  /** Requests that a term matches, at most `most`; `isAll` when no other request behaves differently. */
  within(term: Term, most: number): { readonly points: readonly Point[]; readonly isAll: boolean }
}

const KINDS: readonly Kind[] = ['listener', 'client', 'protocol', 'method', 'user', 'command']
const MORE_KINDS: readonly Kind[] = ['host', 'address', 'port', 'country', 'asn', 'when']
/** Parts of one kind that are told apart; a term's own come first. */
const PARTS_MAX = 400

/** `nowMs` is any moment: times around it stand for all. */
export function pointsOf(tests: readonly Test[], nowMs: number): Points {
  const parts = new Map<Kind, readonly Part[]>()
  let areAll = true
  for (const kind of [...KINDS, ...MORE_KINDS]) {
    const mine = distinctTests(tests.filter(test => test.kind === kind))
    const found = distinct(candidatesOf(kind, mine, nowMs), mine)
    areAll &&= found.length <= PARTS_MAX
    parts.set(kind, found)
  }
  return { within: (term, most) => productWithin(term, parts, most, areAll) }
}

function productWithin(
  term: Term,
  parts: ReadonlyMap<Kind, readonly Part[]>,
  most: number,
  areAll: boolean,
): { readonly points: readonly Point[]; readonly isAll: boolean } {
  let points: readonly Part[] = [{}]
  let isAll = areAll
  for (const [kind, all] of parts) {
    const literals = term.literals.filter(({ test }) => test.kind === kind)
    const fitting = all.filter(part =>
      literals.every(({ test, isPositive }) => truthOf(test, viewOf(part)) === isPositive),
    )
    // Those of the term itself are few; of the rest as many as there is room for.
    const room = Math.max(1, Math.floor(most / Math.max(1, points.length)))
    if (fitting.length > room) isAll = false
    const taken = fitting.slice(0, Math.min(room, PARTS_MAX))
    points = points.flatMap(point => taken.map(part => ({ ...point, ...part })))
  }
  return { points: points.map(pointOf), isAll }
}

function pointOf({ country, asn, ...facts }: Part): Point {
  return {
    facts: { ...NOBODY, ...facts },
    place: { ...(country !== undefined && { country }), ...(asn !== undefined && { asn }) },
  }
}

const OUTSIDE = parseIp('93.184.216.34') as IpAddress
const NOBODY: Facts = { nowMs: 0, client: OUTSIDE, listener: '' }

function viewOf(part: Part): View {
  const { facts, place } = pointOf(part)
  return { facts, host: facts.host, form: facts.address, place }
}

/** One part for each pattern of answers. */
function distinct(candidates: readonly Part[], tests: readonly Test[]): readonly Part[] {
  const found = new Map<string, Part>()
  for (const part of candidates) {
    const view = viewOf(part)
    const answers = tests.map(test => (truthOf(test, view) === true ? '1' : '0')).join('')
    if (!found.has(answers)) found.set(answers, part)
    if (found.size > PARTS_MAX) break
  }
  return [...found.values()]
}

function distinctTests(tests: readonly Test[]): readonly Test[] {
  return [...new Set(tests)]
}

function candidatesOf(kind: Kind, tests: readonly Test[], nowMs: number): readonly Part[] {
  switch (kind) {
    case 'client':
      return [{ client: OUTSIDE }, ...addressesOf(tests).map(client => ({ client })), { client: 'unix' as const }]
    case 'address':
      return [{ address: OUTSIDE }, ...addressesOf(tests).map(address => ({ address }))]
    case 'host':
      return [
        { host: 'elsewhere.test' },
        ...tests.flatMap(test =>
          test.kind === 'host' ? test.names.flatMap(({ name }) => [{ host: name }, { host: `x.${name}` }]) : [],
        ),
        { host: null },
      ]
    case 'port':
      return [443, ...tests.flatMap(portsOf)].filter(port => port >= 0 && port <= 65_535).map(port => ({ port }))
    case 'when':
      return tests.length === 0 ? [{ nowMs }] : momentsAround(tests, nowMs)
    default:
      return wordsOf(kind, tests)
  }
}

function wordsOf(
  kind: Exclude<Kind, 'client' | 'address' | 'host' | 'port' | 'when'>,
  tests: readonly Test[],
): readonly Part[] {
  const words = [...new Set(tests.flatMap(test => ('words' in test ? [...test.words] : [])))]
  const other: { readonly [K in typeof kind]: Part } = {
    listener: { listener: '' },
    user: { user: 'somebody' },
    method: { method: METHODS.find(word => !words.includes(word)) },
    protocol: { protocol: 'socks5' },
    command: { command: 'connect' },
    country: {},
    asn: {},
  }
  const nobody: readonly Part[] = kind === 'user' ? [{ user: null }] : []
  return [other[kind], ...words.map(word => ({ [kind]: word }) as Part), ...nobody]
}

function addressesOf(tests: readonly Test[]): readonly IpAddress[] {
  return tests.flatMap(test =>
    'networks' in test
      ? test.networks.flatMap(network => {
          const { first, last } = rangeOf(network)
          const size = network.address.octets.length
          return [first, last, last + 1n, first - 1n].flatMap(number => addressAt(number, size))
        })
      : [],
  )
}

function addressAt(number: bigint, size: number): readonly IpAddress[] {
  if (number < 0n || number >= 1n << BigInt(size * 8)) return []
  const octets = Uint8Array.from({ length: size }, (_, index) =>
    Number((number >> BigInt((size - 1 - index) * 8)) & 0xffn),
  )
  return [size === 4 ? { type: 'ipv4', octets } : { type: 'ipv6', octets }]
}

function portsOf(test: Test): readonly number[] {
  return test.kind === 'port' ? test.ranges.flatMap(([first, last]) => [first, last, first - 1, last + 1]) : []
}

const DAY_MS = 86_400_000
const QUARTER_MS = 900_000

// A week around now by quarters of an hour, and the days on which calendars turn.
function momentsAround(tests: readonly Test[], nowMs: number): readonly Part[] {
  const start = Math.floor(nowMs / QUARTER_MS) * QUARTER_MS
  const week = Array.from({ length: 7 * 96 }, (_, quarter) => start + quarter * QUARTER_MS)
  const days = tests.flatMap(test =>
    test.kind === 'when' ? test.schedules.flatMap(({ days }) => (days ?? []).filter(day => Number.isFinite(day))) : [],
  )
  const turns = days.flatMap(day =>
    [-1, 0, 1].flatMap(step => [6, 12, 20].map(hour => (day + step) * DAY_MS + hour * 3_600_000)),
  )
  return [nowMs, ...week, ...turns].map(moment => ({ nowMs: moment }))
}
