/** What every mode of the load has in common: what it is given, what it answers, and how it waits. */
import { performance } from 'node:perf_hooks'
import type { Engine } from '@socksmith/engine'
import type { Failure } from '@socksmith/protocol'
import type { Latencies } from './latencies.ts'
import type { Target } from './target.ts'
import type { Route } from './tunnel.ts'

/** The ways to each service of the target, direct or all through one proxy. */
export interface Ways {
  readonly source: Route
  readonly sink: Route
  readonly echo: Route
  /** UDP ASSOCIATE, or why there is none; without a proxy the datagrams go straight to the target. */
  readonly datagrams: Route | Failure | 'direct'
}

export interface LoadSettings {
  /** Tunnels, or associations, at the same time. */
  readonly streams: number
  readonly seconds: number
  readonly messageOctets: number
  readonly datagramOctets: number
  /** Datagrams under way in each association. */
  readonly window: number
}

/** What a load needs. */
export interface Stage {
  readonly engine: Engine
  readonly target: Target
  readonly ways: Ways
  readonly settings: LoadSettings
  /** Is told now and then how far it is. */
  readonly onProgress: (amountSoFar: number, secondsSoFar: number) => void
  /** Processor time of the proxy so far, in seconds: read when counting starts, and when it ends. */
  readonly cpuSeconds?: () => number
}

/** What a load did. The unit of `amount` is the mode's. */
export interface Sample {
  readonly amount: number
  readonly seconds: number
  readonly latencies?: Latencies
  /** Of datagrams: sent and never seen again. */
  readonly lost?: number
  /** Of the proxy, for `amount`. */
  readonly cpuSeconds?: number
}

export type Load = (stage: Stage) => Promise<Sample | Failure>

/** Milliseconds between two looks at the count. */
const TICK_MS = 100
/** Until a stream runs at its full rate: slow start, and whatever a proxy does when it sees that there is much to carry. */
const WARM_UP_MS = 250

/**
 * What `count` rose by in about so many seconds, and in how many really; after a moment in which nothing counts. Ends
 * early with the first fault.
 */
export async function during(
  stage: Pick<Stage, 'settings' | 'onProgress' | 'cpuSeconds'>,
  count: () => number,
  fault: Fault,
  onStart: () => void = () => {},
): Promise<Sample | Failure> {
  const { seconds } = stage.settings
  await fault.orMs(Math.min(WARM_UP_MS, (seconds * 1_000) / 4))
  const cpuBefore = stage.cpuSeconds?.()
  onStart()
  const [startedMs, before] = [performance.now(), count()]
  const untilMs = startedMs + seconds * 1_000
  for (let nowMs = startedMs; nowMs < untilMs && fault.failure === undefined; nowMs = performance.now()) {
    await fault.orMs(Math.min(TICK_MS, untilMs - nowMs))
    stage.onProgress(count() - before, (performance.now() - startedMs) / 1_000)
  }
  if (fault.failure !== undefined) return fault.failure
  const done = { amount: count() - before, seconds: (performance.now() - startedMs) / 1_000 }
  const cpuAfter = stage.cpuSeconds?.()
  return cpuBefore === undefined || cpuAfter === undefined ? done : { ...done, cpuSeconds: cpuAfter - cpuBefore }
}

/** The first thing that went wrong in a load; a figure over what broke on the way would say too little. */
export class Fault {
  failure: Failure | undefined
  #wake: (() => void) | undefined

  set(cause: Failure): void {
    if (this.failure !== undefined) return
    this.failure = cause
    this.#wake?.()
  }

  /** Waits so many milliseconds, or until something went wrong. */
  orMs(ms: number): Promise<void> {
    if (this.failure !== undefined) return Promise.resolve()
    return new Promise(resolve => {
      const timer = setTimeout(resolve, ms)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }
}
