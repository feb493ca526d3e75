/** What a server refuses by itself though its rules allow it. Asked behind the rules, as a server does; knows no condition. */
import { type Failure, failure } from '@socksmith/protocol'
import { type Decision, routeOf } from './decision.ts'
import { BLOCK_WAY } from './policy.ts'

/** How the server is set up around its rules. What is not said refuses nothing. */
export interface ServerSetting {
  /** Ways that lead nowhere, beside `block`. */
  readonly blockedWays?: readonly string[]
}

/** What becomes of a request about which the rules say this. */
export function asServed(decision: Decision, { blockedWays = [] }: ServerSetting): Decision {
  if (decision.verdict !== 'allow') return decision
  const way = routeOf(decision)
  return way === BLOCK_WAY || blockedWays.includes(way) ? refusedByServer(decision, wayBlocked(way)) : decision
}

/** Why nothing leaves by this way. */
export function wayBlocked(name: string): Failure {
  return failure('not_allowed', 'policy', `the way ${name} is blocked`)
}

function refusedByServer({ rule, reported }: Decision & { readonly verdict: 'allow' }, refusal: Failure): Decision {
  return { verdict: 'deny', cause: 'server', reported, refusal, ...(rule && { rule }) }
}
