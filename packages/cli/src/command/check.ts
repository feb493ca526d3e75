/** `socksmith check`: runs the conformance suite against a server, shows what it found, and plays a failure again. */
import { readFile, writeFile } from 'node:fs/promises'
import {
  CASES,
  CHOICES,
  type Case,
  type ProxyPlace,
  RATE_ELSEWHERE_PER_SECOND,
  RATE_HERE_PER_SECOND,
  type RecordedCase,
  type Report,
  TIMING,
  chooseCases,
  failuresByLevel,
  isOnThisHost,
  parseProxyUrl,
  readReportJson,
  replay,
  reportJson,
  reportJunit,
  resolveProxy,
  runCheck,
} from '@socksmith/instruments'
import { type IpAddress, formatAddress, parseIp } from '@socksmith/protocol'
import { hopelessJson, hopelessJunit } from '../check/hopeless.ts'
import { caseList, failuresText, reportTable, transcriptText } from '../check/table.ts'
import { progressLine } from '../check/progress.ts'
import { nearest } from '@socksmith/policy'
import { EXIT, type Outcome, done, fileErrorText, trouble } from '../exit.ts'
import { paintFor } from '../terminal/colour.ts'
import { print, say } from '../terminal/say.ts'
import { visible } from '../terminal/visible.ts'
import { outputWidth } from '../terminal/width.ts'

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
  const wanted = flags.only?.map(word => word.toUpperCase())
  const failures = recorded.failures.filter(one => wanted === undefined || wanted.includes(one.case.id))
  if (failures.length === 0) {
    const ids = recorded.failures.map(one => one.case.id).join(', ') || 'no failures'
    return trouble(EXIT.DATA, `${file} holds none of these; it holds ${visible(ids)}`)
  }
  const place = await placeOf(url ?? recorded.proxy, flags)
  if (!place.ok) return place
  const authorities = flags.tlsCa === undefined ? done(undefined) : await read(flags.tlsCa)
  if (!authorities.ok) return authorities
  const tls = authorities.value === undefined ? {} : { tlsAuthorities: authorities.value }
  let different = 0
  for (const one of failures) {
    const played = await replayOne(one, { ...place.value, ...tls })
    if (!played.ok) return played
    if (!played.value) different++
  }
  say(`${failures.length - different} of ${failures.length} as before`)
  return done(undefined)
}

/** True when the server did the same as before. */
async function replayOne(
  recorded: RecordedCase,
  options: Place & Pick<Options, 'tlsAuthorities'>,
): Promise<Outcome<boolean>> {
  const paint = paintFor(1)
  const id = visible(recorded.case.id)
  print(`${paint('bold', id)}  ${visible(recorded.case.title)}`)
  const outcome = await replay({ ...options, transcript: recorded.transcript, timing: TIMING })
  if (outcome.kind === 'impossible') return trouble(EXIT.UNAVAILABLE, `${id}: ${visible(outcome.reason)}`)
  print(transcriptText(outcome.transcript, paint).join('\n'))
  print(
    outcome.isSame
      ? `     ${paint('yellow', 'the server did the same as before')}\n`
      : `     ${paint('green', 'the server did not do the same as before')}\n`,
  )
  return done(outcome.isSame)
}

async function read(file: string): Promise<Outcome<string>> {
  try {
    return done(await readFile(file, 'utf8'))
  } catch (error) {
    return trouble(EXIT.NO_INPUT, `${file}: ${fileErrorText(error)}`)
  }
}
