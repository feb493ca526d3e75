/** From what a YAML or TOML file holds to a policy, or everything that is wrong with it. Never throws, whatever it is given. */
import type { Limit } from '../limit.ts'
import type { CaseRequest, Policy, Rule } from '../policy.ts'
import type { Path, Problem } from '../problem.ts'
import { readCase, readRequest } from './case.ts'
import { createConditionReader } from './condition.ts'
import { readLimits } from './limit.ts'
import { MODES, readRule } from './rule.ts'
import { NamedLists } from './sets.ts'
import { Notes, type PolicySource, type RawMap, isMap } from './source.ts'
import { readZone } from './zone.ts'

const KEYS = ['zone', 'sets', 'groups', 'limits', 'rules', 'cases', 'mode']
/** Far beyond what a person reads; each rule costs some kilobytes. */
const RULES_MAX = 100_000

export type ReadPolicy =
  /** `files`: what the sets were read from; to be watched. */
  | { readonly ok: true; readonly policy: Policy; readonly files: readonly string[] }
  | { readonly ok: false; readonly problems: readonly Problem[] }

/**
 * Reads a policy. `raw` is a map with the keys of docs/policy.md.
 *
 * @example
 * const read = readPolicy({ rules: [{ allow: { user: 'alice' } }] }, { file: 'policy.yaml', lineOf: () => 1, readText })
 * if (read.ok) decider = compile(read.policy)
 */
export function readPolicy(raw: unknown, source: PolicySource): ReadPolicy {
  const notes = new Notes(source)
  const files = new Set<string>()
  const map = notes.mapAt(raw ?? {}, [], KEYS) ?? {}
  const policy = policyOf(map, notes, files)
  return notes.problems.length === 0 ? { ok: true, policy, files: [...files] } : { ok: false, problems: notes.problems }
}

/** Reads one request in the words of a case (`from`, `user`, `to` and so on). `listeners`: those there are, if that is known. */
export function readQuestion(
  words: RawMap,
  listeners?: readonly string[],
):
  | { readonly ok: true; readonly request: CaseRequest }
  | { readonly ok: false; readonly problems: readonly Problem[] } {
  const notes = new Notes({
    file: '',
    lineOf: () => 1,
    readText: () => ({ fault: 'there is none' }),
    ...(listeners && { listeners }),
  })
  const request = readRequest(words, [], notes)
  return notes.problems.length === 0 ? { ok: true, request } : { ok: false, problems: notes.problems }
}

function policyOf(map: RawMap, notes: Notes, files: Set<string>): Policy {
  const zone = 'zone' in map ? readZone(map['zone'], ['zone'], notes) : 'UTC'
  const sets = new NamedLists(notes, 'set', map['sets'], files)
  const groups = new NamedLists(notes, 'group', map['groups'], files, sets)
  const conditions = createConditionReader(notes, { sets, groups, zone })
  const limitNames = isMap(map['limits']) ? Object.keys(map['limits']) : []
  const rules = listOf(map, 'rules', notes).flatMap(
    ({ value, path }, index) => readRule(value, path, index + 1, notes, { conditions, limits: limitNames }) ?? [],
  )
  const ruleNames = rules.flatMap(({ name }) => name ?? [])
  const limits = readLimits(map['limits'], notes, { conditions, rules: ruleNames, zone })
  checkNamed(rules, limits, notes)
  if (rules.length > RULES_MAX) notes.wrong(['rules'], `expected at most ${RULES_MAX} rules`)
  return {
    mode: 'mode' in map ? (notes.wordAt(map['mode'], ['mode'], MODES) ?? 'enforce') : 'enforce',
    rules,
    limits,
    cases: listOf(map, 'cases', notes).flatMap(({ value, path }) => readCase(value, path, notes) ?? []),
    sets: [...sets.summary(), ...groups.summary()],
    ...(notes.source.defaultWay !== undefined && { defaultWay: notes.source.defaultWay }),
  }
}

/** A limit that says itself what it applies to would apply twice where a rule names it. */
function checkNamed(rules: readonly Rule[], limits: readonly Limit[], notes: Notes): void {
  const own = new Set(limits.filter(({ of }) => of !== undefined).map(({ name }) => name))
  for (const rule of rules) {
    const name = rule.verdict === 'allow' ? rule.limits.find(one => own.has(one)) : undefined
    if (name === undefined) continue
    const path: Path = ['rules', rule.number - 1, 'limits']
    notes.wrong(path, `the limit ${name} says itself what it applies to (of); no rule may name it`)
  }
}

function listOf(map: RawMap, key: string, notes: Notes): readonly { readonly value: unknown; readonly path: Path }[] {
  const list = map[key]
  if (list === undefined || list === null) return []
  if (Array.isArray(list)) return list.map((value: unknown, index) => ({ value, path: [key, index] }))
  notes.wrong([key], 'expected a list')
  return []
}
