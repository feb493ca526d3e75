/** A clock that stands still until a test moves it. Knows nothing but the port. */
import type { Clock, Timer } from '../src/ports.ts'

interface Waiting {
  readonly atMs: number
  readonly callback: () => void
}

/** Time that a test owns: both clocks go on only by `advance`, and timers fire in their order, at their time. */
export class VirtualClock implements Clock {
  #nowMs = 0
  readonly #startMs: number
  readonly #waiting = new Set<Waiting>()

  /** `startMs`: milliseconds since 1970 at the start. */
  constructor(startMs: number = Date.UTC(2030, 0, 1)) {
    this.#startMs = startMs
  }

  /** Timers that wait. */
  get pending(): number {
    return this.#waiting.size
  }

  monotonicMs(): number {
    return this.#nowMs
  }

  wallMs(): number {
    return this.#startMs + this.#nowMs
  }

  after(ms: number, callback: () => void): Timer {
    const waiting = { atMs: this.#nowMs + Math.max(0, ms), callback }
    this.#waiting.add(waiting)
    return { cancel: () => void this.#waiting.delete(waiting) }
  }

  /** Lets `ms` pass. After each timer, promises that it settled run before the next one. */
  async advance(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms
    await turn()
    for (let next = this.#next(); next && next.atMs <= untilMs; next = this.#next()) {
      this.#waiting.delete(next)
      this.#nowMs = next.atMs
      next.callback()
      await turn()
    }
    this.#nowMs = untilMs
  }

  /** The earliest; of several at the same time, the one that was set first. */
  #next(): Waiting | undefined {
    let next: Waiting | undefined
    for (const waiting of this.#waiting) if (next === undefined || waiting.atMs < next.atMs) next = waiting
    return next
  }
}

/** Everything that promises have to do now is done. */
function turn(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve))
}
