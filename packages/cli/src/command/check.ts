/** `socksmith check`: runs the conformance suite against a server, shows what it found, and plays a failure again. */
import { readFile, writeFile } from 'node:fs/promises'
import {
  CASES,
  CHOICES,
  type Case,
  type CaseResult,
  type ProxyPlace,
  RATE_ELSEWHERE_PER_SECOND,
  RATE_HERE_PER_SECOND,
  type RecordedCase,
  type ReplayOutcome,
  type Report,
  TIMING,
  type Verdict,
  casesOf,
  chooseCases,
  chooseFailures,
  failuresByLevel,
  hopelessJson,
  hopelessJunit,
  isOnThisHost,
  parseProxyUrl,
  readReportJson,
  replay,
  reportJson,
  reportJunit,
  resolveProxy,
  runCheck,
  verdictOn,
} from '@socksmith/instruments'
import { type IpAddress, formatAddress, parseIp } from '@socksmith/protocol'
import { caseList, failuresText, reportTable } from '../check/table.ts'
import { transcriptText } from '../check/transcript.ts'
import { verdictLines, verdictsText } from '../check/verdict.ts'
import { progressLine } from '../check/progress.ts'
import { nearest } from '@socksmith/policy'
import { EXIT, type Outcome, done, fileErrorText, trouble } from '../exit.ts'
import { paintFor } from '../terminal/colour.ts'
import { print, say } from '../terminal/say.ts'
import { visible } from '../terminal/visible.ts'
import { hanging, outputWidth } from '../terminal/width.ts'

export interface CheckFlags {
  readonly only?: readonly string[]
  readonly list?: boolean
  readonly json?: boolean
  readonly junit?: string
  readonly slow?: boolean
  readonly verbose?: boolean
  readonly targetsOn?: string
  readonly rate?: string
  readonly tlsCa?: string
  readonly iMayTestThis?: boolean
}

/** Runs the suite; a failure of the server is a trouble with an exit code by its level. */
export async function check(url: string | undefined, flags: CheckFlags): Promise<Outcome<void>> {
  const cases = chosen(flags.only ?? [])
  if (!cases.ok) return cases
  if (flags.list === true) {
    print(caseList(cases.value, paintFor(1), outputWidth()))
    return done(undefined)
  }
  const place = await placeOf(url, flags)
  if (!place.ok) return place
  const options = await readOptions(place.value, flags)
  if (!options.ok) return options
  const report = await run(cases.value, place.value, options.value, flags.slow === true)
  if (report.ok) return show(report.value, cases.value.length, flags)
  const { label } = place.value.proxy
  const { message } = report.trouble
  if (flags.json === true) print(hopelessJson(label, message))
  const written = await writeJunit(flags.junit, () => hopelessJunit(label, message))
  // That nothing could be asked says more than a file that is missing.
  if (!written.ok) say(written.trouble.message)
  return report
}

interface Place {
  readonly proxy: ProxyPlace
  readonly proxyAddress: IpAddress
}

interface Options {
  readonly targetsOn?: IpAddress
  readonly ratePerSecond: number
  readonly tlsAuthorities?: string
}

function chosen(only: readonly string[]): Outcome<readonly Case[]> {
  const cases = chooseCases(only)
  if (typeof cases !== 'string') return done(cases)
  const near = nearest(cases, [...CHOICES, ...CASES.map(one => one.id)])
  const hint = near === undefined ? '.' : `; did you mean "${near}"?`
  return trouble(
    EXIT.USAGE,
    `--only ${cases}: no case has this id, area or level${hint} "socksmith check --list" shows all of them`,
  )
}

async function placeOf(url: string | undefined, { iMayTestThis }: CheckFlags): Promise<Outcome<Place>> {
  if (url === undefined)
    return trouble(EXIT.USAGE, 'which server? For example: socksmith check socks5://127.0.0.1:1080')
  const proxy = parseProxyUrl(url)
  // The text itself may hold a password.
  if (typeof proxy === 'string') return trouble(EXIT.USAGE, `the URL of the server: ${proxy}`)
  const proxyAddress = await resolveProxy(proxy)
  if (typeof proxyAddress === 'string') return trouble(EXIT.UNAVAILABLE, proxyAddress)
  if (!isOnThisHost(proxyAddress) && iMayTestThis !== true) {
    const place = formatAddress(proxyAddress)
    return trouble(
      EXIT.REFUSED,
      `${proxy.host === place ? place : `${proxy.host} (${place})`} is not this host. The check sends it malformed messages and tries ways around its ` +
        'password. If it is yours, or its owner agrees, say --i-may-test-this',
    )
  }
  return done({ proxy, proxyAddress })
}

// More is a load test, and no case needs it.
const RATE_MAX_PER_SECOND = 1_000
/** Less would take days. */
const RATE_MIN_PER_SECOND = 0.1

async function readOptions({ proxyAddress }: Place, flags: CheckFlags): Promise<Outcome<Options>> {
  const isHere = isOnThisHost(proxyAddress)
  const targetsOn = parseIp(flags.targetsOn ?? (isHere ? '127.0.0.1' : ''))
  if (targetsOn === undefined) {
    const words = 'an address of this host that the server can reach, such as 192.0.2.7'
    return trouble(
      EXIT.USAGE,
      flags.targetsOn === undefined
        ? `--targets-on is needed: ${words}`
        : `--targets-on ${flags.targetsOn}: expected ${words}`,
    )
  }
  const rate = Number(flags.rate ?? (isHere ? RATE_HERE_PER_SECOND : RATE_ELSEWHERE_PER_SECOND))
  if (!(rate >= RATE_MIN_PER_SECOND && rate <= RATE_MAX_PER_SECOND)) {
    return trouble(
      EXIT.USAGE,
      `--rate ${flags.rate}: expected a number from ${RATE_MIN_PER_SECOND} to ${RATE_MAX_PER_SECOND.toLocaleString('en')}`,
    )
  }
  if (flags.tlsCa === undefined) return done({ targetsOn, ratePerSecond: rate })
  const authorities = await read(flags.tlsCa)
  return authorities.ok ? done({ targetsOn, ratePerSecond: rate, tlsAuthorities: authorities.value }) : authorities
}

async function run(cases: readonly Case[], place: Place, options: Options, isSlow: boolean): Promise<Outcome<Report>> {
  const where = options.targetsOn === undefined ? '' : `; targets on ${formatAddress(options.targetsOn)}`
  const progress = progressLine()
  const interrupted = new AbortController()
  const onSignal = (): void => interrupted.abort()
  process.once('SIGINT', onSignal)
  say(
    `checking ${place.proxy.label}: ${cases.length} cases, one after the other, at most ` +
      `${options.ratePerSecond} new connections a second${where}`,
  )
  try {
    const outcome = await runCheck({
      ...place,
      ...options,
      cases,
      isSlow,
      signal: interrupted.signal,
      onProgress: step => progress.show(step),
    })
    return outcome.kind === 'report' ? done(outcome.report) : trouble(EXIT.UNAVAILABLE, outcome.reason)
  } catch (error) {
    const { code, syscall } = error as NodeJS.ErrnoException
    if (syscall !== 'listen' && syscall !== 'bind') throw error
    return trouble(EXIT.UNAVAILABLE, `the targets cannot listen${where.replace('; targets', '')}: ${code}`)
  } finally {
    process.off('SIGINT', onSignal)
    progress.clear()
  }
}

async function show(report: Report, wanted: number, flags: CheckFlags): Promise<Outcome<void>> {
  print(
    flags.json === true ? reportJson(report) : reportTable(report, paintFor(1), outputWidth(), flags.verbose === true),
  )
  const written = await writeJunit(flags.junit, () => reportJunit(report))
  if (!written.ok) return written
  if (report.results.length < wanted) {
    return trouble(EXIT.INTERRUPTED, `interrupted after ${report.results.length} of ${wanted} cases`)
  }
  const reasons = report.results.flatMap(({ outcome }) => (outcome.kind === 'skip' ? [outcome.reason] : []))
  // Nothing failed, and nothing was shown either: a CI must not take that for a pass.
  if (reasons.length === wanted) return trouble(EXIT.UNAVAILABLE, `none of these cases could be asked: ${reasons[0]}`)
  const exitCode = exitCodeOf(report)
  return exitCode === EXIT.OK ? done(undefined) : trouble(exitCode, `${report.proxy} ${failuresText(report.results)}`)
}

async function writeJunit(file: string | undefined, content: () => string): Promise<Outcome<void>> {
  if (file === undefined) return done(undefined)
  try {
    await writeFile(file, content())
    return done(undefined)
  } catch (error) {
    return trouble(EXIT.CANNOT_WRITE, `${file}: ${fileErrorText(error)}`)
  }
}

/** The gravest failure decides: safety, must, then the rest. */
function exitCodeOf({ results }: Report): number {
  const failures = failuresByLevel(results)
  if (failures.safety > 0) return EXIT.FAILS_SAFETY
  if (failures.must > 0) return EXIT.FAILS_MUST
  return failures.should + failures.custom > 0 ? EXIT.FAILS_SHOULD : EXIT.OK
}

/** Plays the failures of a JSON report again, or those that `--only` names. */
export async function replayReport(file: string, url: string | undefined, flags: CheckFlags): Promise<Outcome<void>> {
  const text = await read(file)
  if (!text.ok) return text
  const recorded = readReportJson(text.value)
  if (typeof recorded === 'string') return trouble(EXIT.DATA, `${file}: ${visible(recorded)}`)
  if (recorded.failures.length === 0) {
    say(`${file} holds no failure: there is nothing to play again`)
    return done(undefined)
  }
  const words = flags.only ?? []
  // A word may fit no failure of the report; then it has to fit a case.
  const idle = words.filter(word => chooseFailures(recorded.failures, [word]).length === 0)
  const known = idle.length === 0 ? done([]) : chosen(idle)
  if (!known.ok) return known
  const failures = chooseFailures(recorded.failures, words)
  if (failures.length === 0) {
    const ids = recorded.failures.map(one => one.case.id).join(', ')
    return trouble(EXIT.DATA, `${file} holds none of these; it holds ${visible(ids)}`)
  }
  const place = await placeOf(url ?? recorded.proxy, flags)
  if (!place.ok) return place
  const options = await readOptions(place.value, replayFlags(failures, place.value, flags))
  if (!options.ok) return options
  const again = await runAgain(failures, place.value, options.value)
  if (!again.ok) return again
  const { results, hopeless } = again.value
  const verdicts: Verdict[] = []
  const reasons: string[] = []
  for (const one of failures) {
    const verdict =
      hopeless === undefined ? verdictOn(one, results) : ({ kind: 'not-asked', reason: hopeless } as const)
    verdicts.push(verdict)
    const reason = await replayOne(one, verdict, { ...place.value, ...options.value })
    if (reason === undefined || verdict.kind !== 'not-asked') continue
    // A server that is gone, or a password that was not named, stands in the way of all.
    if (hopeless !== undefined) return trouble(EXIT.UNAVAILABLE, visible(hopeless))
    reasons.push(`${one.case.id}: ${reason}`)
  }
  if (reasons.length === failures.length) return trouble(EXIT.UNAVAILABLE, visible(reasons[0] ?? ''))
  say(verdictsText(verdicts))
  return done(undefined)
}

/** Beside a server elsewhere the targets stand where they stood, unless somebody says where. */
function replayFlags(failures: readonly RecordedCase[], { proxyAddress }: Place, flags: CheckFlags): CheckFlags {
  const address = failures[0]?.transcript.targets[0]?.address
  return isOnThisHost(proxyAddress) || address === undefined ? flags : { targetsOn: address, ...flags }
}

interface Again {
  readonly results: readonly CaseResult[]
  /** Why no case can be asked. */
  readonly hopeless?: string
}

/** Asks the cases of the failures again, as a check does. */
async function runAgain(failures: readonly RecordedCase[], place: Place, options: Options): Promise<Outcome<Again>> {
  const cases = casesOf(failures)
  if (cases.length === 0) return done({ results: [] })
  // Whoever has the failure of a slow case has waited for it before.
  const report = await run(cases, place, options, true)
  if (!report.ok) return done({ results: [], hopeless: report.trouble.message })
  const { results } = report.value
  return results.length < cases.length
    ? trouble(EXIT.INTERRUPTED, `interrupted after ${results.length} of ${cases.length} cases`)
    : done({ results })
}

/** Plays one failure again and shows it below what its case found now. Answers why it cannot be played. */
async function replayOne(
  recorded: RecordedCase,
  verdict: Verdict,
  options: Place & Options,
): Promise<string | undefined> {
  const [paint, width] = [paintFor(1), outputWidth()]
  print(`${paint('bold', visible(recorded.case.id))}  ${visible(recorded.case.title)}`)
  const outcome = await replay({ ...options, transcript: recorded.transcript, timing: TIMING })
  if (outcome.kind === 'played') print(transcriptText(outcome.transcript, paint, width).join('\n'))
  print(
    [...verdictLines(verdict, paint, width), hanging('     ', [paint('dim', octetsText(outcome))], width), ''].join(
      '\n',
    ),
  )
  return outcome.kind === 'impossible' ? outcome.reason : undefined
}

function octetsText(outcome: ReplayOutcome): string {
  if (outcome.kind === 'impossible') return `its octets cannot be played again: ${visible(outcome.reason)}`
  const { differences } = outcome
  return differences.length === 0 ? 'the same octets as before' : `other octets than before: ${differences.join(', ')}`
}

async function read(file: string): Promise<Outcome<string>> {
  try {
    return done(await readFile(file, 'utf8'))
  } catch (error) {
    return trouble(EXIT.NO_INPUT, `${file}: ${fileErrorText(error)}`)
  }
}
