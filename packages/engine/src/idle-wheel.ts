/**
 * One coarse timer for everything that ends when it was idle for long: each thing waits in the slot of its time, and is
 * asked again only when that slot comes up. So activity costs its owner one stamp, and nothing is re-armed.
 */
import type { Clock, Timer } from './ports.ts'

/** How coarse the wheel is. Limits are minutes; a quarter of a second late does not matter and is never early. */
export const WHEEL_TICK_MS = 250

/** Something with an idle limit. */
export interface Idling {
  /** Monotonic milliseconds at which it has been idle for long enough, as things stand; `Infinity` for never. */
  idleAtMs(): number
  /** It has been. It is not watched any more. */
  onIdle(): void
}

/** Watches any number of things with one timer, which runs only while there are any. */
export class IdleWheel {
  readonly #clock: Clock
  readonly #slots = new Map<number, Set<Idling>>()
  readonly #slotOf = new Map<Idling, number>()
  #lastSlot = 0
  #timer: Timer | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Watches `idling`; again when its limit became shorter. */
  watch(idling: Idling): void {
    this.forget(idling)
    const idleAtMs = idling.idleAtMs()
    if (idleAtMs === Infinity) return
    if (this.#timer === undefined) this.#start()
    const slot = Math.max(Math.ceil(idleAtMs / WHEEL_TICK_MS), this.#lastSlot + 1)
    const inSlot = this.#slots.get(slot)
    if (inSlot) inSlot.add(idling)
    else this.#slots.set(slot, new Set([idling]))
    this.#slotOf.set(idling, slot)
  }

  forget(idling: Idling): void {
    const slot = this.#slotOf.get(idling)
    if (slot === undefined) return
    this.#slotOf.delete(idling)
    const inSlot = this.#slots.get(slot)
    inSlot?.delete(idling)
    if (inSlot?.size === 0) this.#slots.delete(slot)
  }

  #start(): void {
    this.#lastSlot = Math.floor(this.#clock.monotonicMs() / WHEEL_TICK_MS)
    this.#timer = this.#clock.after(WHEEL_TICK_MS, () => this.#tick())
  }

  #tick(): void {
    const nowMs = this.#clock.monotonicMs()
    const nowSlot = Math.floor(nowMs / WHEEL_TICK_MS)
    while (this.#lastSlot < nowSlot) {
      this.#lastSlot++
      const due = this.#slots.get(this.#lastSlot)
      // Each of them is taken out on the way, or put into a later slot; a set allows that.
      if (due) for (const idling of due) this.#ask(idling, nowMs)
    }
    this.#timer = this.#slotOf.size === 0 ? undefined : this.#clock.after(WHEEL_TICK_MS, () => this.#tick())
  }

  #ask(idling: Idling, nowMs: number): void {
    if (idling.idleAtMs() > nowMs) return this.watch(idling)
    this.forget(idling)
    idling.onIdle()
  }
}
