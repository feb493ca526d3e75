/** What becomes different when one policy takes the place of another: who gains, who loses. Knows no terminal. */
import { type CompileOptions, type Decider, compile } from './compile/compile.ts'
import { termsOf } from './compile/terms.ts'
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
    for (const term of termsOf(condition) ?? []) {
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

const everything: Condition = { kind: 'everything' }

/** Of rules, and of limits that apply by themselves. */
function conditionsOf({ rules, limits }: Policy): readonly Condition[] {
  return [...rules.map(({ condition }) => condition), ...limits.flatMap(({ of }) => of?.condition ?? [])]
}

/** The conditions of what is not in both policies: rules in the same place among the others, limits that apply by themselves. */
function changedConditions(before: Policy, after: Policy): readonly Condition[] {
  // With no rules everything is allowed, and with one nothing else is.
  const ends = (before.rules.length === 0) !== (after.rules.length === 0) || before.mode !== after.mode
  const old = before.rules.map(rule => ({ rule, key: keyOf(rule, before) }))
  const young = after.rules.map(rule => ({ rule, key: keyOf(rule, after) }))
  const kept = keptKeys(
    old.map(one => one.key),
    young.map(one => one.key),
  )
  const gone = old.filter((_, index) => !kept.before.has(index))
  const come = young.filter((_, index) => !kept.after.has(index))
  return [
    ...(ends ? [everything] : []),
    ...[...gone, ...come].map(({ rule }) => rule.condition),
    ...changedLimits(before, after).map(({ of }) => of?.condition ?? everything),
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
  const way = rest as Partial<AllowRule>
  const limits = policy.limits.filter(limit => way.limits?.includes(limit.name) === true).map(limitKeyOf)
  return textOf([name, verdict, mode, condition, way.via, limits.toSorted(), way.redirect])
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

/** Rules that stand in both lists in the same order: those at both ends, and then a longest common sequence of the rest. */
function keptKeys(
  a: readonly string[],
  b: readonly string[],
): { readonly before: Set<number>; readonly after: Set<number> } {
  const kept = { before: new Set<number>(), after: new Set<number>() }
  const keep = (i: number, j: number): void => {
    kept.before.add(i)
    kept.after.add(j)
  }
  let start = 0
  while (start < a.length && start < b.length && a[start] === b[start]) keep(start, start++)
  let [endA, endB] = [a.length, b.length]
  while (endA > start && endB > start && a[endA - 1] === b[endB - 1]) keep(--endA, --endB)
  const [height, width] = [endA - start, endB - start]
  // Longer middles would take too much memory; their rules then count as changed, which is only slower.
  if (height * width > SEQUENCE_CELLS_MAX) return kept
  const lengths = Array.from({ length: height + 1 }, () => new Uint16Array(width + 1))
  const at = (i: number, j: number): number => lengths[i]?.[j] ?? 0
  for (let i = height - 1; i >= 0; i--) {
    for (let j = width - 1; j >= 0; j--) {
      const row = lengths[i] as Uint16Array
      row[j] = a[start + i] === b[start + j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1))
    }
  }
  for (let i = 0, j = 0; i < height && j < width;) {
    if (a[start + i] === b[start + j]) keep(start + i++, start + j++)
    else if (at(i + 1, j) >= at(i, j + 1)) i++
    else j++
  }
  return kept
}

const SEQUENCE_CELLS_MAX = 4_000_000
