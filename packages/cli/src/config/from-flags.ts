/**
 * What the flags say, as a raw configuration of the same shape as the file's, and the words for a flag that is wrong.
 * Knows no command-line library: it is given the values by flag name.
 */
import { withoutLogins } from '../reach/via.ts'
import { EXIT, type Outcome, done, trouble } from '../exit.ts'
import { CONFIG_FLAGS, type ConfigFlag } from './flags.ts'
import { LIMIT_WORDS } from './limits.ts'
import { nearest } from '@socksmith/policy'
import type { Path, Problem } from './problem.ts'

/** A map as YAML or flags give it, before any check. */
export interface RawMap {
  [key: string]: unknown
}

/** The values of flags by their names in kebab case; lists as they were collected. */
export interface FlagValues {
  readonly [name: string]: string | boolean | readonly string[] | undefined
}

/** What the flags change. */
export interface Overrides {
  /** Keys of the configuration but for single listeners. */
  readonly keys: RawMap
  /** Set on every listener. */
  readonly eachListener: RawMap
}

/** Sorts the flags into overrides. A `--limit` that is not NAME=VALUE, or has an unknown name, is a trouble. */
export function overridesOf(values: FlagValues): Outcome<Overrides> {
  const keys: RawMap = {}
  const eachListener: RawMap = {}
  for (const flag of CONFIG_FLAGS) {
    const value = values[flag.name]
    if (value === undefined) continue
    const given = valueOf(flag, value)
    const [first, ...rest] = flag.path
    if (first === 'listen' && rest.length > 0) put(eachListener, rest, given)
    else put(keys, flag.path, given)
  }
  for (const text of (values['limit'] as readonly string[] | undefined) ?? []) {
    const limit = limitOf(text)
    if (!limit.ok) return limit
    put(keys, ['limits', limit.value.key], limit.value.value)
  }
  return done({ keys, eachListener })
}

function valueOf({ kind }: ConfigFlag, value: NonNullable<FlagValues[string]>): unknown {
  if (kind === 'list') return (value as readonly string[]).flatMap(one => one.split(','))
  return kind === 'number' && /^[0-9]+$/.test(String(value)) ? Number(value) : value
}

function limitOf(text: string): Outcome<{ key: string; value: string | number }> {
  const [key = '', ...rest] = text.split('=')
  const value = rest.join('=')
  if (value === '') return trouble(EXIT.USAGE, `--limit ${text}: expected NAME=VALUE such as handshake=10s`)
  const word = LIMIT_WORDS.find(one => one.key === key)
  if (word === undefined) {
    const names = LIMIT_WORDS.map(one => one.key)
    const meant = nearest(key, names)
    return trouble(
      EXIT.USAGE,
      `--limit ${text}: there is no limit "${key}"; ${meant === undefined ? `the limits are ${names.join(', ')}` : `did you mean "${meant}"?`}`,
    )
  }
  return done({ key, value: word.kind === 'count' && /^[0-9]+$/.test(value) ? Number(value) : value })
}

function put(map: RawMap, path: Path, value: unknown): void {
  const [first, ...rest] = path as readonly string[]
  if (first === undefined) return
  if (rest.length === 0) map[first] = value
  else put((map[first] ??= {}) as RawMap, rest, value)
}

/** The flag that set the value of a problem, as it was probably typed: `--limit dial=30`, `--log-format jsno`. */
export function flagOf(problem: Problem, overrides: Overrides): string {
  const [first, second] = problem.path
  if (first === 'limits' && second !== undefined) {
    return `--limit ${second}=${String((overrides.keys['limits'] as RawMap)[second])}`
  }
  const words = problem.path.filter(part => typeof part === 'string')
  const flag = CONFIG_FLAGS.filter(one => one.path.every((part, index) => words[index] === part))
    .sort((a, b) => a.path.length - b.path.length)
    .at(-1)
  const value = flag && typedValue(flag, problem.path, overrides)
  return flag === undefined ? words.join('.') : `--${flag.name}${value === undefined ? '' : ` ${value}`}`
}

/** What was typed behind a flag; of a list, the element that the path names. */
function typedValue(flag: ConfigFlag, path: Path, overrides: Overrides): string | undefined {
  const ofListener = flag.path[0] === 'listen' && flag.path.length > 1
  let value: unknown = ofListener ? overrides.eachListener : overrides.keys
  for (const key of ofListener ? flag.path.slice(1) : flag.path) value = (value as RawMap | undefined)?.[key]
  if (!Array.isArray(value)) return typeof value === 'string' ? value : undefined
  const index = path.findLast(part => typeof part === 'number')
  return withoutLogins(index === undefined ? value.join(',') : String(value[index]))
}
