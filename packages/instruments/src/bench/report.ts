/** What a run answers: figures by mode, as they stand in JSON too. */
import type { Failure } from '@socksmith/protocol'
import { median } from './estimate.ts'
import type { HoldReport } from './hold.ts'
import type { Percentiles } from './latencies.ts'
import type { Sample } from './load.ts'
import type { Mode, ModeTerms, RateMode } from './mode.ts'

export interface BenchReport {
  /** The URL without user and password. */
  readonly proxy: string
  /** Of the load and of the target. */
  readonly engine: string
  readonly rounds: number
  readonly seconds: number
  /** Of the same load before, which counts for nothing. */
  readonly warmUpSeconds: number
  readonly modes: readonly ModeReport[]
}

export type ModeReport =
  | RateReport
  | ({ readonly kind: 'hold' } & HoldReport)
  /** The proxy refused, or broke on the way. */
  | { readonly kind: 'failed'; readonly mode: Mode; readonly failure: Failure }

export interface RateReport {
  readonly kind: 'rate'
  readonly mode: RateMode
  readonly unit: ModeTerms['unit']
  readonly streams: number
  readonly direct: Figure
  readonly proxy: Figure
  /** Proxy to direct. */
  readonly ratio: number
}

/** One way of one mode: medians of the rounds. */
export interface Figure {
  readonly perSecond: number
  /** Milliseconds: each the median of the rounds, and of `max` the greatest. */
  readonly latencies?: Percentiles
  /** Of all datagrams, 0 to 1. */
  readonly lostShare?: number
  /** Seconds of the proxy's processor time for one unit. */
  readonly cpuSecondsPerUnit?: number
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
