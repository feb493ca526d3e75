/** A whole run: every mode, some rounds of it, without the proxy and with it in turns; and the medians. */
import { type Engine, selectEngine } from '@socksmith/engine'
import type { Failure, IpAddress } from '@socksmith/protocol'
import type { Percentiles } from './latencies.ts'
import type { LoadSettings, Sample, Ways } from './load.ts'
import { MODES, type ModeTerms, type RateMode } from './mode.ts'
import { cpuSeconds } from './process-tree.ts'
import { type Target, startTarget } from './target.ts'
import { type Route, openTunnel } from './tunnel.ts'
import { type ProxyPlace, directWays, proxyWays } from './ways.ts'

export interface BenchOptions {
  readonly proxy: ProxyPlace
  readonly modes: readonly RateMode[]
  readonly rounds: number
  readonly settings: Partial<LoadSettings>
  /** Processes whose use of processor and memory is told, with their children. */
  readonly pids: readonly number[]
  /** An address of this machine for the target. Default: loopback, of the proxy's family. */
  readonly targetAddress?: IpAddress
  /** What to call the target where the proxy resolves it. */
  readonly targetName?: string
  readonly onProgress?: (progress: Progress) => void
}

export interface Progress {
  readonly mode: RateMode
  readonly way: 'direct' | 'proxy'
  /** From 1. */
  readonly round: number
  readonly rounds: number
  readonly perSecond: number
}

/** One way of one mode: medians of the rounds. */
export interface Figure {
  readonly perSecond: number
  /** Milliseconds. */
  readonly latencies?: Percentiles
  /** Of all datagrams, 0 to 1. */
  readonly lostShare?: number
  /** Seconds of the processes' time for one unit. */
  readonly cpuSecondsPerUnit?: number
}

export interface ModeReport {
  readonly mode: RateMode
  readonly unit: ModeTerms['unit']
  readonly streams: number
  readonly direct: Figure
  readonly proxy: Figure | Failure
  /** Proxy to direct. */
  readonly ratio?: number
}

export interface BenchReport {
  readonly proxy: string
  /** Of the load and of the target. */
  readonly engine: string
  readonly rounds: number
  readonly seconds: number
  readonly modes: readonly ModeReport[]
}

const DEFAULTS: Omit<LoadSettings, 'streams'> = { seconds: 2, messageOctets: 64, datagramOctets: 512, window: 32 }

/** Runs it all; a failure when not even a target or a way there can be had. */
export async function runBench(options: BenchOptions): Promise<BenchReport | Failure> {
  const { proxy } = options
  const { engine } = selectEngine('auto')
  const target = await startTarget(options.targetAddress ?? loopbackLike(proxy.endpoint.address))
  if ('code' in target) return target
  try {
    const ways = proxyWays(target, proxy, options.targetName)
    if ('code' in ways) return ways
    const refused = await tryWay(engine, ways.echo)
    if (refused !== undefined) return refused
    const modes: ModeReport[] = []
    for (const mode of options.modes) {
      const report = await runMode(mode, options, directWays(target), ways, { engine, target })
      if ('code' in report) return report
      modes.push(report)
    }
    const { rounds, settings } = options
    return { proxy: proxy.label, engine: engine.name, rounds, seconds: settings.seconds ?? DEFAULTS.seconds, modes }
  } finally {
    await target.close()
  }
}

/** One tunnel, so that a wrong password is told at once and not after a round of the other way. */
async function tryWay(engine: Engine, route: Route): Promise<Failure | undefined> {
  const tunnel = await openTunnel(engine, route, { onOctets() {}, onEnd() {}, onClose() {} })
  if ('code' in tunnel) return tunnel
  tunnel.connection.reset()
  return undefined
}

function loopbackLike({ type }: IpAddress): IpAddress {
  if (type === 'ipv4') return { type, octets: Uint8Array.of(127, 0, 0, 1) }
  return { type, octets: Uint8Array.from({ length: 16 }, (_, i) => (i === 15 ? 1 : 0)) }
}

async function runMode(
  mode: RateMode,
  options: BenchOptions,
  direct: Ways,
  proxied: Ways,
  ground: { readonly engine: Engine; readonly target: Target },
): Promise<ModeReport | Failure> {
  const { rounds, pids } = options
  const { load, unit, streams } = MODES[mode]
  const settings = { ...DEFAULTS, streams, ...options.settings }
  const samples = { direct: [] as Sample[], proxy: [] as Sample[] }
  for (let round = 1; round <= rounds; round++) {
    for (const way of ['direct', 'proxy'] as const) {
      const sample = await load({
        ...ground,
        settings,
        ways: way === 'direct' ? direct : proxied,
        onProgress: (amount, seconds) =>
          options.onProgress?.({ mode, way, round, rounds, perSecond: amount / seconds }),
        ...(way === 'proxy' && pids.length > 0 ? { cpuSeconds: () => cpuSeconds(pids) } : {}),
      })
      if (!('code' in sample)) samples[way].push(sample)
      else if (way === 'direct') return sample
      else return { mode, unit, streams: settings.streams, direct: figureOf(samples.direct), proxy: sample }
    }
  }
  const [without, through] = [figureOf(samples.direct), figureOf(samples.proxy)]
  const ratio = through.perSecond / without.perSecond
  return { mode, unit, streams: settings.streams, direct: without, proxy: through, ratio }
}

/** The medians of samples. */
export function figureOf(samples: readonly Sample[]): Figure {
  const latencies = samples.flatMap(sample => (sample.latencies === undefined ? [] : [sample.latencies.percentiles()]))
  const lost = samples.flatMap(({ lost, amount }) => (lost === undefined ? [] : [lost / Math.max(1, lost + amount)]))
  const cpu = samples.flatMap(({ cpuSeconds, amount }) => (cpuSeconds === undefined ? [] : [cpuSeconds / amount]))
  return {
    perSecond: median(samples.map(({ amount, seconds }) => amount / seconds)),
    ...(latencies.length === 0 ? {} : { latencies: medianOfEach(latencies) }),
    ...(lost.length === 0 ? {} : { lostShare: median(lost) }),
    ...(cpu.length === 0 ? {} : { cpuSecondsPerUnit: median(cpu) }),
  }
}

function medianOfEach(all: readonly Percentiles[]): Percentiles {
  const of = (key: keyof Percentiles): number => median(all.map(one => one[key]))
  return { p50: of('p50'), p90: of('p90'), p99: of('p99'), p999: of('p999'), max: Math.max(...all.map(one => one.max)) }
}

/** The middle one; of an even number, the mean of the two in the middle. 0 of none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const [low, high] = [sorted[(sorted.length - 1) >> 1] ?? 0, sorted[sorted.length >> 1] ?? 0]
  return (low + high) / 2
}
