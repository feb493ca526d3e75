/** What the rules, or the server behind them, say to one question. Knows not how it was found. */
import { type Failure, failure } from '@socksmith/protocol'
import { type AllowRule, DEFAULT_WAY, type DenyRule, type Rule } from './policy.ts'

/**
 * `rule`: the first rule that matches. `no-match`: there are rules, and none matches. `no-rules`: there is none.
 * `inside`: the rules allow it, but the address is inside, the client is not, and no rule names it. `report-mode`: the
 * whole policy only reports; what it would say is in `reported`. `server`: the server refuses it, whatever the rules say.
 */
export type Decision =
  | {
      readonly verdict: 'allow'
      readonly cause: 'rule' | 'no-rules' | 'report-mode'
      readonly rule?: AllowRule
      readonly reported: readonly Reported[]
    }
  | {
      readonly verdict: 'deny'
      readonly cause: 'rule' | 'no-match' | 'inside'
      readonly rule?: Rule
      readonly reported: readonly Reported[]
    }
  | {
      readonly verdict: 'deny'
      readonly cause: 'server'
      readonly rule?: Rule
      readonly reported: readonly Reported[]
      readonly refusal: Failure
    }
  /** It depends on what is not known yet. */
  | { readonly verdict: 'open'; readonly cause: 'undecided'; readonly reported: readonly [] }

/** What was not enforced: a rule that only reports and matched, or (without a rule) the refusal of what nothing allows. */
export interface Reported {
  readonly verdict: 'allow' | 'deny'
  readonly rule?: Rule
}

const NOTHING: readonly [] = []

export const OPEN: Decision = { verdict: 'open', cause: 'undecided', reported: NOTHING }
export const NO_RULES: Decision = { verdict: 'allow', cause: 'no-rules', reported: NOTHING }
export const NO_MATCH: Decision = { verdict: 'deny', cause: 'no-match', reported: NOTHING }

export function byRule(rule: AllowRule | DenyRule): Decision {
  return rule.verdict === 'allow'
    ? { verdict: 'allow', cause: 'rule', rule, reported: NOTHING }
    : { verdict: 'deny', cause: 'rule', rule, reported: NOTHING }
}

/** An allow that does not open the inside address that it was asked about. */
export function closedInside(allowed: Decision): Decision {
  if (allowed.verdict !== 'allow') return allowed
  const { rule, reported } = allowed
  return { verdict: 'deny', cause: 'inside', reported, ...(rule && { rule }) }
}

/** The same decision of a policy that only reports. Inside addresses stay closed: they are asked about behind this. */
export function reportedOnly(decision: Decision): Decision {
  if (decision.verdict !== 'deny') return decision
  const refusal: Reported = { verdict: 'deny', ...(decision.rule && { rule: decision.rule }) }
  return { verdict: 'allow', cause: 'report-mode', reported: [...decision.reported, refusal] }
}

/** The way out that a decision names; {@link DEFAULT_WAY} where no rule says one. */
export function routeOf(decision: Decision): string {
  return decision.verdict === 'allow' ? (decision.rule?.via ?? DEFAULT_WAY) : DEFAULT_WAY
}

/** What a refused client is told. The detail is for records, and names the rule. */
export function refusalOf(decision: Decision): Failure {
  if (decision.cause === 'server') return decision.refusal
  const rule = decision.verdict === 'deny' ? decision.rule : undefined
  const code = rule?.verdict === 'deny' ? rule.reply : 'not_allowed'
  return failure(code, 'policy', reasonOf(decision))
}

/** `rule 3 (staff)`; what a person calls the rule. */
export function ruleLabel(rule: Rule): string {
  return rule.name === undefined ? `rule ${rule.number}` : `rule ${rule.number} (${rule.name})`
}

function reasonOf(decision: Exclude<Decision, { cause: 'server' }>): string {
  switch (decision.cause) {
    case 'rule':
      return `${decision.verdict === 'allow' ? 'allowed' : 'refused'} by ${decision.rule === undefined ? 'a rule' : ruleLabel(decision.rule)}`
    case 'inside':
      return 'the address is inside and closed to clients from elsewhere'
    case 'no-match':
      return 'no rule allows it'
    case 'no-rules':
      return 'there are no rules'
    case 'report-mode':
      return 'the policy only reports'
    case 'undecided':
      return 'it depends on what is not known yet'
  }
}
