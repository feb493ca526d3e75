/** One rule from its map: the verdict with its condition, and what else it says. */
import type { FailureCode, RequestFailureCode } from '@socksmith/protocol'
import { TERMS_PER_RULE_MAX, termsOf } from '../compile/terms.ts'
import { type AllowRule, BUILT_IN_WAYS, DEFAULT_WAY, type Mode, type Redirect, type Rule } from '../policy.ts'
import type { Path } from '../problem.ts'
import { conditionText } from '../walk.ts'
import type { ConditionReader } from './condition.ts'
import type { Notes, RawMap } from './source.ts'
import { parseDestination, parseHostAddress } from './target.ts'

export const MODES: readonly Mode[] = ['enforce', 'report']
const LOG_DETAILS = ['full', 'no-targets', 'none'] as const

/** The words for RFC 1928's reply codes (section 6). */
const REPLIES: Readonly<Record<string, RequestFailureCode>> = {
  'not-allowed': 'not_allowed',
  'host-unreachable': 'host_unreachable',
  'network-unreachable': 'network_unreachable',
  'connection-refused': 'connection_refused',
  'timed-out': 'timed_out',
  'general-failure': 'general_failure',
}

const ALLOW_KEYS = ['via', 'limits', 'log', 'redirect'] as const
const KEYS = ['name', 'allow', 'deny', 'reply', ...ALLOW_KEYS, 'note', 'mode']

export interface RuleNames {
  readonly conditions: ConditionReader
  /** The limits that are defined. */
  readonly limits: readonly string[]
}

/** The rule at a path; `undefined` when it has no verdict, which is noted. */
export function readRule(
  value: unknown,
  path: Path,
  number: number,
  notes: Notes,
  { conditions, limits }: RuleNames,
): Rule | undefined {
  const map = notes.mapAt(value, path, KEYS)
  if (map === undefined) return undefined
  const verdict = readVerdict(map, path, notes)
  if (verdict === undefined) return undefined
  const condition = conditions.read(map[verdict], [...path, verdict])
  if (termsOf(condition) === undefined) {
    const most = `more than ${TERMS_PER_RULE_MAX} combinations of any and all`
    notes.wrong([...path, verdict], `this has ${most}; write it as several rules`)
  }
  const base = {
    number,
    place: notes.placeOf(path),
    condition,
    text: conditionText(condition),
    mode: 'mode' in map ? (notes.wordAt(map['mode'], [...path, 'mode'], MODES) ?? 'enforce') : 'enforce',
    ...textOf('name', map, path, notes),
    ...textOf('note', map, path, notes),
  }
  if (verdict === 'deny') {
    for (const key of ALLOW_KEYS) if (key in map) notes.wrong([...path, key], `only a rule that allows has ${key}`)
    return { ...base, verdict, reply: readReply(map, path, notes) ?? 'not_allowed' }
  }
  if ('reply' in map) notes.wrong([...path, 'reply'], 'only a rule that denies has a reply')
  return { ...base, verdict, ...readWay(map, path, notes, limits) }
}

export function readVerdict(map: RawMap, path: Path, notes: Notes): 'allow' | 'deny' | undefined {
  if ('allow' in map && 'deny' in map) return notes.wrong(path, 'expected allow or deny, not both')
  if (!('allow' in map) && !('deny' in map)) return notes.wrong(path, 'expected allow or deny')
  return 'allow' in map ? 'allow' : 'deny'
}

/** The code that `reply` names. */
export function readReply(map: RawMap, path: Path, notes: Notes): RequestFailureCode | undefined {
  const word = 'reply' in map ? notes.wordAt(map['reply'], [...path, 'reply'], Object.keys(REPLIES)) : undefined
  return word === undefined ? undefined : REPLIES[word]
}

/** The word for a code, as it is written in a policy. */
export function replyWord(code: FailureCode): string {
  return code.replaceAll('_', '-')
}

function readWay(
  map: RawMap,
  path: Path,
  notes: Notes,
  limits: readonly string[],
): Pick<AllowRule, 'via' | 'limits' | 'log' | 'redirect'> {
  const { routes } = notes.source
  const via =
    'via' in map
      ? notes.nameAt(map['via'], [...path, 'via'], 'way out', routes && [...BUILT_IN_WAYS, ...routes])
      : DEFAULT_WAY
  const names = 'limits' in map ? notes.listAt(map['limits'], [...path, 'limits']) : []
  const known = names.flatMap(one => notes.nameAt(one.value, one.path, 'limit', limits) ?? [])
  const log = 'log' in map ? notes.wordAt(map['log'], [...path, 'log'], LOG_DETAILS) : undefined
  const redirect = 'redirect' in map ? readRedirect(map['redirect'], [...path, 'redirect'], notes) : undefined
  return { via: via ?? DEFAULT_WAY, limits: known, ...(log && { log }), ...(redirect && { redirect }) }
}

function readRedirect(value: unknown, path: Path, notes: Notes): Redirect | undefined {
  const text = notes.textAt(value, path, 'expected HOST or HOST:PORT')
  if (text === undefined) return undefined
  const address = parseHostAddress(text)
  return address === undefined
    ? (parseDestination(text) ?? notes.wrong(path, 'expected HOST or HOST:PORT'))
    : { address }
}

function textOf<K extends string>(key: K, map: RawMap, path: Path, notes: Notes): { readonly [P in K]?: string } {
  if (!(key in map)) return {}
  const text = notes.textAt(map[key], [...path, key], 'expected a text')
  return text === undefined ? {} : ({ [key]: text } as { readonly [P in K]?: string })
}
