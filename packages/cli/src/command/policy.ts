/** `socksmith policy`: explain a decision, run the cases, find faults, compare two policies, ask a log again. */
import { createReadStream, existsSync } from 'node:fs'
import { createInterface } from 'node:readline'
import {
  type CaseRequest,
  type Explanation,
  type Policy,
  compile,
  diff,
  explain,
  lint,
  replay,
  routeOf,
  runCases,
} from '@socksmith/policy'
import { formatAddress } from '@socksmith/protocol'
import { EXIT, type Outcome, done, fileErrorText, trouble } from '../exit.ts'
import { type OpenPolicy, openPolicyFile } from '../policy/open-policy.ts'
import { type QuestionFlags, questionOf, resolverFor } from '../policy/question.ts'
import {
  decisionJson,
  differenceText,
  explanationText,
  factsText,
  limitJson,
  reasonText,
  requestText,
  ruleJson,
} from '../policy/policy-text.ts'
import { hasOtherGeo, standingAlike, surroundingsOf, wayOf } from '../policy/surroundings.ts'
import { type Paint, paintFor } from '../terminal/colour.ts'
import { print } from '../terminal/say.ts'
import { visible } from '../terminal/visible.ts'
import { authoritiesFault } from '../ways/fit.ts'
import { wayDescription } from '../ways/way-text.ts'

export interface PolicyFlags {
  readonly policy?: string
  readonly json?: boolean
}

export interface ExplainFlags extends PolicyFlags, QuestionFlags {}

/** Where a policy is looked for when nobody says it. */
const USUAL_FILES = ['policy.yaml', 'socksmith.yaml', 'socksmith.toml', '/etc/socksmith/socksmith.yaml']
/** What was asked is answered with no; there is nothing more to say. */
const NO: Outcome<void> = trouble(EXIT.NO, '')

/** `CONNECT example.com:443`, by whom the flags say. */
export async function explainPolicy(words: readonly string[], flags: ExplainFlags): Promise<Outcome<void>> {
  const opened = await openUsual(flags.policy)
  if (!opened.ok) return opened
  const { policy, options, setting, config, ways, usual } = opened.value
  const asked = await questionOf(words, flags, opened.value)
  if (!asked.ok) return asked
  const nowMs = Date.now()
  const { warning } = asked.value
  let { request } = asked.value
  let explanation = explain(policy, request, nowMs, options, setting)
  const { to } = request
  if (explanation.verdict !== 'deny' && to?.address.type === 'domain' && request.resolves.length === 0) {
    // As the server does: names are looked up only where they have not been refused.
    const fault = config && authoritiesFault(config.dns, config.ways)
    if (fault !== undefined) return { ok: false, trouble: fault }
    const resolver = resolverFor(config, routeOf(explanation.decisive.decision))
    const resolves = await resolver.resolve(to.address.name)
    if (!('code' in resolves)) {
      request = { ...request, resolves }
      explanation = explain(policy, request, nowMs, options, setting)
    }
  }
  const way = wayDescription(routeOf(explanation.decisive.decision), ways, usual)
  print(
    flags.json === true
      ? json({ ...explanationJson(explanation, request, policy), warning })
      : [
          explanationText(explanation, request, way, paintFor(1)),
          ...(warning === undefined ? [] : [`  but ${visible(warning)}`]),
        ].join('\n'),
  )
  return explanation.verdict === 'allow' ? done(undefined) : NO
}

/** Runs the cases of a policy. */
export async function testPolicy(file: string | undefined, flags: PolicyFlags): Promise<Outcome<void>> {
  const opened = await openUsual(file ?? flags.policy)
  if (!opened.ok) return opened
  const { policy, options, setting } = opened.value
  const results = runCases(policy, Date.now(), options, setting)
  const failed = results.filter(one => one.fault !== undefined)
  if (flags.json === true) {
    const cases = results.map(({ case: { place, asked }, explanation, fault }) => ({
      file: place.file,
      line: place.line,
      request: requestText(asked),
      ok: fault === undefined,
      fault,
      decision: decisionJson(explanation.decisive.decision, policy),
    }))
    print(json({ cases, failed: failed.length }))
  } else {
    print([...failed.map(one => failureText(one, paintFor(1))), countText(results.length, failed.length)].join('\n'))
  }
  return failed.length === 0 ? done(undefined) : NO
}

/** What a person would want to know about a policy. Hints alone are no reason for another exit code. */
export async function lintPolicy(file: string | undefined, flags: PolicyFlags): Promise<Outcome<void>> {
  const opened = await openUsual(file ?? flags.policy)
  if (!opened.ok) return opened
  const { policy, options } = opened.value
  const findings = lint(policy, Date.now(), options)
  if (flags.json === true) print(json({ findings }))
  else {
    const paint = paintFor(1)
    const lines = findings.map(
      ({ place, level, message, kind }) =>
        `${place.file}:${place.line}: ${paint(level === 'problem' ? 'red' : 'yellow', level)}: ${visible(message)} [${kind}]`,
    )
    print(lines.length === 0 ? `nothing to say about ${policy.rules.length} rules` : lines.join('\n'))
  }
  return findings.some(one => one.level === 'problem') ? NO : done(undefined)
}

/** Who gains and who loses what. */
export async function diffPolicies(before: string, after: string, flags: PolicyFlags): Promise<Outcome<void>> {
  const [old, young] = [await openPolicyFile(before), await openPolicyFile(after)]
  if (!old.ok) return old
  if (!young.ok) return young
  const [was, is] = standingAlike(old.value, young.value)
  const compared = diff(was.policy, is.policy, Date.now(), surroundingsOf(was), surroundingsOf(is))
  const isPlaceUnsure = hasOtherGeo(was, is)
  const withTime = [...was.policy.rules, ...is.policy.rules].some(rule => rule.text.includes('when '))
  const differences = compared.differences.map(one => ({
    ...one,
    ways: { before: wayOf(one.before, was), after: wayOf(one.after, is) },
  }))
  if (flags.json === true) {
    const list = differences.map(one => ({
      kind: one.kind,
      before: decisionJson(one.before, was.policy),
      after: decisionJson(one.after, is.policy),
      ways: one.isOtherWay ? one.ways : undefined,
      limits: { before: one.limitsBefore.map(limitJson), after: one.limitsAfter.map(limitJson) },
      example: factsText(one.example.facts, withTime),
    }))
    print(json({ differences: list, complete: compared.isComplete && !isPlaceUnsure }))
  } else {
    const lines = differences.map(one => differenceText(one, one.ways, withTime, paintFor(1)))
    const rest = [
      ...(compared.isComplete
        ? []
        : ['there are too many kinds of requests to have looked at each; something may be missing']),
      ...(isPlaceUnsure
        ? ['the files of geo are not the same; whose address is now registered elsewhere is missing']
        : []),
    ]
    print([...(lines.length === 0 ? ['nobody gains or loses anything'] : lines), ...rest].join('\n'))
  }
  return differences.length === 0 ? done(undefined) : NO
}

/** Which recorded sessions would now be decided otherwise. */
export async function replayLog(log: string, file: string, flags: PolicyFlags): Promise<Outcome<void>> {
  const opened = await openPolicyFile(file)
  if (!opened.ok) return opened
  const { policy, options, setting } = opened.value
  const read = await linesOf(log)
  if (!read.ok) return read
  const { sessions, skipped, changed, unclear } = replay(read.value, compile(policy, options), setting)
  if (flags.json === true) {
    const list = changed.map(({ line, what, before, now }) => ({
      line,
      session: what,
      before,
      now: decisionJson(now, policy),
    }))
    print(json({ sessions, skipped, unclear, changed: list }))
  } else {
    const lines = changed.map(
      ({ line, what, before, now }) =>
        `${log}:${line}: ${visible(what)}: was ${before === 'allow' ? 'allowed' : 'denied'}, now ${now.verdict === 'allow' ? 'allowed' : 'denied'} by ${reasonText(now)}`,
    )
    const rest = [
      `${sessions} sessions, ${changed.length} decided otherwise`,
      ...(unclear > 0 ? [`${unclear} cannot be told: their record has no address`] : []),
      ...(skipped > 0 ? [`${skipped} lines are no session that came to a request`] : []),
    ]
    print([...lines, rest.join('; ')].join('\n'))
  }
  return changed.length === 0 ? done(undefined) : NO
}

async function linesOf(path: string): Promise<Outcome<readonly string[]>> {
  try {
    const lines: string[] = []
    for await (const line of createInterface({ input: createReadStream(path), crlfDelay: Infinity })) lines.push(line)
    return done(lines)
  } catch (error) {
    return trouble(EXIT.NO_INPUT, `cannot read ${path}: ${fileErrorText(error)}`)
  }
}

async function openUsual(path: string | undefined): Promise<Outcome<OpenPolicy>> {
  const found = path ?? USUAL_FILES.find(file => existsSync(file))
  if (found !== undefined) return openPolicyFile(found)
  return trouble(EXIT.USAGE, `which policy? Say --policy FILE; there is none of ${USUAL_FILES.join(', ')}`)
}

function explanationJson(
  { verdict, decisive, asked, limits }: Explanation,
  request: CaseRequest,
  policy: Policy,
): object {
  return {
    verdict,
    request: requestText(request),
    decision: decisionJson(decisive.decision, policy),
    limits: limits.map(({ name, text, place }) => ({ name, text, file: place.file, line: place.line })),
    asked: asked.map(({ moment, address, decision, steps }) => ({
      moment,
      address: address && formatAddress(address),
      decision: decisionJson(decision, policy),
      rules: steps.map(({ rule, truth, why }) => ({
        ...ruleJson(rule),
        verdict: rule.verdict,
        condition: rule.text,
        mode: rule.mode,
        matches: truth ?? 'open',
        why,
      })),
    })),
  }
}

function failureText({ case: one, explanation, fault }: ReturnType<typeof runCases>[number], paint: Paint): string {
  const { place, asked } = one
  return `${paint('red', 'FAILED')} ${place.file}:${place.line} ${visible(requestText(asked))}\n    ${visible(fault ?? '')}\n    ${reasonText(explanation.decisive.decision)}`
}

function countText(all: number, failed: number): string {
  if (all === 0) return 'there are no cases; write them under "cases", beside the rules'
  return failed === 0 ? `all ${all} cases are as expected` : `${failed} of ${all} cases failed`
}

function json(value: object): string {
  return JSON.stringify(value, undefined, 2)
}
