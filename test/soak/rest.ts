/** The moments in which nobody is connected: what the server holds then must not grow with time. Knows no fault. */
import type { Criteria } from './criteria.ts'
import { type Stage, until } from './stage.ts'

export const REST_MS_MAX = 30_000
const HOUR_MS = 3_600_000
const HEAP_SLOPE_OCTETS_MAX = 1_048_576
/** In a shorter time what V8 compiles weighs more than any leak: the slope is told, and limits nothing. */
const LIMITED_FROM_MS = HOUR_MS / 2
/** Tables and compiled code grow at first. */
const WARM_UP_PART = 1 / 4

/** What the server holds at one moment. */
export interface Point {
  readonly atMs: number
  readonly octets: number
}

/** Sends the honest clients home and waits until no session is left. */
export async function rest({ served, honest, criteria }: Stage): Promise<void> {
  await honest.stop()
  const restMs = await until(async () => (await served.sessions()) === 0, REST_MS_MAX)
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
    return `rest ${this.count}: heap ${(heapOctets / 1_048_576).toFixed(2)} MiB, ${descriptors} descriptors`
  }

  /** Says how the heap went; of one rest there is nothing to say. */
  tell(criteria: Criteria): void {
    const steady = afterWarmUp(this.#heap)
    const [first, last] = [steady[0], steady.at(-1)]
    if (first === undefined || last === undefined || steady.length < 3) return
    const spanMs = last.atMs - first.atMs
    const isLimited = spanMs >= LIMITED_FROM_MS
    criteria.note('R-29', 'rests in which the heap was measured', this.count)
    criteria.note('R-29', 'time from the first of them that counts to the last', spanMs / 60_000, { unit: 'min' })
    criteria.note('R-29', 'heap that is added in an hour, at rest', octetsAnHour(steady) / 1_048_576, {
      ...(isLimited && { atMost: HEAP_SLOPE_OCTETS_MAX / 1_048_576 }),
      unit: 'MiB',
    })
    const spread = Math.max(...this.#descriptors) - Math.min(...this.#descriptors)
    criteria.note('R-29', 'descriptors, most less fewest, at rest', spread)
  }
}

function afterWarmUp(points: readonly Point[]): readonly Point[] {
  const [first, last] = [points[0], points.at(-1)]
  if (first === undefined || last === undefined) return []
  const fromMs = first.atMs + (last.atMs - first.atMs) * WARM_UP_PART
  return points.filter(({ atMs }) => atMs >= fromMs)
}

/** Of the line that lies nearest to the points, by the squares of what is between. */
export function octetsAnHour(points: readonly Point[]): number {
  const mean = (of: (point: Point) => number): number =>
    points.reduce((sum, point) => sum + of(point), 0) / points.length
  const [middleMs, middle] = [mean(({ atMs }) => atMs), mean(({ octets }) => octets)]
  const together = mean(({ atMs, octets }) => (atMs - middleMs) * (octets - middle))
  return (together / mean(({ atMs }) => (atMs - middleMs) ** 2)) * HOUR_MS
}
