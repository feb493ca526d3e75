/**
 * The rules asked one after another, as a person would read them: slow, and plain enough to be believed. Explanations come
 * from here, and the compiled decision is held against it by a property test.
 */
import { type IpAddress, formatAddress, unmapped } from '@socksmith/protocol'
import { type InsideOptions, InsideTable } from './compile/inside-table.ts'
import type { CompileOptions } from './compile/compile.ts'
import { termsOf } from './compile/terms.ts'
import {
  type Decision,
  NO_MATCH,
  NO_RULES,
  OPEN,
  type Reported,
  byRule,
  closedInside,
  reportedOnly,
} from './decision.ts'
import { type Facts, type Geo, isReached, plainName } from './facts.ts'
import { hostMatches } from './host-pattern.ts'
import { addressForms, containsAny } from './network.ts'
import type { Condition, Policy, Rule, Test } from './policy.ts'
import { isWithin } from './schedule.ts'

/** `undefined`: it depends on what is not known yet. */
export type Truth = boolean | undefined

/** One rule that was asked. */
export interface Step {
  readonly rule: Rule
  readonly truth: Truth
  /** Why it does not match, or what it depends on; absent when it matches. */
  readonly why?: string
}

export interface Walk {
  readonly decision: Decision
  /** The rules in order, up to the one that decides. */
  readonly steps: readonly Step[]
  /** The form of the address that was asked about. */
  readonly form?: IpAddress
}

/** Where an address is registered. */
export type Place = ReturnType<Geo>

/** What one walk looks at: the facts, with one form of the address and what is known of it. */
export interface View {
  readonly facts: Facts
  readonly host: string | null | undefined
  readonly form: IpAddress | undefined
  readonly place: Place | undefined
}

/** Decides as the compiled policy does, and keeps every step. */
export function walk(policy: Policy, facts: Facts, options: CompileOptions = {}): Walk {
  if (facts.address === undefined) return walkForm(policy, facts, undefined, options)
  const [first, second] = addressForms(facts.address)
  const result = walkForm(policy, facts, first, options)
  if (second === undefined || result.decision.verdict === 'deny') return result
  const other = walkForm(policy, facts, second, options)
  return other.decision.verdict === 'allow' ? result : other
}

function walkForm(
  policy: Policy,
  facts: Facts,
  form: IpAddress | undefined,
  { inside = {}, geo = () => ({}) }: CompileOptions,
): Walk {
  const host = typeof facts.host === 'string' ? plainName(facts.host) : facts.host
  const view: View = { facts, host, form, place: form && geo(form) }
  const shown = form === undefined ? {} : { form }
  if (policy.rules.length === 0) return { ...shown, decision: withInside(NO_RULES, view, inside), steps: [] }
  const steps: Step[] = []
  const reported: Reported[] = []
  const possible: Rule[] = []
  let sure: Rule | undefined
  for (const rule of policy.rules) {
    const truth = truthOf(rule.condition, view)
    const why = truth === true ? undefined : reasonAgainst(rule.condition, view)
    steps.push({ rule, truth, ...(why !== undefined && { why }) })
    if (truth === false) continue
    if (rule.mode === 'report') {
      if (truth === true) reported.push({ verdict: rule.verdict, rule })
    } else if (truth === undefined) possible.push(rule)
    else {
      sure = rule
      break
    }
  }
  const mayAllow = possible.some(rule => rule.verdict === 'allow') || (possible.length > 0 && sure?.verdict === 'allow')
  if (mayAllow) return { ...shown, decision: OPEN, steps }
  const bare = sure === undefined ? NO_MATCH : byRule(sure)
  const decision = reported.length === 0 ? bare : ({ ...bare, reported } as Decision)
  const enforced = policy.mode === 'report' ? reportedOnly(decision) : decision
  return { ...shown, decision: withInside(enforced, view, inside), steps }
}

function withInside(decision: Decision, view: View, options: InsideOptions): Decision {
  const { form, facts } = view
  if (decision.verdict !== 'allow' || form === undefined) return decision
  if (decision.rule?.redirect !== undefined && isReached(facts)) return decision
  if (!new InsideTable(options).isClosedTo(facts.client, form)) return decision
  const terms = decision.rule === undefined ? [] : (termsOf(decision.rule.condition) ?? [])
  const opens = terms.some(
    term => term.opensInside && term.literals.every(({ test, isPositive }) => truthOf(test, view) === isPositive),
  )
  return opens ? decision : closedInside(decision)
}

export function truthOf(condition: Condition, view: View): Truth {
  switch (condition.kind) {
    case 'everything':
      return true
    case 'all':
      return leastOf(condition.of.map(part => truthOf(part, view)))
    case 'any':
      return negated(leastOf(condition.of.map(part => negated(truthOf(part, view)))))
    case 'not':
      return negated(truthOf(condition.of, view))
    case 'client': {
      const { client } = view.facts
      return client === 'unix' ? condition.unix : containsAny(condition.networks, client)
    }
    case 'address':
      return view.form && containsAny(condition.networks, view.form)
    case 'host': {
      const { host } = view
      return host === undefined ? undefined : host !== null && condition.names.some(one => hostMatches(one, host))
    }
    case 'port': {
      const { port } = view.facts
      return port === undefined ? undefined : condition.ranges.some(([first, last]) => port >= first && port <= last)
    }
    case 'when':
      return condition.schedules.some(schedule => isWithin(schedule, view.facts.nowMs))
    case 'country':
    case 'asn':
      return view.place && hasWord(condition.words, view.place[condition.kind] ?? null)
    default: {
      const word = view.facts[condition.kind]
      return word === undefined ? undefined : hasWord(condition.words, word)
    }
  }
}

function hasWord(words: ReadonlySet<string>, word: string | null): boolean {
  return word !== null && words.has(word)
}

function leastOf(truths: readonly Truth[]): Truth {
  if (truths.includes(false)) return false
  return truths.includes(undefined) ? undefined : true
}

function negated(truth: Truth): Truth {
  return truth === undefined ? undefined : !truth
}

/** The first thing that keeps a condition from matching, as a sentence. */
function reasonAgainst(condition: Condition, view: View): string {
  switch (condition.kind) {
    case 'everything':
      return ''
    case 'all':
      return pick(condition.of, view)
    case 'any':
      if (condition.text !== undefined) return `not ${condition.text} (${factText('host', view)})`
      return condition.of.map(part => reasonAgainst(part, view)).join('; ')
    case 'not':
      return `${conditionText(condition.of)} ${truthOf(condition.of, view) === undefined ? 'may hold' : 'holds'}`
    default:
      if (truthOf(condition, view) === undefined) return `${condition.text}: ${factText(condition.kind, view)}`
      return `not ${condition.text} (${factText(condition.kind, view)})`
  }
}

function pick(parts: readonly Condition[], view: View): string {
  const part = parts.find(one => truthOf(one, view) === false) ?? parts.find(one => truthOf(one, view) === undefined)
  return part === undefined ? '' : reasonAgainst(part, view)
}

/** A condition as a sentence: `group staff, port 80, 443, not (to payroll.example.com)`. */
export function conditionText(condition: Condition): string {
  switch (condition.kind) {
    case 'everything':
      return 'everything'
    case 'all':
      return condition.of.map(conditionText).join(', ')
    case 'any':
      return condition.text ?? condition.of.map(part => `(${conditionText(part)})`).join(' or ')
    case 'not':
      return `not (${conditionText(condition.of)})`
    default:
      return condition.text
  }
}

function factText(kind: Test['kind'], { facts, form, host, place }: View): string {
  switch (kind) {
    case 'client':
      return facts.client === 'unix' ? 'a Unix socket' : `from ${formatAddress(unmapped(facts.client))}`
    case 'host':
    case 'address':
      return [
        typeof host === 'string' ? host : undefined,
        form === undefined ? 'address not known yet' : formatAddress(form),
      ]
        .filter(one => one !== undefined)
        .join(' at ')
    case 'when':
      return new Date(facts.nowMs).toISOString()
    case 'country':
    case 'asn':
      return place === undefined ? 'address not known yet' : (place[kind] ?? `${kind} unknown`)
    case 'user':
      return facts.user === undefined
        ? 'not known yet'
        : facts.user === null
          ? 'nobody logged in'
          : `user ${facts.user}`
    default:
      return facts[kind] === undefined ? 'not known yet' : `${kind} ${facts[kind]}`
  }
}
