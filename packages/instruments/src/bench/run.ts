/** A whole run: every mode, some rounds of it, without the proxy and with it in turns. */
import { type Engine, selectEngine } from '@socksmith/engine'
import type { Failure, IpAddress } from '@socksmith/protocol'
import { type HoldMode, hold } from './hold.ts'
import type { LoadSettings, Sample, Stage, Ways } from './load.ts'
import { DEFAULT_SETTINGS, HELD_TUNNELS, MODES, type Mode, type RateMode } from './mode.ts'
import { cpuSeconds } from './process-tree.ts'
import { type BenchReport, type ModeReport, figureOf } from './report.ts'
import { type Target, startTarget } from './target.ts'
import { type Route, openTunnel } from './tunnel.ts'
import { type ProxyPlace, directWays, proxyWays } from './ways.ts'

export interface BenchOptions {
  readonly proxy: ProxyPlace
  readonly modes: readonly Mode[]
  /** How often each figure is taken, each way. */
  readonly rounds: number
  readonly settings: Partial<LoadSettings>
  /**
   * Seconds of the same load through the proxy before a rate is taken, which count for nothing: a program that is compiled
   * while it runs is slower at first than in the weeks that follow. Default 0.
   */
  readonly warmUpSeconds?: number
  /** Seconds for which `idle` and `stall` hold their tunnels. */
  readonly holdSeconds: number
  /** Tunnels that carry round trips while `idle` holds its own. */
  readonly busy: number
  /** Processes whose use of processor and memory is told, with their children. */
  readonly pids: readonly number[]
  /** An address of this machine for the target. Default: loopback, of the proxy's family. */
  readonly targetAddress?: IpAddress
  /** What to call the target where the proxy resolves it. */
  readonly targetName?: string
  readonly onProgress?: (progress: Progress) => void
}

/** How far a run is: a rate while it is taken, or what is done with tunnels that are held. */
export type Progress = RateProgress | { readonly kind: 'hold'; readonly mode: HoldMode; readonly step: string }

export interface RateProgress {
  readonly kind: 'rate'
  readonly mode: RateMode
  readonly way: 'direct' | 'proxy'
  /** From 1; 0 while nothing counts yet. */
  readonly round: number
  readonly rounds: number
  readonly perSecond: number
}

/**
 * Runs it all. A failure when there is no target or no way to it, with the proxy or without; what only one mode cannot
 * have stands in the report.
 */
export async function runBench(options: BenchOptions): Promise<BenchReport | Failure> {
  const { proxy, rounds, settings } = options
  const { engine } = selectEngine('auto')
  const target = await startTarget(options.targetAddress ?? loopbackLike(proxy.endpoint.address))
  if ('code' in target) return target
  try {
    const ways = proxyWays(target, proxy, options.targetName)
    if ('code' in ways) return ways
    const refused = await tryWay(engine, ways.echo)
    if (refused !== undefined) return refused
    const ground: Ground = { engine, target, direct: directWays(target), proxied: ways }
    const modes: ModeReport[] = []
    for (const mode of options.modes) {
      const report =
        mode === 'idle' || mode === 'stall'
          ? await runHold(mode, options, ground)
          : await runRate(mode, options, ground)
      if ('code' in report) return report
      modes.push(report)
    }
    return {
      proxy: proxy.label,
      engine: engine.name,
      rounds,
      seconds: settings.seconds ?? DEFAULT_SETTINGS.seconds,
      warmUpSeconds: options.warmUpSeconds ?? 0,
      modes,
    }
  } finally {
    await target.close()
  }
}

interface Ground {
  readonly engine: Engine
  readonly target: Target
  readonly direct: Ways
  readonly proxied: Ways
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

async function runHold(mode: HoldMode, options: BenchOptions, ground: Ground): Promise<ModeReport> {
  const settings = { ...DEFAULT_SETTINGS, streams: HELD_TUNNELS[mode], ...options.settings }
  const stage = stageOf('proxy', settings, ground, () => {})
  const { pids, holdSeconds, onProgress } = options
  const busy = mode === 'idle' ? options.busy : 0
  const onStep = (step: string): void => onProgress?.({ kind: 'hold', mode, step })
  const report = await hold(stage, { mode, pids, holdMs: holdSeconds * 1_000, busy, onStep })
  return 'code' in report ? { kind: 'failed', mode, failure: report } : { kind: 'hold', ...report }
}

async function runRate(mode: RateMode, options: BenchOptions, ground: Ground): Promise<ModeReport | Failure> {
  const { rounds, pids, warmUpSeconds = 0 } = options
  const { load, unit, streams } = MODES[mode]
  const settings = { ...DEFAULT_SETTINGS, streams, ...options.settings }
  const samples = { direct: [] as Sample[], proxy: [] as Sample[] }
  const stageFor = (way: RateProgress['way'], round: number, seconds = settings.seconds): Stage =>
    stageOf(way, { ...settings, seconds }, ground, (amount, passed) =>
      options.onProgress?.({ kind: 'rate', mode, way, round, rounds, perSecond: amount / passed }),
    )
  const warm = warmUpSeconds === 0 ? undefined : await load(stageFor('proxy', 0, warmUpSeconds))
  if (warm !== undefined && 'code' in warm) return { kind: 'failed', mode, failure: warm }
  for (let round = 1; round <= rounds; round++) {
    for (const way of ['direct', 'proxy'] as const) {
      const stage = stageFor(way, round)
      const isMetered = way === 'proxy' && pids.length > 0
      const sample = await load(isMetered ? { ...stage, cpuSeconds: () => cpuSeconds(pids) } : stage)
      if (!('code' in sample)) samples[way].push(sample)
      else return way === 'direct' ? sample : { kind: 'failed', mode, failure: sample }
    }
  }
  const [direct, proxy] = [figureOf(samples.direct), figureOf(samples.proxy)]
  const ratio = proxy.perSecond / direct.perSecond
  return { kind: 'rate', mode, unit, streams: settings.streams, direct, proxy, ratio }
}

function stageOf(
  way: RateProgress['way'],
  settings: LoadSettings,
  { engine, target, direct, proxied }: Ground,
  onProgress: Stage['onProgress'],
): Stage {
  return { engine, target, settings, ways: way === 'direct' ? direct : proxied, onProgress }
}
