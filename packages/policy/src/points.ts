/**
 * Requests that stand for all others: where every test of some rules has the same answer, one request is as good as
 * another. So looking at one of each kind is looking at all of them. Knows no verdict.
 */
import { type IpAddress, parseIp } from '@socksmith/protocol'
import { addressForms } from './network.ts'
import { rangeOf } from './compile/fact-table.ts'
import type { Term } from './compile/terms.ts'
import { COMMANDS, type Facts, METHODS, PROTOCOLS } from './facts.ts'
import type { Test } from './policy.ts'
import type { Schedule } from './schedule.ts'
import { momentsAround } from './moments.ts'
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
/** Parts of one kind that are told apart. With more, each term is looked at by its own and by some of the others. */
const PARTS_MAX = 400

/** The parts of one kind; `areAll` when there are no others. */
interface Parts {
  readonly kind: Kind
  readonly parts: readonly Part[]
  readonly areAll: boolean
}

/** `nowMs` is any moment: times around it stand for all. */
export function pointsOf(tests: readonly Test[], nowMs: number): Points {
  const all = [...KINDS, ...MORE_KINDS].map((kind): Parts => {
    const mine = distinctTests(tests.filter(test => test.kind === kind))
    const parts = distinct(candidatesOf(kind, mine, nowMs), mine)
    return { kind, parts, areAll: parts.length <= PARTS_MAX }
  })
  return { within: (term, most) => productWithin(term, all, most, nowMs) }
}

function productWithin(
  term: Term,
  all: readonly Parts[],
  most: number,
  nowMs: number,
): { readonly points: readonly Point[]; readonly isAll: boolean } {
  const fitting = all.map(one => partsWithin(term, one, nowMs))
  // What the term is about first, then what has few parts: the room is for those.
  const inOrder = fitting.toSorted((a, b) => Number(b.isAsked) - Number(a.isAsked) || a.parts.length - b.parts.length)
  let points: readonly Part[] = [{}]
  let isAll = true
  for (const { parts, areAll } of inOrder) {
    const room = Math.max(1, Math.floor(most / points.length))
    isAll &&= areAll && parts.length <= room
    const taken = parts.slice(0, room)
    points = points.flatMap(point => taken.map(part => Object.assign({}, point, part)))
  }
  return { points: points.map(pointOf), isAll }
}

/** The parts of one kind with which a term matches. */
function partsWithin(term: Term, { kind, parts, areAll }: Parts, nowMs: number): Parts & { readonly isAsked: boolean } {
  const literals = term.literals.filter(({ test }) => test.kind === kind)
  const isAsked = literals.length > 0
  if (!isAsked) return { kind, parts, areAll, isAsked }
  const tests = literals.map(({ test }) => test)
  const own = areAll ? [] : distinct(candidatesOf(kind, tests, nowMs), tests)
  const fits = (part: Part): boolean =>
    viewsOf(part).some(view => literals.every(({ test, isPositive }) => truthOf(test, view) === isPositive))
  return { kind, parts: [...own, ...parts].filter(fits), areAll, isAsked }
}

function pointOf({ country, asn, ...facts }: Part): Point {
  return {
    facts: { ...NOBODY, ...facts },
    place: { ...(country !== undefined && { country }), ...(asn !== undefined && { asn }) },
  }
}

const OUTSIDE = parseIp('93.184.216.34') as IpAddress
const OUTSIDE_IPV6 = parseIp('2600::1') as IpAddress
const NOBODY: Facts = { nowMs: 0, client: OUTSIDE, listener: '' }

/** A view for each form in which rules see the address. */
function viewsOf(part: Part): readonly View[] {
  const { facts, place } = pointOf(part)
  const forms = facts.address === undefined ? [undefined] : addressForms(facts.address)
  return forms.map(form => ({ facts, host: facts.host, form, place }))
}

/** One part for each pattern of answers. */
function distinct(candidates: readonly Part[], tests: readonly Test[]): readonly Part[] {
  const found = new Map<string, Part>()
  for (const part of candidates) {
    const answers = viewsOf(part).map(view => tests.map(test => truthOf(test, view) === true).join())
    const key = answers.join(' ')
    if (!found.has(key)) found.set(key, part)
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
      return [{ host: 'elsewhere.test' }, ...hostsOf(tests).map(host => ({ host })), { host: null }]
    case 'port':
      return [443, ...tests.flatMap(portsOf)].filter(port => port >= 0 && port <= 65_535).map(port => ({ port }))
    case 'when':
      return tests.length === 0 ? [{ nowMs }] : momentsAround(schedulesOf(tests), nowMs).map(nowMs => ({ nowMs }))
    default:
      return wordsOf(kind, tests)
  }
}

function wordsOf(
  kind: Exclude<Kind, 'client' | 'address' | 'host' | 'port' | 'when'>,
  tests: readonly Test[],
): readonly Part[] {
  switch (kind) {
    case 'method':
      return METHODS.map(method => ({ method }))
    case 'protocol':
      return ['socks5', ...PROTOCOLS].map(protocol => ({ protocol }) as Part)
    case 'command':
      return COMMANDS.map(command => ({ command }))
    default: {
      const words = [...new Set(tests.flatMap(test => ('words' in test ? [...test.words] : [])))]
      const other: Part = kind === 'user' ? { user: 'somebody' } : {}
      return [other, ...words.map(word => ({ [kind]: word })), ...(kind === 'user' ? [{ user: null }] : [])]
    }
  }
}

// Of each network its middle, which looks most like an address, its ends and what is behind them; of IPv4 addresses also
// what carries them.
function addressesOf(tests: readonly Test[]): readonly IpAddress[] {
  const plain = tests.flatMap(test =>
    'networks' in test
      ? test.networks.flatMap(network => {
          const { first, last } = rangeOf(network)
          const size = network.address.octets.length
          return [(first + last) / 2n + 1n, first, last, last + 1n, first - 1n].map(number => addressAt(number, size))
        })
      : [],
  )
  return [OUTSIDE_IPV6, ...plain, ...[OUTSIDE, ...plain].flatMap(carrierOf)]
}

/** The 6to4 address of an IPv4 address (RFC 3056 section 2). */
function carrierOf({ type, octets }: IpAddress): readonly IpAddress[] {
  if (type === 'ipv6') return []
  const carrier = new Uint8Array(16)
  carrier.set([0x20, 0x02, ...octets])
  carrier[15] = 1
  return [{ type: 'ipv6', octets: carrier }]
}

/** Behind the last address comes the first one. */
function addressAt(number: bigint, size: number): IpAddress {
  const octets = Uint8Array.from({ length: size }, (_, index) =>
    Number((number >> BigInt((size - 1 - index) * 8)) & 0xffn),
  )
  return size === 4 ? { type: 'ipv4', octets } : { type: 'ipv6', octets }
}

function portsOf(test: Test): readonly number[] {
  return test.kind === 'port' ? test.ranges.flatMap(([first, last]) => [first, last, first - 1, last + 1]) : []
}

function schedulesOf(tests: readonly Test[]): readonly Schedule[] {
  return tests.flatMap(test => (test.kind === 'when' ? test.schedules : []))
}

// Every name is one that a pattern says, or is for the patterns as whatever else lies below the longest that it ends in.
function hostsOf(tests: readonly Test[]): readonly string[] {
  const names = tests.flatMap(test => (test.kind === 'host' ? test.names.map(({ name }) => name) : []))
  const labels = new Set(names.flatMap(name => name.split('.')))
  let label = 'x'
  for (let number = 1; labels.has(label); number++) label = `x${number}`
  return names.flatMap(name => [name, `${label}.${name}`])
}
