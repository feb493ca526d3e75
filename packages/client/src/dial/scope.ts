/**
 * One attempt that can be given up and that has limits: for the whole, and for the phase it is in. Whatever runs when
 * it ends is cancelled in the same turn. Knows no network.
 */
import type { Clock, Timer } from '@socksmith/engine'
import type { Phase, RouteFailure } from '../socks-error.ts'
import { type PhaseTimeouts, limitOf } from './limits.ts'
import { type Spot, aborted, timedOut } from './route-failure.ts'

/** Something that runs and can be given up; it then leaves nothing open behind it. */
export interface Step<T> {
  readonly result: Promise<T>
  cancel(): void
}

/** A moment of the attempt, for traces. */
export interface PhaseTime {
  readonly phase: Phase
  readonly ms: number
}

export class Scope {
  readonly clock: Clock
  readonly #limits: PhaseTimeouts
  readonly #whole: Timer | undefined
  #phaseTimer: Timer | undefined
  #phase: Phase = 'route'
  #spot: Spot | undefined
  #phaseStartedMs: number
  #times: PhaseTime[] = []
  #ended: RouteFailure | undefined
  #stop: ((why: RouteFailure) => void) | undefined

  constructor(clock: Clock, wholeMs: number, limits: PhaseTimeouts) {
    this.clock = clock
    this.#limits = limits
    this.#phaseStartedMs = clock.monotonicMs()
    const late = (): void => this.#end(timedOut(this.#phase, wholeMs, this.#spot))
    this.#whole = wholeMs === Infinity ? undefined : clock.after(wholeMs, late)
  }

  /** Why the whole attempt is over; `undefined` while it may go on. */
  get ended(): RouteFailure | undefined {
    return this.#ended
  }

  get phase(): Phase {
    return this.#phase
  }

  /** Gives everything up. */
  cancel(): void {
    this.#end(aborted(this.#phase, this.#spot))
  }

  /** Begins a phase, with its own limit, at the proxy `spot` or at the target. */
  enter(phase: Phase, spot?: Spot): void {
    this.#phaseTimer?.cancel()
    const nowMs = this.clock.monotonicMs()
    this.#times.push({ phase: this.#phase, ms: nowMs - this.#phaseStartedMs })
    this.#phaseStartedMs = nowMs
    this.#phase = phase
    this.#spot = spot
    const limitMs = limitOf(phase, this.#limits)
    this.#phaseTimer =
      limitMs === Infinity ? undefined : this.clock.after(limitMs, () => this.#stop?.(timedOut(phase, limitMs, spot)))
  }

  /** The times of the phases since the last call, the running one included. */
  takeTimes(): readonly PhaseTime[] {
    const nowMs = this.clock.monotonicMs()
    const times = [...this.#times, { phase: this.#phase, ms: nowMs - this.#phaseStartedMs }]
    this.#times = []
    this.#phaseStartedMs = nowMs
    return times
  }

  /** Waits for the step, unless the phase or the whole ends before it: then the step is cancelled. */
  during<T>(step: Step<T>): Promise<T | RouteFailure> {
    const { promise, resolve } = Promise.withResolvers<T | RouteFailure>()
    if (this.#ended !== undefined) {
      step.cancel()
      return Promise.resolve(this.#ended)
    }
    const stop = (why: RouteFailure): void => {
      this.#release(stop)
      resolve(why)
      step.cancel()
    }
    this.#stop = stop
    void step.result.then(result => {
      this.#release(stop)
      resolve(result)
    })
    return promise
  }

  /** Nothing is waited for any more. */
  finish(): void {
    this.#phaseTimer?.cancel()
    this.#whole?.cancel()
  }

  #release(stop: (why: RouteFailure) => void): void {
    if (this.#stop !== stop) return
    this.#stop = undefined
    this.#phaseTimer?.cancel()
  }

  #end(why: RouteFailure): void {
    if (this.#ended !== undefined) return
    this.#ended = why
    this.finish()
    this.#stop?.(why)
  }
}

/** A promise as a step, whose late result is of no interest. */
export function uncancellable<T>(result: Promise<T>): Step<T> {
  return { result, cancel: () => {} }
}
