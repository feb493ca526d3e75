/** What becomes different when one policy takes the place of another: who gains, who loses. Knows no terminal. */
import { commonSequence } from './common-sequence.ts'
import { type CompileOptions, type Decider, compile } from './compile/compile.ts'
import { type Term, termsOf } from './compile/terms.ts'
import { type Decision, routeOf } from './decision.ts'
import { COMMANDS, type Command, isReached } from './facts.ts'
import type { Limit } from './limit.ts'
import { testsOf } from './tests-of.ts'
import { INSIDE, LOOPBACK, type Network, UNSPECIFIED } from './network.ts'
import { type Point, pointsOf } from './points.ts'
import {
  type AllowRule,
  BLOCK_WAY,
  type Condition,
  DEFAULT_WAY,
  type Policy,
  type Rule,
  type Test,
  wayText,
} from './policy.ts'
import { type ServerSetting, asServed } from './server-refusal.ts'
import type { Place } from './walk.ts'

/** What a policy stands in. Nothing said is what a server does that is told nothing but its rules. */
export interface Surroundings extends CompileOptions {
  /** What the server refuses by itself. */
  readonly setting?: ServerSetting
  /** What ways out are, by their names: the same text for those that lead alike. Of others no more is known than the name. */
  readonly ways?: ReadonlyMap<string, string>
}

/** Requests that two rules, one of each policy, treat differently. */
export interface Difference {
  /** `changes`: allowed before and after, by another way or within other limits. */
  readonly kind: 'gains' | 'loses' | 'changes'
  readonly before: Decision
  readonly after: Decision
  readonly limitsBefore: readonly Limit[]
  readonly limitsAfter: readonly Limit[]
  /** Of what changes: it goes out by another way, or by one of the same name that is another one now. */
  readonly isOtherWay: boolean
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

/** A policy and what it stands in. */
interface Side {
  readonly policy: Policy
  readonly around: Surroundings
  readonly decider: Decider
}

/**
 * Every pair of rules between which requests move from one policy to the other. `old` and `young` are what the two stand
 * in; where an address is registered is tried out, and not asked of them.
 */
export function diff(
  before: Policy,
  after: Policy,
  nowMs: number,
  old: Surroundings = {},
  young: Surroundings = old,
): PolicyDiff {
  let place: Place = {}
  const sideOf = (policy: Policy, around: Surroundings): Side => {
    return { policy, around, decider: compile(policy, { ...around, geo: (): Place => place }) }
  }
  const [a, b] = [sideOf(before, old), sideOf(after, young)]
  const tests = testsOf([...conditionsOf(before), ...conditionsOf(after)])
  const points = pointsOf([...tests, ...surroundingTests(old), ...surroundingTests(young)], nowMs)
  const found = new Map<string, Difference>()
  let isComplete = true
  // A request that no changed condition matches is treated by the same rule as before, and in the same way.
  for (const condition of changedConditions(a, b)) {
    for (const term of termsOf(condition) ?? [ANY_TERM]) {
      const { points: within, isAll } = points.within(term, POINTS_MAX)
      isComplete &&= isAll
      for (const example of within) {
        ;({ place } = example)
        const [was, is] = [judged(a, example), judged(b, example)]
        const kind = kindOf(was, is)
        const key = `${kind} ${was.label} ${is.label}`
        if (kind !== undefined && !found.has(key)) found.set(key, differenceOf(kind, was, is, example))
      }
    }
  }
  return { differences: [...found.values()], isComplete }
}

/** What becomes of a request on one side. */
interface Judged {
  readonly decision: Decision
  readonly limits: readonly Limit[]
  /** By what it goes out, where it is allowed; to be compared. */
  readonly way: string
  /** The same with where it goes and within what. */
  readonly terms: string
  /** What decides, for which reason, and within what; one difference is told for each pair. */
  readonly label: string
}

function judged({ policy, around, decider }: Side, { facts }: Point): Judged {
  const decision = asServed(decider.decide(facts), facts, around.setting ?? {})
  const rule = decision.verdict === 'open' ? undefined : decision.rule
  if (decision.verdict !== 'allow') {
    const reason = decision.cause === 'server' ? decision.refusal.detail : undefined
    return { decision, limits: [], way: '', terms: '', label: textOf([decision.cause, rule?.number, reason]) }
  }
  const limits = decider.limitsOn(facts, decision)
  const bounds = limits.map(limitKeyOf).toSorted()
  // Whoever is heard goes out nowhere.
  const way = isReached(facts) ? meaningOf(routeOf(decision), policy, around) : ''
  const terms = textOf([way, bounds, isReached(facts) && decision.rule?.redirect])
  return { decision, limits, way, terms, label: textOf([decision.cause, rule?.number, bounds]) }
}

/** What is known of a way out: that it is blocked, what it is, or what people call it. */
function meaningOf(via: string, policy: Policy, { ways, setting }: Surroundings): string {
  return setting?.blockedWays?.includes(via) === true ? BLOCK_WAY : (ways?.get(via) ?? wayText(via, policy))
}

function kindOf(before: Judged, after: Judged): Difference['kind'] | undefined {
  const [was, is] = [before.decision.verdict === 'allow', after.decision.verdict === 'allow']
  if (was !== is) return is ? 'gains' : 'loses'
  return was && before.terms !== after.terms ? 'changes' : undefined
}

function differenceOf(kind: Difference['kind'], before: Judged, after: Judged, example: Point): Difference {
  return {
    kind,
    before: before.decision,
    after: after.decision,
    limitsBefore: before.limits,
    limitsAfter: after.limits,
    isOtherWay: kind === 'changes' && before.way !== after.way,
    example,
  }
}

const EVERYTHING: Condition = { kind: 'everything' }
/** Instead of the terms of a condition that has too many; only those of limits may. */
const ANY_TERM: Term = { literals: [], opensInside: false }

/** Of rules, and of limits that apply by themselves. */
function conditionsOf({ rules, limits }: Policy): readonly Condition[] {
  return [...rules.map(({ condition }) => condition), ...limits.flatMap(({ of }) => of?.condition ?? [])]
}

/** A blocked way is closed to what is reached, not to whom is heard. */
const REACHED = commandTest(COMMANDS.filter(command => isReached({ command })))

/** The tests that a server makes besides its rules: who is near, what is inside, what of it is open, what is off. */
function surroundingTests({ inside: { from = LOOPBACK, open = [] } = {}, setting }: Surroundings): readonly Test[] {
  return [
    networkTest('client', from),
    ...[INSIDE, UNSPECIFIED, open].map(networks => networkTest('address', networks)),
    // Each by itself, so that each is told.
    ...(setting?.commandsOff ?? []).map(command => commandTest([command])),
    REACHED,
  ]
}

function commandTest(commands: readonly Command[]): Test {
  return { kind: 'command', words: new Set(commands), text: '' }
}

function networkTest(kind: 'client' | 'address', networks: readonly Network[]): Test {
  return { kind, networks, unix: kind === 'client', inside: false, text: '' }
}

/**
 * The conditions of what is not the same on both sides: rules in the same place among the others, limits that apply by
 * themselves, what the server opens and switches off.
 */
function changedConditions(a: Side, b: Side): readonly Condition[] {
  const [before, after] = [a.policy, b.policy]
  // With no rules everything is allowed, and with one nothing else is; by what way, no rule says.
  const ends =
    (before.rules.length === 0) !== (after.rules.length === 0) ||
    before.mode !== after.mode ||
    meaningOf(DEFAULT_WAY, before, a.around) !== meaningOf(DEFAULT_WAY, after, b.around)
  const [old, young] = [keyedRules(a), keyedRules(b)]
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
    ...inOneOnly(byText(surroundingTests(a.around)), byText(surroundingTests(b.around))),
  ]
}

function keyedRules(side: Side): readonly { readonly rule: Rule; readonly key: string }[] {
  return side.policy.rules.map(rule => ({ rule, key: keyOf(rule, side) }))
}

/** Limits that apply by themselves in one of the policies only. */
function changedLimits(before: Policy, after: Policy): readonly Limit[] {
  return inOneOnly(ownLimits(before), ownLimits(after))
}

function inOneOnly<T>(old: ReadonlyMap<string, T>, young: ReadonlyMap<string, T>): readonly T[] {
  return [...old, ...young].flatMap(([key, one]) => (old.has(key) && young.has(key) ? [] : [one]))
}

function byText(tests: readonly Test[]): ReadonlyMap<string, Test> {
  return new Map(tests.map(test => [textOf(test), test]))
}

function ownLimits({ limits }: Policy): ReadonlyMap<string, Limit> {
  return new Map(
    limits.flatMap(limit => (limit.of === undefined ? [] : [[textOf([limitKeyOf(limit), limit.of]), limit]])),
  )
}

/** What a rule means, without its number and place; its name, since limits may go by it. */
function keyOf({ name, condition, verdict, mode, ...rest }: Rule, { policy, around }: Side): string {
  const { via, limits, redirect } = rest as Partial<AllowRule>
  const named = policy.limits.filter(limit => limits?.includes(limit.name) === true).map(limitKeyOf)
  const way = via && meaningOf(via, policy, around)
  return textOf([name, verdict, mode, condition, way, named.toSorted(), redirect])
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
