/** One limit from its map: what it applies to, what is counted together, and how much of it there may be. */
import {
  type Bandwidth,
  LIMIT_SCOPES,
  type Limit,
  type LimitAmounts,
  type LimitCondition,
  type LimitScope,
  type Period,
  type Quota,
  type Rate,
} from '../limit.ts'
import type { Path } from '../problem.ts'
import { BANDWIDTH_UNITS, DURATION_MS_MAX, DURATION_UNITS, SIZE_UNITS, parseQuantity } from '../quantity.ts'
import { DAY_NAMES } from '../schedule.ts'
import { conditionText } from '../walk.ts'
import type { ConditionReader } from './condition.ts'
import { limitText } from './limit-text.ts'
import { type Notes, type RawMap, isMap } from './source.ts'
import { readZone } from './zone.ts'

const NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$/
/** Each of those with `of` is looked at for each session. */
const LIMITS_MAX = 1_000
const COUNT_MAX = 1_000_000_000
const OCTETS_MAX = 1_024 * 1_099_511_627_776
/** A hundred gigabits a second. */
const BANDWIDTH_MAX = 12_500_000_000
/** A pause of this length earns a burst, when nothing is said: short enough to stay within a percent over ten seconds. */
const BURST_MS = 100
/** One full packet must always fit. */
const BURST_OCTETS_MIN = 2_048

const AMOUNTS = ['bandwidth', 'sessions', 'new-sessions', 'octets', 'session-length', 'datagrams', 'idle'] as const
const KEYS = ['of', 'per', ...AMOUNTS]
/** What cannot be counted within one session. */
const OF_MANY = ['sessions', 'new-sessions'] as const

const RATE_EXPECTED = 'expected a rate such as 5/s, 100/min or 1000/h'
const RATE_UNITS: { readonly [unit: string]: number } = { s: 1_000, min: 60_000, h: 3_600_000, d: 86_400_000 }
const SIZE_EXPECTED = 'expected a size such as 500MiB or 10GiB'
const DURATION_EXPECTED = 'expected a duration such as 30s, 5m or 2h'
const BANDWIDTH_EXPECTED = 'expected a bandwidth such as 500kbit/s, 10Mbit/s or 1MiB/s'

export interface LimitNames {
  readonly conditions: ConditionReader
  /** The names of rules. */
  readonly rules: readonly string[]
  readonly zone: string
}

/** Every limit of the policy. */
export function readLimits(value: unknown, notes: Notes, names: LimitNames): readonly Limit[] {
  if (value === undefined || value === null) return []
  if (!isMap(value)) {
    notes.wrong(['limits'], 'expected a map from names to limits')
    return []
  }
  const entries = Object.entries(value)
  if (entries.length > LIMITS_MAX) notes.wrong(['limits'], `expected at most ${LIMITS_MAX} limits`)
  return entries.flatMap(([name, one]) => readLimit(name, one, ['limits', name], notes, names) ?? [])
}

function readLimit(name: string, value: unknown, path: Path, notes: Notes, names: LimitNames): Limit | undefined {
  if (!NAME.test(name)) return notes.wrong(path, 'expected a name of letters, digits, dots, dashes and underscores')
  const map = notes.mapAt(value, path, KEYS)
  if (map === undefined) return undefined
  if (!AMOUNTS.some(key => key in map)) return notes.wrong(path, `expected at least one of ${AMOUNTS.join(', ')}`)
  const per = readScopes(map, path, notes)
  if (per === undefined) return undefined
  for (const key of OF_MANY) {
    if (key in map && per.includes('session')) notes.wrong([...path, key], `${key} cannot be counted per session`)
  }
  const amounts = readAmounts(map, path, notes, names.zone)
  const of = 'of' in map ? readOf(map['of'], [...path, 'of'], notes, names) : undefined
  return { name, place: notes.placeOf(path), per, amounts, text: limitText(amounts, per), ...(of && { of }) }
}

function readScopes(map: RawMap, path: Path, notes: Notes): readonly LimitScope[] | undefined {
  if (!('per' in map)) {
    notes.missing([...path, 'per'])
    return undefined
  }
  const at: Path = [...path, 'per']
  const words = new Set(
    notes.listAt(map['per'], at).flatMap(one => notes.wordAt(one.value, one.path, LIMIT_SCOPES) ?? []),
  )
  const alone = (['session', 'all'] as const).find(word => words.has(word))
  if (alone !== undefined && words.size > 1) return notes.wrong(at, `${alone} stands alone`)
  return LIMIT_SCOPES.filter(word => words.has(word))
}

/** Conditions as in rules, and `rule` for the names of rules. */
function readOf(value: unknown, path: Path, notes: Notes, names: LimitNames): LimitCondition | undefined {
  if (!isMap(value) || !('rule' in value)) return { condition: names.conditions.read(value, path) }
  const { rule, ...rest } = value
  const at: Path = [...path, 'rule']
  const rules = new Set(
    notes.listAt(rule, at).flatMap(one => notes.nameAt(one.value, one.path, 'rule', names.rules) ?? []),
  )
  return Object.keys(rest).length === 0 ? { rules } : { rules, condition: names.conditions.read(rest, path) }
}

function readAmounts(map: RawMap, path: Path, notes: Notes, zone: string): LimitAmounts {
  const read = <T>(key: string, reader: (value: unknown, path: Path, notes: Notes) => T | undefined): T | undefined =>
    key in map ? reader(map[key], [...path, key], notes) : undefined
  const bandwidth = read('bandwidth', readBandwidths)
  const sessions = read('sessions', readCount)
  const newSessions = read('new-sessions', readRate)
  const octets = read('octets', (value, at) => readQuota(value, at, notes, zone))
  const sessionLengthMs = read('session-length', readDuration)
  const datagrams = read('datagrams', readRate)
  const idleMs = read('idle', readDuration)
  return {
    ...(bandwidth && { bandwidth }),
    ...(sessions !== undefined && { sessions }),
    ...(newSessions && { newSessions }),
    ...(octets && { octets }),
    ...(sessionLengthMs !== undefined && { sessionLengthMs }),
    ...(datagrams && { datagrams }),
    ...(idleMs !== undefined && { idleMs }),
  }
}

function readCount(value: unknown, path: Path, notes: Notes): number | undefined {
  const fits = typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= COUNT_MAX
  return fits ? value : notes.wrong(path, 'expected a whole number')
}

function readRate(value: unknown, path: Path, notes: Notes): Rate | undefined {
  const match = /^([1-9][0-9]{0,8}) ?\/ ?(s|min|h|d)$/.exec(typeof value === 'string' ? value : '')
  if (match === null) return notes.wrong(path, RATE_EXPECTED)
  return { count: Number(match[1]), perMs: RATE_UNITS[match[2] ?? ''] ?? 1_000 }
}

function readDuration(value: unknown, path: Path, notes: Notes): number | undefined {
  const ms = parseQuantity(textOf(value), DURATION_UNITS, DURATION_MS_MAX)
  return ms === undefined || ms === 0 ? notes.wrong(path, DURATION_EXPECTED) : ms
}

function readBandwidths(value: unknown, path: Path, notes: Notes): LimitAmounts['bandwidth'] {
  if (!isMap(value)) {
    const both = readSpeed(value, path, notes)
    return both === undefined ? undefined : { up: withBurst(both, undefined), down: withBurst(both, undefined) }
  }
  const map = notes.mapAt(value, path, ['up', 'down', 'burst']) ?? {}
  const burst = 'burst' in map ? readOctets(map['burst'], [...path, 'burst'], notes) : undefined
  if (burst !== undefined && burst < BURST_OCTETS_MIN) {
    notes.wrong([...path, 'burst'], `expected at least ${BURST_OCTETS_MIN / 1_024}KiB, for one packet`)
  }
  const up = 'up' in map ? readSpeed(map['up'], [...path, 'up'], notes) : undefined
  const down = 'down' in map ? readSpeed(map['down'], [...path, 'down'], notes) : undefined
  if (!('up' in map) && !('down' in map)) notes.wrong(path, 'expected up, down or both')
  return {
    ...(up !== undefined && { up: withBurst(up, burst) }),
    ...(down !== undefined && { down: withBurst(down, burst) }),
  }
}

function withBurst(octetsPerSecond: number, burst: number | undefined): Bandwidth {
  const usual = Math.max(BURST_OCTETS_MIN, Math.round((octetsPerSecond * BURST_MS) / 1_000))
  return { octetsPerSecond, burstOctets: burst ?? usual }
}

function readSpeed(value: unknown, path: Path, notes: Notes): number | undefined {
  const speed = parseQuantity(textOf(value), BANDWIDTH_UNITS, BANDWIDTH_MAX)
  return speed === undefined || speed === 0 ? notes.wrong(path, BANDWIDTH_EXPECTED) : speed
}

function readOctets(value: unknown, path: Path, notes: Notes): number | undefined {
  return parseQuantity(textOf(value), SIZE_UNITS, OCTETS_MAX) ?? notes.wrong(path, SIZE_EXPECTED)
}

/** `10GiB/day`, or a map. */
function readQuota(value: unknown, path: Path, notes: Notes, zone: string): Quota | undefined {
  if (!isMap(value)) {
    const match = /^(.+?) ?\/ ?(day|week|month)$/.exec(textOf(value))
    const total = match === null ? undefined : parseQuantity(match[1] ?? '', SIZE_UNITS, OCTETS_MAX)
    if (total === undefined) return notes.wrong(path, 'expected octets such as 10GiB/day, or a map with every')
    return { total, period: readPeriod({ every: match?.[2] }, path, notes, zone) ?? { every: 'day', zone, minute: 0 } }
  }
  const map = notes.mapAt(value, path, ['up', 'down', 'total', 'every', 'at', 'on', 'zone']) ?? {}
  const octetsOf = (key: string): number | undefined =>
    key in map ? readOctets(map[key], [...path, key], notes) : undefined
  const [up, down, total] = [octetsOf('up'), octetsOf('down'), octetsOf('total')]
  if (!['up', 'down', 'total'].some(key => key in map)) notes.wrong(path, 'expected up, down or total')
  if (!('every' in map)) notes.missing([...path, 'every'])
  const period = readPeriod(map, path, notes, 'zone' in map ? readZone(map['zone'], [...path, 'zone'], notes) : zone)
  if (period === undefined) return undefined
  return {
    period,
    ...(up !== undefined && { up }),
    ...(down !== undefined && { down }),
    ...(total !== undefined && { total }),
  }
}

function readPeriod(map: RawMap, path: Path, notes: Notes, zone: string): Period | undefined {
  const every = 'every' in map ? notes.wordAt(map['every'], [...path, 'every'], ['day', 'week', 'month']) : undefined
  const minute = 'at' in map ? readMinute(map['at'], [...path, 'at'], notes) : 0
  if (every === undefined || minute === undefined) return undefined
  const base = { zone, minute }
  const on = map['on']
  switch (every) {
    case 'day':
      if ('on' in map) notes.wrong([...path, 'on'], 'only a week or a month begins on a day')
      return { every, ...base }
    case 'week': {
      const weekday = 'on' in map ? DAY_NAMES.indexOf(textOf(on).toLowerCase()) : DAY_NAMES.indexOf('mon')
      if (weekday < 0) return notes.wrong([...path, 'on'], 'expected a day of the week such as Mon')
      return { every, ...base, weekday }
    }
    case 'month': {
      const day = 'on' in map ? on : 1
      const fits = typeof day === 'number' && Number.isInteger(day) && day >= 1 && day <= 31
      return fits ? { every, ...base, day } : notes.wrong([...path, 'on'], 'expected a day of the month from 1 to 31')
    }
  }
}

function readMinute(value: unknown, path: Path, notes: Notes): number | undefined {
  const match = /^([01][0-9]|2[0-3]):([0-5][0-9])$/.exec(textOf(value))
  if (match === null) return notes.wrong(path, "expected a time of day such as '04:00', in quotes")
  return Number(match[1]) * 60 + Number(match[2])
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value.trim() : ''
}

/** What a limit with `of` applies to, as a sentence. */
export function limitConditionText({ condition, rules }: LimitCondition): string {
  const parts = [
    rules === undefined ? undefined : `rule ${[...rules].join(', ')}`,
    condition && conditionText(condition),
  ]
  return parts.filter(part => part !== undefined).join(', ')
}
