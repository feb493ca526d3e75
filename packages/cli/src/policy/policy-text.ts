/** Explanations and findings as a person reads them on a terminal. */
import { type Address, formatAddress, formatDestination } from '@socksmith/protocol'
import {
  type Asked,
  type CaseRequest,
  type Decision,
  type Difference,
  type Explanation,
  type Facts,
  type Limit,
  type Policy,
  type Reported,
  type Rule,
  type Step,
  limitConditionText,
  refusalOf,
  replyWord,
  routeOf,
  wayText,
} from '@socksmith/policy'
import type { Paint } from '../terminal/colour.ts'
import { visible } from '../terminal/visible.ts'

/** Every moment at which the rules were asked, rule by rule, and what it comes to. `way`: what is said of the way out. */
export function explanationText(explanation: Explanation, request: CaseRequest, way: string, paint: Paint): string {
  const { verdict, decisive, asked, limits } = explanation
  const colour = verdict === 'allow' ? 'green' : verdict === 'deny' ? 'red' : 'yellow'
  const word = verdict === 'open' ? 'it depends' : verdict === 'allow' ? 'allowed' : 'denied'
  return [
    `${paint(colour, word)}: ${reasonText(decisive.decision)}`,
    `  ${requestText(request)}`,
    ...asked.flatMap(one => [
      `  ${paint('bold', momentText(one))}`,
      ...one.steps.map(step => stepText(step, paint)),
      endText(one),
    ]),
    ...outcomeLines(decisive.decision, way, limits),
  ].join('\n')
}

/** `rule 3 (staff), policy.yaml:12`, or why no rule decides. */
export function reasonText(decision: Decision): string {
  switch (decision.cause) {
    case 'rule':
      return decision.rule === undefined ? 'a rule' : ruleText(decision.rule)
    case 'inside': {
      const by =
        decision.rule === undefined ? '' : `; ${ruleText(decision.rule)} would allow it, but does not name the network`
      return `the address is inside, and the client is not${by}`
    }
    case 'server': {
      const { refusal, rule } = decision
      const by = rule === undefined ? '' : `; ${ruleText(rule)}`
      return `the server itself: ${visible(refusal.detail ?? refusal.code)}${by}`
    }
    case 'no-match':
      return 'no rule matches'
    case 'no-rules':
      return 'there are no rules'
    case 'report-mode':
      return 'the policy only reports; it would be denied'
    case 'undecided':
      return 'on what is not known yet (give --resolves, or a target)'
  }
}

function ruleText({ number, name, place }: Rule): string {
  return `rule ${number}${name === undefined ? '' : ` (${visible(name)})`}, ${place.file}:${place.line}`
}

function momentText({ moment, address }: Asked): string {
  if (moment === 'name') return 'the name, before it is resolved:'
  return address === undefined ? 'the request:' : `the address ${formatAddress(address)}:`
}

function stepText({ rule, truth, why }: Step, paint: Paint): string {
  const mark = truth === true ? paint(rule.verdict === 'allow' ? 'green' : 'red', '→') : truth === undefined ? '?' : ' '
  const mode = rule.mode === 'report' ? ' [report]' : ''
  const line = `    ${mark} ${rule.number} ${rule.place.file}:${rule.place.line}${mode}  ${rule.verdict} ${visible(rule.text)}`
  return why === undefined || why === ''
    ? line
    : `${line}\n        ${paint('dim', `${truth === undefined ? 'open' : 'no'}: ${visible(why)}`)}`
}

function endText({ decision, steps }: Asked): string {
  if (decision.cause === 'server') return `      the server itself: ${decision.verdict}`
  const last = steps.at(-1)
  if (last?.truth === true && last.rule.mode === 'enforce') return `      ${decision.verdict}`
  return `      end of the rules: ${decision.verdict}`
}

function outcomeLines(decision: Decision, way: string, limits: readonly Limit[]): readonly string[] {
  if (decision.verdict === 'open') return []
  const { rule, reported } = decision
  const lines = reported.map(
    one => `  reported, not enforced: ${one.verdict}${one.rule === undefined ? '' : ` by ${ruleText(one.rule)}`}`,
  )
  if (decision.verdict === 'deny') {
    return [...lines, `  reply: ${replyWord(refusalOf(decision).code)}`, ...noteLines(rule)]
  }
  const allow = rule?.verdict === 'allow' ? rule : undefined
  const { redirect } = allow ?? {}
  return [
    ...lines,
    `  via: ${way}`,
    ...(limits.length === 0 ? ['  limits: none'] : limits.map(limit => `  limit ${limitText(limit)}`)),
    ...(redirect === undefined ? [] : [`  redirected to ${redirectText(redirect)}`]),
    ...(allow?.log === undefined ? [] : [`  log: ${allow.log}`]),
    ...noteLines(allow),
  ]
}

/** `guest (policy.yaml:7): 10Mbit/s down; per user`, and what it applies to by itself. */
function limitText({ name, place, text, of }: Limit): string {
  const applies = of === undefined ? '' : ` (of ${visible(limitConditionText(of))})`
  return `${visible(name)} (${place.file}:${place.line}): ${visible(text)}${applies}`
}

function noteLines(rule: Rule | undefined): readonly string[] {
  return rule?.note === undefined ? [] : [`  note: ${visible(rule.note)}`]
}

function redirectText({ address, port }: { readonly address: Address; readonly port?: number }): string {
  return port === undefined ? formatAddress(address) : formatDestination({ address, port })
}

/** `alice (password) from 192.0.2.7, socks5 connect example.com:443`. */
export function requestText(request: CaseRequest): string {
  const { client, user, method, protocol, command, to } = request
  const from = client === 'unix' ? 'a Unix socket' : formatAddress(client)
  return `${user ?? 'nobody'} (${method}) from ${from}, ${protocol} ${command}${to === undefined ? '' : ` ${formatDestination(to)}`}`
}

/** The same for a request that stands for others. */
export function factsText(
  { client, user, method, protocol, command, host, address, port, listener, nowMs }: Facts,
  withTime: boolean,
): string {
  const from = client === 'unix' ? 'a Unix socket' : formatAddress(client)
  const at = address === undefined ? '' : formatAddress(address)
  const target = typeof host === 'string' ? `${host} at ${at}` : at
  const where = listener === '' ? '' : ` on ${listener}`
  const when = withTime ? ` at ${new Date(nowMs).toISOString()}` : ''
  return `${user ?? 'nobody'} (${method ?? 'any method'}) from ${from}${where}, ${protocol ?? ''} ${command ?? ''} ${target} port ${port}${when}`
}

/** Who gains or loses, by which rules; and of what changes, how it was and how it is. `ways`: by what the example goes out. */
export function differenceText(
  { kind, before, after, limitsBefore, limitsAfter, isOtherWay, example }: Difference,
  ways: { readonly before: string; readonly after: string },
  withTime: boolean,
  paint: Paint,
): string {
  const colour = { gains: 'green', loses: 'red', changes: 'yellow' } as const
  const terms = (decision: Decision, way: string, limits: readonly Limit[]): readonly string[] =>
    kind === 'changes' ? outcomeLines(decision, way, limits) : []
  const newWay = isOtherWay && ways.before === ways.after ? `${ways.after}, but defined otherwise` : ways.after
  return [
    `${paint(colour[kind], kind)}: ${visible(factsText(example.facts, withTime))}`,
    `    before: ${before.verdict}, ${reasonText(before)}`,
    ...terms(before, ways.before, limitsBefore).map(line => `          ${line}`),
    `    after:  ${after.verdict}, ${reasonText(after)}`,
    ...terms(after, newWay, limitsAfter).map(line => `          ${line}`),
  ].join('\n')
}

export function limitJson({ name, place, text }: Limit): object {
  return { name, file: place.file, line: place.line, text }
}

/** What a record or a JSON answer says of a decision by this policy. */
export function decisionJson(decision: Decision, policy: Pick<Policy, 'defaultWay'>): object {
  if (decision.verdict === 'open') return { verdict: 'open' }
  const { verdict, cause, rule, reported } = decision
  const allow = verdict === 'allow' ? decision.rule : undefined
  return {
    verdict,
    cause,
    rule: rule && ruleJson(rule),
    ...(verdict === 'allow'
      ? {
          via: wayText(routeOf(decision), policy),
          limits: allow?.limits ?? [],
          redirect: allow?.redirect && redirectText(allow.redirect),
        }
      : {
          reply: replyWord(refusalOf(decision).code),
          detail: decision.cause === 'server' ? decision.refusal.detail : undefined,
        }),
    note: rule?.note,
    reported: reported.length === 0 ? undefined : reported.map(reportedJson),
  }
}

export function ruleJson({ number, name, place }: Rule): object {
  return { number, name, file: place.file, line: place.line }
}

function reportedJson({ verdict, rule }: Reported): object {
  return { verdict, rule: rule && ruleJson(rule) }
}
