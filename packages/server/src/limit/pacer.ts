/**
 * Whose turn it is: flows that wait for the same bucket get what fills it in turn, each as much as the others, and those of
 * other threads their part. One timer for all, which runs only while somebody waits. Knows no octets and no session.
 */
import type { Clock } from '@socksmith/engine'
import type { Bucket, Filling, Ledger } from './ledger.ts'

/** Milliseconds between two turns: a hundredth of a second is felt by nobody, and wakes the thread a hundred times at most. */
const TURN_MS = 10
/** Less than that is not worth a read; also the least burst that can be configured. */
export const SLICE_MIN = 2_048

/** A bucket for which flows wait. */
export interface Shortage {
  readonly account: number
  readonly bucket: Bucket
  readonly isUp: boolean
  readonly filling: Filling
}

/** A flow that waits. */
export interface Waiting {
  /** Gets so much of what it waits for; answers how much of it could be used. It does not wait any more. */
  grant(amount: number, from: Shortage): number
  /** Gives back what it got in the turn before and has not used. */
  returnUnused(): void
}

interface Line {
  readonly shortage: Shortage
  readonly flows: Set<Waiting>
  /** This thread's part of what has filled in, when other threads wait too. */
  part: number
  partAtMs: number
}

export class Pacer {
  readonly #ledger: Ledger
  readonly #clock: Clock
  readonly #lines = new Map<string, Line>()
  readonly #lineOf = new Map<Waiting, Line>()
  #granted: Waiting[] = []
  #isTimed = false

  constructor(ledger: Ledger, clock: Clock) {
    this.#ledger = ledger
    this.#clock = clock
  }

  /** The flow waits at the end of the line. */
  wait(flow: Waiting, shortage: Shortage): void {
    if (this.#lineOf.has(flow)) return
    const key = `${shortage.account} ${shortage.bucket}`
    let line = this.#lines.get(key)
    if (line === undefined) {
      line = { shortage, flows: new Set(), part: 0, partAtMs: this.#clock.monotonicMs() }
      this.#lines.set(key, line)
    }
    line.flows.add(flow)
    this.#lineOf.set(flow, line)
    this.#ledger.wait(shortage.account, shortage.isUp, 1)
    if (!this.#isTimed) this.#nextTurn()
  }

  /** It does not wait any more. */
  forget(flow: Waiting): void {
    const line = this.#lineOf.get(flow)
    if (line === undefined) return
    this.#lineOf.delete(flow)
    line.flows.delete(flow)
    this.#ledger.wait(line.shortage.account, line.shortage.isUp, -1)
    if (line.flows.size === 0) this.#lines.delete(`${line.shortage.account} ${line.shortage.bucket}`)
  }

  #nextTurn(): void {
    this.#isTimed = true
    this.#clock.after(TURN_MS, () => this.#turn())
  }

  #turn(): void {
    this.#isTimed = false
    const before = this.#granted
    this.#granted = []
    for (const flow of before) flow.returnUnused()
    for (const line of this.#lines.values()) this.#serve(line)
    if (!this.#isTimed && (this.#lines.size > 0 || this.#granted.length > 0)) this.#nextTurn()
  }

  #serve(line: Line): void {
    const { account, bucket, filling } = line.shortage
    const most = this.#partOf(line)
    const got = this.#ledger.take(account, bucket, filling, most, 1)
    const least = Math.min(SLICE_MIN, filling.most)
    const slice = Math.max(least, Math.floor(got / line.flows.size))
    let left = got
    // Whoever waits again meanwhile stands at the end, and has his turn the next time.
    const flows = Array.from(line.flows)
    for (const flow of flows) {
      if (left < least) break
      this.forget(flow)
      left -= flow.grant(Math.min(slice, left), line.shortage)
      this.#granted.push(flow)
    }
    if (left > 0) this.#ledger.spend(account, bucket, filling, -left)
    line.part = Math.max(0, line.part - (got - left))
  }

  /** All there is, or the part of this thread's flows among those of all threads. */
  #partOf(line: Line): number {
    const { account, isUp, filling } = line.shortage
    const nowMs = this.#clock.monotonicMs()
    const own = line.flows.size
    const all = Math.max(own, this.#ledger.waiting(account, isUp))
    const filled = (nowMs - line.partAtMs) * filling.perMs
    line.part = Math.min(filling.most, line.part + (filled * own) / all)
    line.partAtMs = nowMs
    return all === own ? Math.floor(filling.most) : Math.floor(line.part)
  }
}
