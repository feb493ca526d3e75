/**
 * Time that passes only when nothing is left to do now. Events happen in the order of their time, and of several at the
 * same time in the order in which they were set. Knows nothing of what happens.
 */
import type { Clock, Timer } from '@socksmith/engine'

/** 2030-01-01: a wall clock that no machine of today shows, so that a real one is noticed. */
const START_MS = 1_893_456_000_000

class Event implements Timer {
  readonly atMs: number
  readonly order: number
  /** Absent once it has happened or was given up. */
  callback: (() => void) | undefined
  readonly onCancel: (() => void) | undefined

  constructor(atMs: number, order: number, callback: () => void, onCancel?: () => void) {
    this.atMs = atMs
    this.order = order
    this.callback = callback
    this.onCancel = onCancel
  }

  cancel(): void {
    if (this.callback === undefined) return
    this.callback = undefined
    this.onCancel?.()
  }
}

export class VirtualTime implements Clock {
  /** Timers that the server set, and that have neither fired nor been given up. */
  serverTimers = 0
  readonly #heap: Event[] = []
  #nowMs = 0
  #skewMs = 0
  #order = 0

  monotonicMs(): number {
    return this.#nowMs
  }

  wallMs(): number {
    return START_MS + this.#nowMs + this.#skewMs
  }

  /** Sets the wall clock forward or back. */
  jump(byMs: number): void {
    this.#skewMs += byMs
  }

  /** The port's timer, for the server alone. */
  after(ms: number, callback: () => void): Timer {
    this.serverTimers++
    const fire = (): void => {
      this.serverTimers--
      callback()
    }
    return this.#add(this.#nowMs + Math.max(0, ms), fire, () => this.serverTimers--)
  }

  /** Something of the world will happen. */
  later(ms: number, callback: () => void): Timer {
    return this.#add(this.#nowMs + ms, callback)
  }

  /** The same, at a moment: a sum of rounded numbers could put one event in front of another. */
  at(ms: number, callback: () => void): void {
    this.#add(ms, callback)
  }

  /** Lets the next thing happen; false when nothing is to come. */
  step(): boolean {
    for (let event = this.#pop(); event !== undefined; event = this.#pop()) {
      const { callback } = event
      if (callback === undefined) continue
      this.#nowMs = event.atMs
      event.callback = undefined
      callback()
      return true
    }
    return false
  }

  #add(atMs: number, callback: () => void, onCancel?: () => void): Event {
    const event = new Event(atMs, this.#order++, callback, onCancel)
    const heap = this.#heap
    let at = heap.length
    while (at > 0) {
      const parent = (at - 1) >> 1
      const above = heap[parent] as Event
      if (isBefore(above, event)) break
      heap[at] = above
      at = parent
    }
    heap[at] = event
    return event
  }

  #pop(): Event | undefined {
    const heap = this.#heap
    const [first] = heap
    const last = heap.pop()
    if (first === undefined || last === undefined || first === last) return first
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && isBefore(heap[child + 1] as Event, heap[child] as Event)) child++
      if (isBefore(last, heap[child] as Event)) break
      heap[at] = heap[child] as Event
      at = child
    }
    heap[at] = last
    return first
  }
}

function isBefore(a: Event, b: Event): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order)
}
