/** Runs the cases that stand beside the rules. Knows no terminal. */
import type { CompileOptions } from './compile/compile.ts'
import { type Decision, refusalOf, routeOf, ruleLabel } from './decision.ts'
import { type Explanation, explain } from './explain.ts'
import { type Case, type Policy, wayText } from './policy.ts'
import { replyWord } from './read/rule.ts'
import type { ServerSetting } from './server-refusal.ts'

export interface CaseResult {
  readonly case: Case
  readonly explanation: Explanation
  /** What is not as expected; absent when all is. */
  readonly fault?: string
}

/** Every case with what becomes of it at a server that is set up so. `nowMs` is for cases that name no time. */
export function runCases(
  policy: Policy,
  nowMs: number,
  options: CompileOptions = {},
  setting: ServerSetting = {},
): readonly CaseResult[] {
  return policy.cases.map(one => {
    const explanation = explain(policy, one.asked, nowMs, options, setting)
    const fault = faultOf(one, explanation, policy)
    return { case: one, explanation, ...(fault !== undefined && { fault }) }
  })
}

function faultOf(one: Case, { verdict, decisive }: Explanation, policy: Policy): string | undefined {
  const { decision } = decisive
  const { rule } = decision.verdict === 'open' ? {} : decision
  const by = whoDecides(decision)
  if (verdict === 'open') return `expected ${one.expect}, but it depends on the address: say resolves`
  if (verdict !== one.expect)
    return `expected ${one.expect}, but it is ${verdict === 'allow' ? 'allowed' : 'denied'} by ${by}`
  const via = routeOf(decision)
  if (one.via !== undefined && one.via !== via && one.via !== wayText(via, policy))
    return `expected via ${one.via}, but it is ${wayText(via, policy)}`
  if (one.rule !== undefined && one.rule !== rule?.name && one.rule !== String(rule?.number)) {
    return `expected rule ${one.rule}, but it is decided by ${by}`
  }
  const reply = refusalOf(decision).code
  if (one.reply === undefined || one.reply === reply) return undefined
  return `expected the reply ${replyWord(one.reply)}, but it is ${replyWord(reply)}`
}

function whoDecides(decision: Decision): string {
  if (decision.cause === 'inside') return 'the protection of inside addresses'
  if (decision.cause === 'server') return `the server itself (${decision.refusal.detail})`
  const { rule } = decision.verdict === 'open' ? {} : decision
  return rule === undefined ? 'no rule' : `${ruleLabel(rule)} at line ${rule.place.line}`
}
