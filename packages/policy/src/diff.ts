/** What becomes different when one policy takes the place of another: who gains, who loses. Knows no terminal. */
import { type CompileOptions, compile } from './compile/compile.ts'
import { termsOf } from './compile/terms.ts'
import type { Decision } from './decision.ts'
import { testsOf } from './lint.ts'
import { type Point, pointsOf } from './points.ts'
import { type AllowRule, DEFAULT_WAY, type Policy, type Rule, wayText } from './policy.ts'
import type { Place } from './walk.ts'

/** Requests that two rules, one of each policy, treat differently. */
export interface Difference {
  /** `changes`: allowed before and after, by another way or within other limits. */
  readonly kind: 'gains' | 'loses' | 'changes'
  readonly before: Decision
  readonly after: Decision
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
  const points = pointsOf(testsOf([...before.rules, ...after.rules]), nowMs)
  const found = new Map<string, Difference>()
  let isComplete = true
  // A request that no changed rule matches is decided by the same rule as before.
  for (const condition of changedConditions(before, after)) {
    for (const term of termsOf(condition) ?? []) {
      const { points: within, isAll } = points.within(term, POINTS_MAX)
      isComplete &&= isAll
      for (const example of within) {
        ;({ place } = example)
        const [was, is] = [old.decide(example.facts), young.decide(example.facts)]
        const kind = kindOf(was, before, is, after)
        const key = `${kind} ${labelOf(was)} ${labelOf(is)}`
        if (kind !== undefined && !found.has(key)) found.set(key, { kind, before: was, after: is, example })
      }
    }
  }
  return { differences: [...found.values()], isComplete }
}

function kindOf(before: Decision, old: Policy, after: Decision, young: Policy): Difference['kind'] | undefined {
  if (before.verdict !== after.verdict) return after.verdict === 'allow' ? 'gains' : 'loses'
  if (before.verdict !== 'allow' || after.verdict !== 'allow') return undefined
  return wayOf(before.rule, old) === wayOf(after.rule, young) ? undefined : 'changes'
}

function wayOf(rule: AllowRule | undefined, policy: Policy): string {
  return textOf([wayText(rule?.via ?? DEFAULT_WAY, policy), rule?.limits ?? [], rule?.redirect])
}

function labelOf(decision: Decision): string {
  return decision.verdict === 'open' ? '' : `${decision.cause} ${decision.rule?.number ?? ''}`
}

/** The conditions of rules that are not in both policies, in the same place among the others. */
function changedConditions(before: Policy, after: Policy): readonly Rule['condition'][] {
  const everything: Rule['condition'] = { kind: 'everything' }
  // With no rules everything is allowed, and with one nothing else is.
  const ends = (before.rules.length === 0) !== (after.rules.length === 0) || before.mode !== after.mode
  const old = before.rules.map(rule => ({ rule, key: keyOf(rule) }))
  const young = after.rules.map(rule => ({ rule, key: keyOf(rule) }))
  const kept = keptKeys(
    old.map(one => one.key),
    young.map(one => one.key),
  )
  const gone = old.filter((_, index) => !kept.before.has(index))
  const come = young.filter((_, index) => !kept.after.has(index))
  return [...(ends ? [everything] : []), ...[...gone, ...come].map(({ rule }) => rule.condition)]
}

/** What a rule means, without its number and place. */
function keyOf({ condition, verdict, mode, ...rest }: Rule): string {
  const way = rest as Partial<AllowRule>
  return textOf([verdict, mode, condition, way.via, way.limits, way.redirect])
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
