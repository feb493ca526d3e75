/** What becomes different when one policy takes the place of another: who gains, who loses. Knows no terminal. */
import { commonSequence } from './common-sequence.ts'
import { type CompileOptions, type Decider, compile } from './compile/compile.ts'
import { type Term, termsOf } from './compile/terms.ts'
import type { Decision } from './decision.ts'
import type { Limit } from './limit.ts'
import { testsOf } from './lint.ts'
import { type Point, pointsOf } from './points.ts'
import { type AllowRule, type Condition, DEFAULT_WAY, type Policy, type Rule, wayText } from './policy.ts'
import type { Place } from './walk.ts'

/** Requests that two rules, one of each policy, treat differently. */
export interface Difference {
  /** `changes`: allowed before and after, by another way or within other limits. */
  readonly kind: 'gains' | 'loses' | 'changes'
  readonly before: Decision
  readonly after: Decision
  readonly limitsBefore: readonly Limit[]
  readonly limitsAfter: readonly Limit[]
  /** One such request. */
  readonly example: Point
}

export interface PolicyDiff {
  readonly differences: readonly Difference[]
  /** False: there were too many kinds of requests to look at each, so that something may be missing. */
  readonly isComplete: boolean
}

/** Requests that are tried for one rule that is only in one of the policies. */
const POINTS_MAX = 20_000

/** Every pair of rules between which requests move from one policy to the other. */
export function diff(before: Policy, after: Policy, nowMs: number, options: CompileOptions = {}): PolicyDiff {
  let place: Place = {}
  const asking = { ...options, geo: (): Place => place }
  const [old, young] = [compile(before, asking), compile(after, asking)]
  const points = pointsOf(testsOf([...conditionsOf(before), ...conditionsOf(after)]), nowMs)
  const found = new Map<string, Difference>()
  let isComplete = true
  // A request that no changed rule matches is decided by the same rule as before.
  for (const condition of changedConditions(before, after)) {
    for (const term of termsOf(condition) ?? [ANY_TERM]) {
      const { points: within, isAll } = points.within(term, POINTS_MAX)
      isComplete &&= isAll
      for (const example of within) {
        ;({ place } = example)
        const [was, is] = [judged(before, old, example), judged(after, young, example)]
        const kind = kindOf(was, is)
        if (kind === undefined) continue
        const key = `${kind} ${labelOf(was)} ${labelOf(is)}`
        if (found.has(key)) continue
        const limits = { limitsBefore: was.limits, limitsAfter: is.limits }
        found.set(key, { kind, before: was.decision, after: is.decision, ...limits, example })
      }
    }
  }
  return { differences: [...found.values()], isComplete }
}

/** What one policy makes of a request. */
interface Judged {
  readonly decision: Decision
  readonly limits: readonly Limit[]
  /** How it goes out and within what, where it is allowed; to be compared. */
  readonly way: string
}

function judged(policy: Policy, decider: Decider, { facts }: Point): Judged {
  const decision = decider.decide(facts)
  if (decision.verdict !== 'allow') return { decision, limits: [], way: '' }
  const { rule } = decision
  const limits = decider.limitsOn(facts, decision)
  return {
    decision,
    limits,
    way: textOf([wayText(rule?.via ?? DEFAULT_WAY, policy), limits.map(limitKeyOf).toSorted(), rule?.redirect]),
  }
}

function kindOf(before: Judged, after: Judged): Difference['kind'] | undefined {
  const [was, is] = [before.decision.verdict, after.decision.verdict]
  if (was !== is) return is === 'allow' ? 'gains' : 'loses'
  return before.way === after.way ? undefined : 'changes'
}

function labelOf({ decision, way }: Judged): string {
  return decision.verdict === 'open' ? '' : `${decision.cause} ${decision.rule?.number ?? ''} ${way}`
}

const EVERYTHING: Condition = { kind: 'everything' }
/** Instead of the terms of a condition that has too many; only those of limits may. */
const ANY_TERM: Term = { literals: [], opensInside: false }

/** Of rules, and of limits that apply by themselves. */
function conditionsOf({ rules, limits }: Policy): readonly Condition[] {
  return [...rules.map(({ condition }) => condition), ...limits.flatMap(({ of }) => of?.condition ?? [])]
}

/** The conditions of what is not in both policies: rules in the same place among the others, limits that apply by themselves. */
function changedConditions(before: Policy, after: Policy): readonly Condition[] {
  // With no rules everything is allowed, and with one nothing else is; by what way, no rule says.
  const ends =
    (before.rules.length === 0) !== (after.rules.length === 0) ||
    before.mode !== after.mode ||
    wayText(DEFAULT_WAY, before) !== wayText(DEFAULT_WAY, after)
  const old = before.rules.map(rule => ({ rule, key: keyOf(rule, before) }))
  const young = after.rules.map(rule => ({ rule, key: keyOf(rule, after) }))
  const kept = commonSequence(
    old.map(one => one.key),
    young.map(one => one.key),
  )
  const gone = old.filter((_, index) => !kept.inA.has(index))
  const come = young.filter((_, index) => !kept.inB.has(index))
  return [
    ...(ends ? [EVERYTHING] : []),
    ...[...gone, ...come].map(({ rule }) => rule.condition),
    ...changedLimits(before, after).map(({ of }) => of?.condition ?? EVERYTHING),
  ]
}

/** Limits that apply by themselves in one of the policies only. */
function changedLimits(before: Policy, after: Policy): readonly Limit[] {
  const [old, young] = [ownLimits(before), ownLimits(after)]
  return [...old, ...young].flatMap(([key, limit]) => (old.has(key) && young.has(key) ? [] : [limit]))
}

type OwnLimits = ReadonlyMap<string, Limit>

function ownLimits({ limits }: Policy): OwnLimits {
  return new Map(
    limits.flatMap(limit => (limit.of === undefined ? [] : [[textOf([limitKeyOf(limit), limit.of]), limit]])),
  )
}

/** What a rule means, without its number and place; its name, since limits may go by it. */
function keyOf({ name, condition, verdict, mode, ...rest }: Rule, policy: Policy): string {
  const { via, limits, redirect } = rest as Partial<AllowRule>
  const named = policy.limits.filter(limit => limits?.includes(limit.name) === true).map(limitKeyOf)
  return textOf([name, verdict, mode, condition, via && wayText(via, policy), named.toSorted(), redirect])
}

/** What a limit means: its name may change. */
function limitKeyOf({ per, amounts }: Limit): string {
  return textOf([per, amounts])
}

function textOf(value: unknown): string {
  return JSON.stringify(value, (_key, one: unknown) =>
    one instanceof Set ? [...one] : one instanceof Uint8Array ? [...one] : one,
  )
}
