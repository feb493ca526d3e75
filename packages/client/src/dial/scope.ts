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
  readonly #wholeMs: number
  /**
   * By the clock; `Infinity` is never. Both limits share one timer, which asks when it fires: most phases are short. There is none
   * until something is waited for, by when most often the shorter limit is known.
   */
  #wholeUntilMs: number
  #phaseUntilMs = Infinity
  #phaseLimitMs = Infinity
  #timer: Timer | undefined
  #timerAtMs = Infinity
  #phase: Phase = 'route'
  #spot: Spot | undefined
  #phaseStartedMs: number
  #times: PhaseTime[] = []
  #ended: RouteFailure | undefined
  #stop: ((why: RouteFailure) => void) | undefined
  readonly #onEnter: ((phase: Phase, spot: Spot | undefined) => void) | undefined

  constructor(
    clock: Clock,
    wholeMs: number,
    limits: PhaseTimeouts,
    onEnter?: (phase: Phase, spot: Spot | undefined) => void,
  ) {
    this.#onEnter = onEnter
    this.clock = clock
    this.#limits = limits
    this.#phaseStartedMs = clock.monotonicMs()
    this.#wholeMs = wholeMs
    this.#wholeUntilMs = this.#phaseStartedMs + wholeMs
  }

  /** Why the whole attempt is over; `undefined` while it may go on. */
  get ended(): RouteFailure | undefined {
    return this.#ended
  }

  get phase(): Phase {
    return this.#phase
  }

  /** The proxy that the phase is about. */
  get spot(): Spot | undefined {
    return this.#spot
  }

  /** Gives everything up. */
  cancel(): void {
    this.#end(aborted(this.#phase, this.#spot))
  }

  /** Begins a phase, with its own limit, at the proxy `spot` or at the target. */
  enter(phase: Phase, spot?: Spot): void {
    const nowMs = this.clock.monotonicMs()
    this.#times.push({ phase: this.#phase, ms: nowMs - this.#phaseStartedMs })
    this.#phaseStartedMs = nowMs
    this.#phase = phase
    this.#spot = spot
    this.#phaseLimitMs = limitOf(phase, this.#limits)
    this.#phaseUntilMs = nowMs + this.#phaseLimitMs
    if (this.#stop !== undefined) this.#arm(nowMs)
    this.#onEnter?.(phase, spot)
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
    this.#arm(this.clock.monotonicMs())
    void step.result.then(result => {
      this.#release(stop)
      resolve(result)
    })
    return promise
  }

  /** Nothing is waited for any more. */
  finish(): void {
    this.#phaseUntilMs = Infinity
    this.#wholeUntilMs = Infinity
    this.#timer?.cancel()
    this.#timer = undefined
  }

  #release(stop: (why: RouteFailure) => void): void {
    if (this.#stop !== stop) return
    this.#stop = undefined
    this.#phaseUntilMs = Infinity
  }

  #arm(nowMs: number): void {
    const atMs = Math.min(this.#wholeUntilMs, this.#phaseUntilMs)
    if (atMs === Infinity || (this.#timer !== undefined && this.#timerAtMs <= atMs)) return
    this.#timer?.cancel()
    this.#timerAtMs = atMs
    this.#timer = this.clock.after(Math.ceil(atMs - nowMs), this.#onTimer)
  }

  readonly #onTimer = (): void => {
    this.#timer = undefined
    const nowMs = this.clock.monotonicMs()
    if (nowMs >= this.#wholeUntilMs) return this.#end(timedOut(this.#phase, this.#wholeMs, this.#spot))
    if (nowMs >= this.#phaseUntilMs) {
      this.#phaseUntilMs = Infinity
      this.#stop?.(timedOut(this.#phase, this.#phaseLimitMs, this.#spot))
    }
    this.#arm(nowMs)
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
