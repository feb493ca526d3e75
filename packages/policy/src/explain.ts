/** Asks about one request the way a server does, step by step, and keeps why. Knows no terminal. */
import { type IpAddress, plainAddress } from '@socksmith/protocol'
import type { CompileOptions } from './compile/compile.ts'
import { LimitTable } from './compile/limit-table.ts'
import type { Facts } from './facts.ts'
import type { Limit } from './limit.ts'
import type { CaseRequest, Policy } from './policy.ts'
import { type ServerSetting, asServed, factsForRules } from './server-refusal.ts'
import { type Walk, walk } from './walk.ts'

/** One moment at which the rules are asked, and what they say, or the server in spite of them. */
export interface Asked extends Walk {
  /** `name`: the target as named, before it is resolved. `request`: there is no target, or it is one of UDP or BIND. */
  readonly moment: 'request' | 'name' | 'address'
  readonly address?: IpAddress
}

export interface Explanation {
  /** `open`: it depends on the addresses of a name that were not given, or on a target. */
  readonly verdict: 'allow' | 'deny' | 'open'
  /** The answer that settled it: an address that is allowed, or else the last refusal. */
  readonly decisive: Asked
  /** Everything that was asked, in order. */
  readonly asked: readonly Asked[]
  /** The limits on what is allowed, as far as they are known. */
  readonly limits: readonly Limit[]
}

/**
 * Explains what becomes of a request at a server that is set up so: by which rule, and why no rule before it matched.
 *
 * @example
 * const question = readQuestion({ from: '192.0.2.7', user: 'alice', to: 'example.com:443' })
 * const answer = question.ok ? explain(policy, question.request, Date.now()) : undefined
 * answer?.decisive.decision.verdict // 'deny'
 */
export function explain(
  policy: Policy,
  request: CaseRequest,
  nowMs: number,
  options: CompileOptions = {},
  setting: ServerSetting = {},
): Explanation {
  const { country, asn } = request
  const given =
    country === undefined && asn === undefined ? undefined : { ...(country && { country }), ...(asn && { asn }) }
  const asking = given === undefined ? options : { ...options, geo: () => given }
  const facts = factsOf(request, nowMs)
  const limitsOn = ({ decision, address }: Asked): readonly Limit[] =>
    decision.verdict === 'allow'
      ? new LimitTable(policy, asking.geo ?? (() => ({}))).of({ ...facts, address }, decision)
      : []
  const ask = (about: Facts): Asked => {
    const asked = factsForRules(about)
    const told = walk(policy, asked, asking)
    return { ...told, decision: asServed(told.decision, about, setting), moment: momentOf(asked), ...addressOf(asked) }
  }
  const first = ask(facts)
  const isFinal = first.moment !== 'name' || first.decision.verdict === 'deny'
  if (isFinal) return { verdict: first.decision.verdict, decisive: first, asked: [first], limits: limitsOn(first) }
  const rest = request.resolves.map(address => ask({ ...facts, address }))
  const decisive = rest.find(one => one.decision.verdict === 'allow') ?? rest.at(-1) ?? first
  return { verdict: decisive.decision.verdict, decisive, asked: [first, ...rest], limits: limitsOn(decisive) }
}

/** The facts of a request, before its name is resolved. */
function factsOf(request: CaseRequest, nowMs: number): Facts {
  const { client, listener, protocol, method, user, command, to, atMs } = request
  const known: Facts = { nowMs: atMs ?? nowMs, client, listener, protocol, method, user, command }
  if (to === undefined) return known
  const address = plainAddress(to.address)
  return address.type === 'domain'
    ? { ...known, host: address.name, port: to.port }
    : { ...known, host: null, address, port: to.port }
}

function momentOf(facts: Facts): Asked['moment'] {
  if (facts.address !== undefined) return 'address'
  return typeof facts.host === 'string' ? 'name' : 'request'
}

function addressOf({ address }: Facts): { readonly address?: IpAddress } {
  return address === undefined ? {} : { address }
}
