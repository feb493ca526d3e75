/** One case: a request, and what must become of it. What is not said is as most requests are. */
import { type IpAddress, parseIp } from '@socksmith/protocol'
import { COMMANDS, METHODS, PROTOCOLS } from '../facts.ts'
import { nearest } from '../nearest.ts'
import type { Case, CaseRequest } from '../policy.ts'
import type { Path } from '../problem.ts'
import { readAsn, readCountry } from './registration.ts'
import { readReply, readVerdict } from './rule.ts'
import { type Notes, type RawMap, inWords } from './source.ts'
import { parseDestination } from './target.ts'

const KEYS = ['allow', 'deny', 'via', 'rule', 'reply']
const REQUEST_KEYS = [
  'from',
  'listener',
  'protocol',
  'method',
  'user',
  'command',
  'to',
  'resolves',
  'country',
  'asn',
  'at',
]
const LOCAL: IpAddress = { type: 'ipv4', octets: Uint8Array.of(127, 0, 0, 1) }

/** The case at a path; `undefined` when it is none, which is noted. */
export function readCase(value: unknown, path: Path, notes: Notes): Case | undefined {
  const map = notes.mapAt(value, path, KEYS)
  const expect = map && readVerdict(map, path, notes)
  if (map === undefined || expect === undefined) return undefined
  const request = notes.mapAt(map[expect], [...path, expect], REQUEST_KEYS)
  if (request === undefined) return undefined
  const rule =
    'rule' in map ? notes.textAt(map['rule'], [...path, 'rule'], 'expected the name or number of a rule') : undefined
  const via = 'via' in map ? notes.textAt(map['via'], [...path, 'via'], 'expected the name of a way out') : undefined
  if (via !== undefined && expect === 'deny') notes.wrong([...path, 'via'], 'what is denied has no way out')
  const reply = readReply(map, path, notes)
  if (reply !== undefined && expect === 'allow') notes.wrong([...path, 'reply'], 'what is allowed has no reply')
  return {
    place: notes.placeOf(path),
    expect,
    ...(via !== undefined && { via }),
    ...(rule !== undefined && { rule }),
    ...(reply !== undefined && { reply }),
    asked: readRequest(request, [...path, expect], notes),
  }
}

/** A request from the words of a case, or of a command line. */
export function readRequest(map: RawMap, path: Path, notes: Notes): CaseRequest {
  const textOf = (key: string, expected = 'expected a text'): string | undefined =>
    key in map ? notes.textAt(map[key], [...path, key], expected) : undefined
  const word = <W extends string>(key: string, words: readonly W[]): W | undefined =>
    key in map ? notes.wordAt(map[key], [...path, key], words) : undefined
  const user = textOf('user') ?? null
  const to = textOf('to')
  const destination = to === undefined ? undefined : parseDestination(to)
  if (to !== undefined && destination === undefined) {
    notes.wrong([...path, 'to'], 'expected HOST:PORT such as example.com:443 or [2001:db8::1]:22')
  }
  const at = textOf('at')
  const atMs = at === undefined ? undefined : timeOf(at)
  if (at !== undefined && atMs === undefined)
    notes.wrong([...path, 'at'], 'expected a time such as 2026-11-22T10:00:00Z')
  const registered = (key: 'country' | 'asn', read: typeof readCountry): string | undefined => {
    const text = textOf(key)
    return text === undefined ? undefined : read(text, [...path, key], notes)
  }
  const [country, asn] = [registered('country', readCountry), registered('asn', readAsn)]
  return {
    client: readClient(textOf('from'), [...path, 'from'], notes),
    listener: ('listener' in map && readListener(map['listener'], [...path, 'listener'], notes)) || '',
    protocol: word('protocol', PROTOCOLS) ?? 'socks5',
    method: word('method', METHODS) ?? (user === null ? 'none' : 'password'),
    user,
    command: word('command', COMMANDS) ?? 'connect',
    ...(destination && { to: destination }),
    resolves: 'resolves' in map ? readAddresses(map['resolves'], [...path, 'resolves'], notes) : [],
    ...(country !== undefined && { country }),
    ...(asn !== undefined && { asn }),
    ...(atMs !== undefined && { atMs }),
  }
}

function readListener(value: unknown, path: Path, notes: Notes): string | undefined {
  const name = notes.textAt(value, path, 'expected a text')
  const { listeners } = notes.source
  if (name === undefined || listeners === undefined || listeners.includes(name)) return name
  return notes.wrong(path, `expected ${inWords(listeners)}; "${name}" is none`, nearest(name, listeners))
}

function readClient(text: string | undefined, path: Path, notes: Notes): CaseRequest['client'] {
  if (text === undefined) return LOCAL
  if (text === 'unix') return text
  return parseIp(text) ?? notes.wrong(path, 'expected an address such as 192.0.2.7, or unix') ?? LOCAL
}

function readAddresses(value: unknown, path: Path, notes: Notes): readonly IpAddress[] {
  return notes.listAt(value, path).flatMap(one => {
    const text = notes.textAt(one.value, one.path, 'expected an address')
    return (text && (parseIp(text) ?? notes.wrong(one.path, 'expected an address such as 192.0.2.7'))) || []
  })
}

/** Without a zone a moment would mean another one on every machine. */
const MOMENT = /^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2})?(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})$/

function timeOf(text: string): number | undefined {
  const ms = MOMENT.test(text) ? Date.parse(text) : Number.NaN
  return Number.isNaN(ms) ? undefined : ms
}
