/** Runs cases one after the other and gathers what they found. Knows no case and shows nothing. */
import { lookup } from 'node:dns/promises'
import { type IpAddress, parseIp, unmapped } from '@socksmith/protocol'
import { type Abilities, firstLack } from './ability.ts'
import { type Case, type CaseResult, type Outcome, type Report } from './case.ts'
import { discover } from './discover.ts'
import { Finding } from './finding.ts'
import { Pace, Probe, type Surroundings } from './probe.ts'
import type { ProxyPlace } from './proxy-url.ts'
import { type Targets, openTargets } from './targets.ts'
import { TIMING, type Timing, atDistance } from './timing.ts'
import { isOnThisHost } from '../this-host.ts'

export interface CheckOptions {
  readonly proxy: ProxyPlace
  /** Addresses of `proxy.host`; see {@link resolveProxy}. */
  readonly proxyAddress: IpAddress
  readonly cases: readonly Case[]
  /** Where the targets listen, and where the server finds them. Default: 127.0.0.1. */
  readonly targetsOn?: IpAddress
  /** Cases that wait for long time limits of the server. Default: false. */
  readonly isSlow?: boolean
  /** New connections a second at most. Default: 200 to this host, 20 elsewhere. */
  readonly ratePerSecond?: number
  readonly timing?: Timing
  readonly tlsAuthorities?: string
  /** Called before each step; must not throw. */
  readonly onProgress?: (progress: Progress) => void
  /** Ends the run before its next case. */
  readonly signal?: AbortSignal
}

export type Progress =
  | { readonly kind: 'discovering'; readonly what: string }
  | { readonly kind: 'case'; readonly case: Case; readonly index: number; readonly of: number }

export type CheckOutcome =
  | { readonly kind: 'report'; readonly report: Report }
  /** The server cannot be checked: a sentence that says why. */
  | { readonly kind: 'hopeless'; readonly reason: string }

/** Quick, and still no flood. */
export const RATE_HERE_PER_SECOND = 200
/** As a busy browser. */
export const RATE_ELSEWHERE_PER_SECOND = 20

const LOOPBACK: IpAddress = parseIp('127.0.0.1') as IpAddress

/** The address of the server; a string is why there is none. */
export async function resolveProxy(proxy: ProxyPlace): Promise<IpAddress | string> {
  const literal = parseIp(proxy.host)
  // IPv4 inside IPv6 is dialled as IPv4, and answered from it.
  if (literal !== undefined) return unmapped(literal)
  try {
    const { address } = await lookup(proxy.host)
    return parseIp(address) ?? `${proxy.host} has no usable address`
  } catch (error) {
    return `${proxy.host} has no address: ${(error as NodeJS.ErrnoException).code ?? ''}`
  }
}

/**
 * Checks a server: opens the targets, finds out what the server can do, runs the cases in their order, one at a time,
 * and the slow ones together at the end.
 *
 * @example
 * const outcome = await runCheck({ proxy, proxyAddress, cases: CASES })
 * const isRight = outcome.kind === 'report' && scoreOf(outcome.report.results).failed === 0
 */
export async function runCheck(options: CheckOptions): Promise<CheckOutcome> {
  const startedAt = new Date()
  const startedMs = performance.now()
  const targets = await openTargets(options.targetsOn ?? LOOPBACK)
  try {
    const rate =
      options.ratePerSecond ?? (isOnThisHost(options.proxyAddress) ? RATE_HERE_PER_SECOND : RATE_ELSEWHERE_PER_SECOND)
    const pace = new Pace(rate)
    const surroundings = surroundingsOf(options, targets)
    const discovery = await discover(surroundings, pace, what => options.onProgress?.({ kind: 'discovering', what }))
    if (discovery.kind === 'hopeless') return discovery
    const { abilities, connectMs } = discovery
    const timing = atDistance(surroundings.timing, connectMs)
    const results = await runAll(options, { ...surroundings, abilities, timing }, pace)
    const durationMs = Math.round(performance.now() - startedMs)
    const report = { proxy: options.proxy.label, startedAt: startedAt.toISOString(), durationMs, abilities, results }
    return { kind: 'report', report }
  } finally {
    await targets.close()
  }
}

function surroundingsOf(options: CheckOptions, targets: Targets): Omit<Surroundings, 'abilities'> {
  const { proxy, proxyAddress, tlsAuthorities, timing = TIMING } = options
  return { proxy, proxyAddress, targets, timing, ...(tlsAuthorities === undefined ? {} : { tlsAuthorities }) }
}

async function runAll(options: CheckOptions, surroundings: Surroundings, pace: Pace): Promise<readonly CaseResult[]> {
  const results = new Map<Case, CaseResult>()
  const { cases, isSlow = false } = options
  const ask = async (one: Case, index: number): Promise<void> => {
    if (options.signal?.aborted === true) return
    options.onProgress?.({ kind: 'case', case: one, index, of: cases.length })
    results.set(one, await runCase(one, surroundings, pace, isSlow))
  }
  // What waits for minutes waits together, when nothing else can be disturbed any more.
  const quick = cases.filter(one => one.isSlow !== true)
  for (const [index, one] of quick.entries()) await ask(one, index)
  await Promise.all(cases.filter(one => one.isSlow === true).map((one, index) => ask(one, quick.length + index)))
  return cases.map(one => results.get(one)).filter(result => result !== undefined)
}

/** Runs one case against a server whose abilities are known. */
export async function runCase(one: Case, surroundings: Surroundings, pace: Pace, isSlow: boolean): Promise<CaseResult> {
  const result = await runOnce(one, surroundings, pace, isSlow)
  // On the way to another host a datagram may be lost: one alone is no fault of the server.
  const mayBeLost = surroundings.abilities.elsewhere.has && one.needs.includes('udp')
  return mayBeLost && result.outcome.kind === 'fail' ? runOnce(one, surroundings, pace, isSlow) : result
}

async function runOnce(one: Case, surroundings: Surroundings, pace: Pace, isSlow: boolean): Promise<CaseResult> {
  const { run: _, ...about } = one
  const startedMs = performance.now()
  const probe = new Probe(surroundings, pace)
  const outcome = skipped(one, surroundings.abilities, isSlow) ?? (await outcomeOf(one, probe))
  probe.dispose()
  const durationMs = Math.round(performance.now() - startedMs)
  return { case: about, outcome, durationMs, transcript: probe.transcript() }
}

function skipped(one: Case, abilities: Abilities, isSlow: boolean): Outcome | undefined {
  if (one.isSlow === true && !isSlow) return { kind: 'skip', reason: 'it waits for minutes; --slow asks it too' }
  const lack = firstLack(abilities, one.needs)
  return lack === undefined ? undefined : { kind: 'skip', reason: lack }
}

async function outcomeOf(one: Case, probe: Probe): Promise<Outcome> {
  try {
    const skip = await one.run(probe)
    return skip === undefined ? { kind: 'pass' } : { kind: 'skip', reason: skip.skip }
  } catch (error) {
    if (!(error instanceof Finding)) throw error
    return { kind: 'fail', expected: error.expected, got: error.got }
  }
}
