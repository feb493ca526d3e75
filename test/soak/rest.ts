/** The moments in which nobody is connected: what the server holds then must not grow with time. Knows no fault. */
import type { Criteria } from './criteria.ts'
import type { Served } from './served.ts'
import { type Stage, until } from './stage.ts'

export const REST_MS_MAX = 30_000
const HOUR_MS = 3_600_000
const MEBIBYTE = 1_048_576
/** In an hour, beyond chance: what caches hold differs from rest to rest. */
const GROWTH_OCTETS_MAX = MEBIBYTE
/** In a shorter time what V8 compiles weighs more than any leak: the growth is told, and limits nothing. */
const LIMITED_FROM_MS = HOUR_MS / 2
/** Tables and compiled code grow at first. */
const WARM_UP_PART = 1 / 4
/** A line lies on any two points. */
const STEADY_MIN = 3

/** What the server holds at one moment. */
export interface Point {
  readonly atMs: number
  readonly octets: number
}

/** Milliseconds until no session is left; NaN when one stays. */
export function nobodyLeft(served: Served): Promise<number> {
  return until(async () => (await served.sessions()) === 0, REST_MS_MAX)
}

/** Sends the honest clients home and waits until no session is left. */
export async function rest({ served, honest, criteria }: Stage): Promise<void> {
  await honest.stop()
  const restMs = await nobodyLeft(served)
  if (Number.isNaN(restMs)) honest.failures.push(`these sessions are left:\n${served.text}`)
  criteria.note('R-29', 'time until no session is left', restMs, { atMost: REST_MS_MAX, unit: 'ms' })
}

/** The rests of one soak. */
export class Rests {
  readonly #heap: Point[] = []
  readonly #descriptors: number[] = []

  get count(): number {
    return this.#heap.length
  }

  /** To be called at rest; what was found, for a person. */
  async look({ served }: Stage): Promise<string> {
    const { heapOctets, descriptors } = await served.look(true)
    this.#heap.push({ atMs: performance.now(), octets: heapOctets })
    this.#descriptors.push(descriptors)
    return `rest ${this.count}: heap ${(heapOctets / MEBIBYTE).toFixed(2)} MiB, ${descriptors} descriptors`
  }

  /** Says how the heap went; of few rests there is nothing to say. */
  tell(criteria: Criteria): void {
    const steady = afterWarmUp(this.#heap)
    const [first, last] = [steady[0], steady.at(-1)]
    if (first === undefined || last === undefined || steady.length < STEADY_MIN) return
    const { anHour, giveOrTake } = growth(steady)
    const isLimited = last.atMs - first.atMs >= LIMITED_FROM_MS
    const bound = isLimited ? { atMost: GROWTH_OCTETS_MAX / MEBIBYTE } : {}
    criteria.note('R-29', 'rests in which the heap was measured', this.count)
    criteria.note('R-29', 'descriptors at rest, most less fewest', spreadOf(this.#descriptors))
    criteria.note('R-29', 'heap that is added in an hour', anHour / MEBIBYTE, { unit: 'MiB' })
    criteria.note('R-29', 'give or take (two standard errors)', giveOrTake / MEBIBYTE, { unit: 'MiB' })
    criteria.note('R-29', 'of it, more than chance', Math.max(0, anHour - giveOrTake) / MEBIBYTE, {
      ...bound,
      unit: 'MiB',
    })
  }
}

function afterWarmUp(points: readonly Point[]): readonly Point[] {
  const [first, last] = [points[0], points.at(-1)]
  if (first === undefined || last === undefined) return []
  const fromMs = first.atMs + (last.atMs - first.atMs) * WARM_UP_PART
  return points.filter(({ atMs }) => atMs >= fromMs)
}

function spreadOf(figures: readonly number[]): number {
  return Math.max(...figures) - Math.min(...figures)
}

export interface Growth {
  /** Octets, by the line that lies nearest to the points (least squares). */
  readonly anHour: number
  /** Two standard errors of it. */
  readonly giveOrTake: number
}

/** How what is held grows; of three points at least. */
export function growth(points: readonly Point[]): Growth {
  const mean = (of: (point: Point) => number): number =>
    points.reduce((sum, point) => sum + of(point), 0) / points.length
  const [middleMs, middle] = [mean(({ atMs }) => atMs), mean(({ octets }) => octets)]
  const wideMs = mean(({ atMs }) => (atMs - middleMs) ** 2)
  const slope = mean(({ atMs, octets }) => (atMs - middleMs) * (octets - middle)) / wideMs
  const beside = mean(({ atMs, octets }) => (octets - middle - slope * (atMs - middleMs)) ** 2)
  return { anHour: slope * HOUR_MS, giveOrTake: 2 * Math.sqrt(beside / wideMs / (points.length - 2)) * HOUR_MS }
}
