/** The whole comparison: every program is started, measured in turns with the others and with no proxy, and ended. */
import { type Engine, selectEngine } from '@socksmith/engine'
import {
  DEFAULT_SETTINGS,
  MODES,
  type Stage,
  type Target,
  type Ways,
  cpuSeconds,
  directWays,
  failureText,
  findProxy,
  hold,
  parseProxyUrl,
  proxyWays,
  startTarget,
  steadyMemory,
} from '@socksmith/instruments/bench'
import { HOLDS, type HoldMeasure, RATES, REST, type RateMeasure } from './measures.ts'
import { type Credentials, type Program, type Running, start } from './program.ts'
import { CEILING, Results } from './results.ts'

export interface BenchTerms {
  readonly programs: readonly Program[]
  readonly seconds: number
  readonly rounds: number
  /** Seconds of each load, of each program, before its first round: what is compiled while it runs is slow at first. */
  readonly warmUpSeconds: number
  /** Rounds of what is held; each starts a program anew. */
  readonly holdRounds: number
  /** Only a proof that everything works: few tunnels are held, by ours alone, and nothing waits until it is steady. */
  readonly isShort: boolean
  /** Keys of measures; all without. */
  readonly only?: ReadonlySet<string>
  /** For the files of the programs. */
  readonly folder: string
  /** Is told what is measured now. */
  readonly onStep: (text: string) => void
}

const CREDENTIALS: Credentials = { user: 'bench', password: 'on-loopback-only' }
const SHORT_TUNNELS = 20
const SHORT_LOOK_MS = 20
const LOOPBACK = { type: 'ipv4', octets: Uint8Array.of(127, 0, 0, 1) } as const

/** Runs it all. Throws when a program that is installed does not start. */
export async function compare(terms: BenchTerms): Promise<Results> {
  const { engine } = selectEngine('auto')
  const target = await startTarget(LOOPBACK)
  if ('code' in target) throw new Error(`no target: ${failureText(target)}`)
  const comparison = new Comparison(terms, engine, target)
  try {
    await comparison.measureRates()
    await comparison.measureHolds()
  } finally {
    await target.close()
  }
  return comparison.results
}

class Comparison {
  readonly results = new Results()
  readonly #terms: BenchTerms
  readonly #engine: Engine
  readonly #target: Target

  constructor(terms: BenchTerms, engine: Engine, target: Target) {
    this.#terms = terms
    this.#engine = engine
    this.#target = target
  }

  async measureRates(): Promise<void> {
    const { rounds } = this.#terms
    const rates = RATES.filter(({ key }) => this.#isWanted(key))
    if (rates.length === 0) return
    const entrants = await this.#startAll(rates)
    try {
      for (const rate of rates) {
        this.#terms.onStep(`warming up: ${rate.title}`)
        for (const one of entrants) await this.#warmUp(rate, one)
      }
      for (let round = 1; round <= rounds; round++) {
        this.#terms.onStep(`round ${round} of ${rounds}`)
        for (const rate of rates) await this.#measureRate(rate, turned(entrants, round))
      }
    } finally {
      await endAll(entrants)
    }
  }

  async measureHolds(): Promise<void> {
    for (let round = 1; round <= this.#terms.holdRounds; round++) {
      for (const program of this.#terms.programs) {
        if (this.#terms.isShort && program.key !== 'socksmith') continue
        if (this.#isWanted(REST)) await this.#alone(program, running => this.#measureRest(running))
        for (const measure of HOLDS) {
          const isFor = !measure.isOurs || program.key.startsWith('socksmith')
          if (!isFor || !this.#isWanted(measure.key)) continue
          this.#terms.onStep(`${measure.key} of ${program.name}, round ${round} of ${this.#terms.holdRounds}`)
          await this.#alone(program, running => this.#measureHold(measure, running))
        }
      }
    }
  }

  #isWanted(key: string): boolean {
    return this.#terms.only?.has(key) !== false
  }

  async #startAll(rates: readonly RateMeasure[]): Promise<readonly Entrant[]> {
    const plain = rates.some(({ needs }) => needs !== 'password')
    const login = rates.some(({ needs }) => needs === 'password')
    const starts = this.#terms.programs.flatMap(program => [
      ...(plain ? [this.#enter(program)] : []),
      ...(login && program.can.password ? [this.#enter(program, CREDENTIALS)] : []),
    ])
    const started = await Promise.allSettled(starts)
    const entrants = started.flatMap(one => (one.status === 'fulfilled' ? [one.value] : []))
    const failed = started.find(one => one.status === 'rejected')
    if (failed === undefined) return [{ key: CEILING, can: { password: true, udp: true } }, ...entrants]
    await endAll(entrants)
    throw failed.reason
  }

  async #enter(program: Program, credentials?: Credentials): Promise<Entrant> {
    const running = await start(program, this.#terms.folder, credentials)
    return { key: program.key, can: { ...program.can, password: credentials !== undefined }, running }
  }

  // What fails is told by the first round.
  async #warmUp(rate: RateMeasure, entrant: Entrant): Promise<void> {
    const { warmUpSeconds: seconds } = this.#terms
    if (seconds === 0 || entrant.running === undefined || !isFor(rate, entrant)) return
    const stage = await this.#stage(entrant.running, rate.streams)
    await MODES[rate.mode].load({ ...stage, settings: { ...stage.settings, seconds } })
  }

  async #measureRate(rate: RateMeasure, entrants: readonly Entrant[]): Promise<void> {
    for (const entrant of entrants) {
      if (!isFor(rate, entrant)) continue
      const { key, running } = entrant
      const stage = await this.#stage(running, rate.streams)
      const metered = running === undefined ? stage : { ...stage, cpuSeconds: () => cpuSeconds(running.pids) }
      const sample = await MODES[rate.mode].load(metered)
      if ('code' in sample) this.results.failures.push(`${rate.title}, ${key}: ${failureText(sample)}`)
      else this.results.addSample(rate.key, key, sample)
    }
  }

  async #measureHold(measure: HoldMeasure, running: Running): Promise<void> {
    const { isShort } = this.#terms
    const heldMax = isShort ? SHORT_TUNNELS : Infinity
    const stage = await this.#stage(running, Math.min(measure.tunnels, heldMax))
    const report = await hold(stage, {
      mode: measure.mode,
      pids: running.pids,
      holdMs: 0,
      busy: Math.min(measure.busy, heldMax),
      ...(measure.isOurs ? { warmUpsMax: 0 } : {}),
      ...(isShort ? { lookEveryMs: SHORT_LOOK_MS } : {}),
    })
    if ('code' in report) this.results.failures.push(`${measure.key}, ${running.program.key}: ${failureText(report)}`)
    else this.results.addHold(measure.key, running.program.key, report)
  }

  async #measureRest({ program, pids }: Running): Promise<void> {
    const octets = await steadyMemory(pids, this.#terms.isShort ? SHORT_LOOK_MS : undefined)
    if (octets === undefined) this.results.failures.push(`${REST}, ${program.key}: its memory cannot be read`)
    else this.results.addRest(program.key, octets)
  }

  async #alone(program: Program, measure: (running: Running) => Promise<void>): Promise<void> {
    const running = await start(program, this.#terms.folder)
    try {
      await measure(running)
    } finally {
      await running.end()
    }
  }

  async #stage(running: Running | undefined, streams: number): Promise<Stage> {
    const ways = running === undefined ? directWays(this.#target) : await waysThrough(this.#target, running)
    const settings = { ...DEFAULT_SETTINGS, streams, seconds: this.#terms.seconds }
    return { engine: this.#engine, target: this.#target, ways, settings, onProgress() {} }
  }
}

interface Entrant {
  readonly key: string
  readonly can: Program['can']
  readonly running?: Running
}

// The instance with a password is for the one measure that wants it.
function isFor({ needs }: RateMeasure, { can, running }: Entrant): boolean {
  if (needs === 'udp' && !can.udp) return false
  return running === undefined || (needs === 'password') === can.password
}

async function endAll(entrants: readonly Entrant[]): Promise<void> {
  await Promise.all(entrants.flatMap(({ running }) => (running === undefined ? [] : [running.end()])))
}

/** Each round begins with another one, so that none has always the same neighbour. */
function turned<T>(list: readonly T[], by: number): readonly T[] {
  const at = by % list.length
  return [...list.slice(at), ...list.slice(0, at)]
}

async function waysThrough(target: Target, { url }: Running): Promise<Ways> {
  const parsed = parseProxyUrl(url)
  if (typeof parsed === 'string') throw new Error(parsed)
  const proxy = await findProxy(parsed)
  const ways = 'code' in proxy ? proxy : proxyWays(target, proxy)
  if ('code' in ways) throw new Error(failureText(ways))
  return ways
}
