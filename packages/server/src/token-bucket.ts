/** A rate as a bucket: so many a second, and a burst of one second's worth. */
import type { Clock } from '@socksmith/engine'

export class TokenBucket {
  readonly #perSecond: number
  readonly #clock: Clock
  #tokens: number
  #filledAtMs: number

  /** `perSecond` 0 is without limit. */
  constructor(perSecond: number, clock: Clock) {
    this.#perSecond = perSecond
    this.#clock = clock
    this.#tokens = perSecond
    this.#filledAtMs = clock.monotonicMs()
  }

  /** Takes one, if there is one. */
  take(): boolean {
    if (this.#perSecond === 0) return true
    const nowMs = this.#clock.monotonicMs()
    this.#tokens = Math.min(this.#perSecond, this.#tokens + ((nowMs - this.#filledAtMs) * this.#perSecond) / 1_000)
    this.#filledAtMs = nowMs
    if (this.#tokens < 1) return false
    this.#tokens--
    return true
  }
}
