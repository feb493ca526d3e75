/** Finds what a person would want to know about a policy before somebody else finds it. Knows no terminal. */
import { type CompileOptions, compile } from './compile/compile.ts'
import { termsOf } from './compile/terms.ts'
import { ruleLabel } from './decision.ts'
import { type Point, type Points, pointsOf } from './points.ts'
import type { Condition, Policy, Rule, Test } from './policy.ts'
import type { SourcePlace } from './problem.ts'
import { type Place } from './walk.ts'

/**
 * `never-matches`: no request can. `shadowed`: earlier rules take all it could match, and say the same. `contradicted`:
 * they say the opposite. `empty-set`, `unused-set`, `unused-limit`. `name-only-deny`: a client that resolves the name itself passes it.
 */
export type FindingKind =
  | 'never-matches'
  | 'shadowed'
  | 'contradicted'
  | 'empty-set'
  | 'unused-set'
  | 'unused-limit'
  | 'name-only-deny'

export interface Finding {
  readonly kind: FindingKind
  /** A `hint` may be meant so. */
  readonly level: 'problem' | 'hint'
  readonly place: SourcePlace
  readonly message: string
  readonly rule?: number
}

/** Requests that are tried for one rule before it is taken for one that matches something. */
const POINTS_MAX = 4_000

/** Everything found, in the order of the file. */
export function lint(policy: Policy, nowMs: number, options: CompileOptions = {}): readonly Finding[] {
  const findings = [
    ...setFindings(policy),
    ...limitFindings(policy),
    ...deadRules(policy, nowMs, options),
    ...passedBy(policy),
  ]
  return findings.sort((a, b) => a.place.line - b.place.line)
}

function setFindings(policy: Policy): readonly Finding[] {
  return policy.sets.flatMap(({ kind, name, place, size, isUsed }): readonly Finding[] => {
    const empty: Finding = { kind: 'empty-set', level: 'problem', place, message: `the ${kind} ${name} is empty` }
    const unused: Finding = { kind: 'unused-set', level: 'hint', place, message: `no rule uses the ${kind} ${name}` }
    return [...(size === 0 ? [empty] : []), ...(isUsed ? [] : [unused])]
  })
}

function limitFindings({ limits, rules }: Policy): readonly Finding[] {
  const named = new Set(rules.flatMap(rule => (rule.verdict === 'allow' ? rule.limits : [])))
  return limits.flatMap(({ name, of, place }): readonly Finding[] => {
    if (of !== undefined || named.has(name)) return []
    const message = `no rule names the limit ${name}, and it does not say what it applies to (of)`
    return [{ kind: 'unused-limit', level: 'problem', place, message }]
  })
}

function deadRules(policy: Policy, nowMs: number, options: CompileOptions): readonly Finding[] {
  let place: Place = {}
  const decider = compile({ ...policy, mode: 'enforce' }, { ...options, geo: () => place })
  const points = pointsOf(testsOf(policy.rules.map(({ condition }) => condition)), nowMs)
  return policy.rules.flatMap(rule => {
    const takers = takersOf(rule, points, point => {
      ;({ place } = point)
      const decision = decider.decide(point.facts)
      if (decision.verdict === 'open') return undefined
      return decision.reported.some(one => one.rule === rule) ? rule : (decision.rule ?? null)
    })
    return takers === undefined ? [] : [deadFinding(rule, takers)]
  })
}

/** The rules that take everything from `rule`; `undefined` when it decides something, or that cannot be told. */
function takersOf(
  rule: Rule,
  points: Points,
  deciding: (point: Point) => Rule | null | undefined,
): ReadonlySet<Rule> | undefined {
  const takers = new Set<Rule>()
  for (const term of termsOf(rule.condition) ?? []) {
    const { points: within, isAll } = points.within(term, POINTS_MAX)
    for (const point of within) {
      const taker = deciding(point)
      if (taker === rule || taker === undefined) return undefined
      // Nothing allows it, with this rule or without: an address that carries another one, which is not allowed.
      if (taker !== null) takers.add(taker)
    }
    if (!isAll) return undefined
  }
  return takers
}

function deadFinding(rule: Rule, takers: ReadonlySet<Rule>): Finding {
  const base = { level: 'problem', place: rule.place, rule: rule.number } as const
  const [first] = takers
  if (first === undefined) return { ...base, kind: 'never-matches', message: `${ruleLabel(rule)} can never match` }
  const others = [...takers].map(taker => `${ruleLabel(taker)} at line ${taker.place.line}`).join(', ')
  const contrary = [...takers].some(taker => taker.verdict !== rule.verdict)
  return {
    ...base,
    kind: contrary ? 'contradicted' : 'shadowed',
    message: `${ruleLabel(rule)} never decides: ${others} ${takers.size === 1 ? 'matches' : 'match'} first${contrary ? `, and ${takers.size === 1 ? 'does' : 'do'} not ${rule.verdict}` : ''}`,
  }
}

/** Rules that deny by name alone, where the same target may be reached by address. */
function passedBy(policy: Policy): readonly Finding[] {
  return policy.rules.flatMap(rule => {
    const terms = termsOf(rule.condition) ?? []
    const byName = terms.some(({ literals }) =>
      literals.some(({ test, isPositive }) => test.kind === 'host' && isPositive),
    )
    const byAddress = terms.some(({ literals }) => literals.some(({ test }) => test.kind === 'address'))
    const isOpen = policy.rules.some(one => one.verdict === 'allow' && one.number > rule.number)
    if (rule.verdict !== 'deny' || !byName || byAddress || !isOpen) return []
    const message = `${ruleLabel(rule)} denies names only: a client that resolves them itself passes it`
    return [{ kind: 'name-only-deny', level: 'hint', place: rule.place, rule: rule.number, message } as const]
  })
}

/** Every test of some conditions. */
export function testsOf(conditions: readonly Condition[]): readonly Test[] {
  return conditions.flatMap((condition): readonly Test[] => {
    switch (condition.kind) {
      case 'everything':
        return []
      case 'not':
        return testsOf([condition.of])
      case 'all':
      case 'any':
        return testsOf(condition.of)
      default:
        return [condition]
    }
  })
}
