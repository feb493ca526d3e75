/** Finds what a person would want to know about a policy before somebody else finds it. Knows no terminal. */
import { type CompileOptions, compile } from './compile/compile.ts'
import { type Term, termsOf } from './compile/terms.ts'
import { ruleLabel } from './decision.ts'
import { type Point, type Points, pointsOf } from './points.ts'
import type { Policy, Rule, Test } from './policy.ts'
import type { SourcePlace } from './problem.ts'
import { testsOf } from './tests-of.ts'
import { type Place } from './walk.ts'

/**
 * `never-matches`: no request can. `shadowed`: earlier rules take all it could match, and say the same. `contradicted`:
 * they say the opposite. `empty-set`, `unused-set`, `unused-limit`. `name-only-deny`: a client
 * that resolves the name itself passes it, whether a deny names it or an allow leaves it out.
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

/** Rules that keep from names alone, where the same target may be reached by address. */
function passedBy(policy: Policy): readonly Finding[] {
  return policy.rules.flatMap(rule => {
    const terms = termsOf(rule.condition) ?? []
    const isPassed =
      rule.verdict === 'deny'
        ? deniesNamesOnly(terms) && policy.rules.some(one => one.verdict === 'allow' && one.number > rule.number)
        : terms.some(leavesOutNamesOnly)
    if (!isPassed) return []
    const what = rule.verdict === 'deny' ? 'denies' : 'leaves out'
    const message = `${ruleLabel(rule)} ${what} names only: a client that resolves them itself passes it`
    return [{ kind: 'name-only-deny', level: 'hint', place: rule.place, rule: rule.number, message } as const]
  })
}

function deniesNamesOnly(terms: readonly Term[]): boolean {
  const literals = terms.flatMap(term => term.literals)
  const byName = literals.some(({ test, isPositive }) => test.kind === 'host' && isPositive)
  return byName && literals.every(({ test }) => test.kind !== 'address')
}

/** An address without a name is none of the names that an allow leaves out; where it must be another name, it is none either. */
function leavesOutNamesOnly({ literals }: Term): boolean {
  const has = (kind: Test['kind'], isPositive: boolean): boolean =>
    literals.some(literal => literal.test.kind === kind && literal.isPositive === isPositive)
  return has('host', false) && !has('host', true) && !has('address', false)
}
