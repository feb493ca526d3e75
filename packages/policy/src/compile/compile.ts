/**
 * Rules, compiled into a decision: the first term that holds decides, or leaves open what is not known yet. Does not wait,
 * and makes no garbage on the way of an ordinary question.
 */
import type { IpAddress } from '@socksmith/protocol'
import {
  type Decision,
  NO_MATCH,
  NO_RULES,
  OPEN,
  type Reported,
  byRule,
  closedInside,
  reportedOnly,
} from '../decision.ts'
import { type Facts, type Geo, isReached } from '../facts.ts'
import { addressForms } from '../network.ts'
import type { Policy, Rule } from '../policy.ts'
import type { Limit } from '../limit.ts'
import { momentsAround } from '../moments.ts'
import { testsOf } from '../tests-of.ts'
import { type InsideOptions, InsideTable } from './inside-table.ts'
import { LimitTable } from './limit-table.ts'
import { Search } from './search.ts'
import { termsOf } from './terms.ts'

export interface CompileOptions {
  readonly inside?: InsideOptions
  /** Where an address is registered. Without it no address has a country or a number. */
  readonly geo?: Geo
}

/** The one function that decides everything. */
export interface Decider {
  /** Without rules everything is allowed but what is inside: only targets need to be asked about. */
  readonly hasRules: boolean
  /**
   * What the rules say. Facts that are not known yet may leave it `open`; with all of them it is `allow` or `deny`.
   *
   * @example
   * const decision = decider.decide({ nowMs, client, listener: '0.0.0.0:1080' })
   * if (decision.verdict === 'deny') close(refusalOf(decision))
   */
  decide(facts: Facts): Decision
  /** Whether inside addresses are closed to this client: an allowed name may then still be refused for its address. */
  closesInside(client: Facts['client']): boolean
  /** Moments that stand for all others, for who asks what is ever allowed; this one alone where no rule looks at the time. */
  moments(nowMs: number): readonly number[]
  /** Without limits nothing has to be counted. */
  readonly hasLimits: boolean
  /** The limits on what was decided: those of its rule, and those that apply by themselves as far as it is known. */
  limitsOn(facts: Facts, decision: Decision | undefined): readonly Limit[]
}

/** Compiles a policy that was read by {@link readPolicy}. Ten thousand rules take a fraction of a second. */
export function compile(policy: Policy, options: CompileOptions = {}): Decider {
  return new CompiledPolicy(policy, options)
}

class CompiledPolicy implements Decider {
  readonly #policy: Policy
  readonly #inside: InsideTable
  readonly #search: Search
  readonly #limits: LimitTable
  /** Of each term. */
  readonly #rules: readonly Rule[]
  readonly #decisions: readonly Decision[]
  readonly #opensInside: readonly boolean[]

  constructor(policy: Policy, { inside = {}, geo = () => ({}) }: CompileOptions) {
    this.#policy = policy
    this.#inside = new InsideTable(inside)
    this.#limits = new LimitTable(policy, geo)
    const terms = policy.rules.flatMap(rule => (termsOf(rule.condition) ?? []).map(term => ({ rule, term })))
    this.#rules = terms.map(({ rule }) => rule)
    this.#opensInside = terms.map(({ term }) => term.opensInside)
    const decisions = new Map(policy.rules.map(rule => [rule, byRule(rule)]))
    this.#decisions = terms.map(({ rule }) => decisions.get(rule) ?? NO_MATCH)
    this.#search = new Search(
      terms.map(({ rule, term }) => ({ literals: term.literals, kind: kindOf(rule) })),
      geo,
    )
  }

  get hasRules(): boolean {
    return this.#policy.rules.length > 0
  }

  decide(facts: Facts): Decision {
    const { address } = facts
    if (address === undefined) return this.#decideAbout(facts, undefined)
    if (address.type === 'ipv4') return this.#decideAbout(facts, address)
    const [first, second] = addressForms(address)
    const decision = this.#decideAbout(facts, first)
    if (second === undefined || decision.verdict === 'deny') return decision
    const other = this.#decideAbout(facts, second)
    return other.verdict === 'allow' ? decision : other
  }

  closesInside(client: Facts['client']): boolean {
    return !this.#inside.isNear(client)
  }

  moments(nowMs: number): readonly number[] {
    const tests = testsOf(this.#policy.rules.map(({ condition }) => condition))
    const schedules = tests.flatMap(test => (test.kind === 'when' ? test.schedules : []))
    return schedules.length === 0 ? [nowMs] : momentsAround(schedules, nowMs)
  }

  get hasLimits(): boolean {
    return !this.#limits.isEmpty
  }

  limitsOn(facts: Facts, decision: Decision | undefined): readonly Limit[] {
    return this.#limits.of(facts, decision)
  }

  #decideAbout(facts: Facts, form: IpAddress | undefined): Decision {
    if (this.#policy.rules.length === 0) return this.#withInside(NO_RULES, facts, form, false)
    this.#search.about(facts, form)
    const sure = this.#search.firstSure(ENFORCED)
    if (this.#search.metUnknown && this.#isOpen(sure)) return OPEN
    const decision = sure === -1 ? NO_MATCH : (this.#decisions[sure] as Decision)
    const opens = decision.verdict === 'allow' && this.#opensInside[sure] === true
    const complete = this.#withReports(decision, sure)
    const enforced = this.#policy.mode === 'report' ? reportedOnly(complete) : complete
    return this.#withInside(enforced, facts, form, opens)
  }

  // Something is unknown: it is open when an earlier rule may yet match and the outcomes differ.
  #isOpen(sure: number): boolean {
    const allowing = this.#search.firstPossible(KIND.allow)
    const number = this.#ruleNumber(sure)
    if (allowing === -1 || this.#ruleNumber(allowing) > number) return false
    if (this.#ruleNumber(allowing) < number) return true
    return this.#ruleNumber(this.#search.firstPossible(ENFORCED)) < number
  }

  // The end of the list (-1, which to look up as an index takes longer than the rest) stands behind every rule.
  #ruleNumber(term: number): number {
    return term === -1 ? Infinity : (this.#rules[term] as Rule).number
  }

  #withReports(decision: Decision, sure: number): Decision {
    if (decision.verdict === 'open' || !this.#search.has(KIND.report)) return decision
    const reported = new Map<Rule, Reported>()
    for (const term of this.#search.allSure(KIND.report)) {
      const rule = this.#rules[term] as Rule
      if (sure === -1 || term < sure) reported.set(rule, { verdict: rule.verdict, rule })
    }
    return reported.size === 0 ? decision : { ...decision, reported: [...reported.values()] }
  }

  #withInside(decision: Decision, facts: Facts, form: IpAddress | undefined, opens: boolean): Decision {
    if (decision.verdict !== 'allow' || form === undefined || opens) return decision
    // What is reached instead was chosen by whoever wrote the rules.
    if (decision.rule?.redirect !== undefined && isReached(facts)) return decision
    return this.#inside.isClosedTo(facts.client, form) ? closedInside(decision) : decision
  }
}

/** What a search may look for; may be joined with |. */
const KIND = { allow: 1, deny: 2, report: 4 } as const
const ENFORCED = KIND.allow | KIND.deny

function kindOf(rule: Rule): number {
  return rule.mode === 'report' ? KIND.report : KIND[rule.verdict]
}
