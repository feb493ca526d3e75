/**
 * What one direction of one session may carry under all its limits at once: it takes from each of them, and waits in the
 * line of the one that has nothing. Knows no connection.
 */
import type { Meter } from '@socksmith/engine'
import type { Limit, Quota } from '@socksmith/policy'
import { type Counting, roomIn } from './counting.ts'
import { BUCKET, type Filling } from './ledger.ts'
import { SLICE_MIN, type Shortage, type Waiting } from './pacer.ts'

/** One limit's share in a flow. */
export interface Metered {
  readonly limit: Limit
  readonly account: number
}

/** One thing to take from: octets of a bucket, or of a period. */
type Source =
  | { readonly kind: 'bucket'; readonly shortage: Shortage }
  | { readonly kind: 'quota'; readonly account: number; readonly quota: Quota; readonly limit: Limit }

export class FlowMeter implements Meter, Waiting {
  onReady: (() => void) | undefined
  isWaiting = false
  readonly #counting: Counting
  readonly #isUp: boolean
  readonly #sources: readonly Source[]
  readonly #datagrams: readonly Shortage[]
  readonly #onUsedUp: (limit: Limit) => void
  /** Taken in this flow's turn, and not yet carried. */
  #granted = 0
  #isClosed = false

  /** `onUsedUp` is told of a limit whose octets are used up. */
  constructor(counting: Counting, isUp: boolean, metered: readonly Metered[], onUsedUp: (limit: Limit) => void) {
    this.#counting = counting
    this.#isUp = isUp
    const bounded = metered.filter(isFlowBounded)
    this.#sources = bounded.flatMap(one => sourcesOf(one, isUp))
    this.#datagrams = bounded.flatMap(one => datagramsOf(one, isUp))
    this.#onUsedUp = onUsedUp
  }

  /** Nothing is bounded in this direction. */
  get isFree(): boolean {
    return this.#sources.length === 0 && this.#datagrams.length === 0
  }

  take(wanted: number): number {
    if (this.#granted > 0) return this.#takeGranted(wanted)
    if (this.isWaiting || this.#isClosed || wanted <= 0) return 0
    if (this.#standsBehindOthers()) return 0
    return this.#takeFrom(this.#sources, wanted, Math.min(wanted, SLICE_MIN), 1)
  }

  giveBack(octets: number): void {
    if (octets > 0) this.#returnTo(this.#sources, octets)
  }

  spend(octets: number): boolean {
    const owed = octets - this.#takeGranted(octets)
    if (this.#isClosed) return false
    let short: Shortage | undefined
    for (const source of owed > 0 ? this.#sources : []) {
      if (source.kind === 'quota') this.#spendQuota(source, owed)
      else {
        const { account, bucket, filling } = source.shortage
        if (!this.#counting.ledger.spend(account, bucket, filling, owed)) short ??= source.shortage
      }
    }
    if (short !== undefined) this.#wait(short)
    return !this.isWaiting && (this.#granted > 0 || !this.#standsBehindOthers())
  }

  /** Whether a datagram of so many octets may pass; it is dropped otherwise. */
  takeDatagram(octets: number): boolean {
    const { ledger } = this.#counting
    for (const [index, { account, bucket, filling }] of this.#datagrams.entries()) {
      if (ledger.take(account, bucket, filling, 1, 1) === 1) continue
      this.#returnDatagram(index)
      return false
    }
    if (this.#takeWhole(octets)) return true
    this.#returnDatagram(this.#datagrams.length)
    return false
  }

  grant(amount: number, from: Shortage): number {
    this.isWaiting = false
    // What it waited for is taken already; the line is of whichever flow came first.
    const others = this.#sources.filter(source => source.kind === 'quota' || !isSame(source.shortage, from))
    const got = this.#takeFrom(others, amount, 1)
    this.#granted += got
    if (got > 0) this.onReady?.()
    return got
  }

  returnUnused(): void {
    const unused = this.#granted
    this.#granted = 0
    if (unused > 0) this.#returnTo(this.#sources, unused)
  }

  close(): void {
    this.#isClosed = true
    this.isWaiting = false
    if (this.isFree) return
    this.#counting.pacer.forget(this)
    this.returnUnused()
  }

  #takeGranted(wanted: number): number {
    const taken = Math.min(wanted, this.#granted)
    this.#granted -= taken
    return taken
  }

  #takeWhole(octets: number): boolean {
    if (this.#granted >= octets) return this.#takeGranted(octets) === octets
    if (this.isWaiting || this.#isClosed || this.#standsBehindOthers()) return false
    // One that is larger than the burst would never pass: it passes when the bucket is full, and the rest is made up.
    const most = Math.min(
      octets,
      ...this.#sources.map(one => (one.kind === 'bucket' ? one.shortage.filling.most : octets)),
    )
    if (this.#takeFrom(this.#sources, most, most) < most) return false
    if (most < octets) this.#returnTo(this.#sources, most - octets)
    return true
  }

  #returnDatagram(count: number): void {
    for (const { account, bucket, filling } of this.#datagrams.slice(0, count)) {
      this.#counting.ledger.spend(account, bucket, filling, -1)
    }
  }

  /** Others wait for one of the buckets: it is fair to wait behind them. */
  #standsBehindOthers(): boolean {
    const { ledger } = this.#counting
    for (const source of this.#sources) {
      if (source.kind === 'quota' || ledger.waiting(source.shortage.account, this.#isUp) === 0) continue
      this.#wait(source.shortage)
      return true
    }
    return false
  }

  /**
   * As much as all of these have, at least `least`; otherwise nothing, and it waits for the one that has not. What is left
   * of a period may be less: `leastOfPeriod`.
   */
  #takeFrom(sources: readonly Source[], wanted: number, least: number, leastOfPeriod: number = least): number {
    let taken = wanted
    for (const [index, source] of sources.entries()) {
      const got = this.#takeOne(source, taken, Math.min(source.kind === 'quota' ? leastOfPeriod : least, taken))
      if (got < taken) this.#returnTo(sources.slice(0, index), taken - got)
      if (got === 0) {
        if (source.kind === 'bucket') this.#wait(source.shortage)
        return 0
      }
      taken = got
    }
    return taken
  }

  #takeOne(source: Source, wanted: number, least: number): number {
    const { ledger } = this.#counting
    if (source.kind === 'bucket') {
      const { account, bucket, filling } = source.shortage
      return ledger.take(account, bucket, filling, wanted, Math.min(least, filling.most))
    }
    const { account, quota, limit } = source
    const endMs = this.#counting.periodEndMs(quota)
    const got = ledger.countOctets(account, this.#isUp, endMs, wanted, octets => roomIn(quota, this.#isUp, octets))
    if (got >= least && got > 0) return got
    if (got > 0) ledger.countOctets(account, this.#isUp, endMs, -got, () => Infinity)
    this.#onUsedUp(limit)
    return 0
  }

  #spendQuota({ account, quota, limit }: Source & { kind: 'quota' }, octets: number): void {
    const { ledger } = this.#counting
    const endMs = this.#counting.periodEndMs(quota)
    ledger.countOctets(account, this.#isUp, endMs, octets, () => Infinity)
    if (roomIn(quota, this.#isUp, ledger.octets(account, endMs)) === 0) this.#onUsedUp(limit)
  }

  /** Negative: takes more, whether it is there or not. */
  #returnTo(sources: readonly Source[], octets: number): void {
    const { ledger } = this.#counting
    for (const source of sources) {
      if (source.kind === 'bucket') {
        const { account, bucket, filling } = source.shortage
        ledger.spend(account, bucket, filling, -octets)
      } else {
        const endMs = this.#counting.periodEndMs(source.quota)
        ledger.countOctets(source.account, this.#isUp, endMs, -octets, () => Infinity)
      }
    }
  }

  #wait(shortage: Shortage): void {
    if (this.isWaiting || this.#isClosed) return
    this.isWaiting = true
    this.#counting.pacer.wait(this, shortage)
  }
}

function isSame(one: Shortage, other: Shortage): boolean {
  return one.account === other.account && one.bucket === other.bucket
}

/** Whether the limit bounds octets or datagrams, and not only sessions. */
export function isFlowBounded({ limit: { amounts } }: Metered): boolean {
  return amounts.bandwidth !== undefined || amounts.octets !== undefined || amounts.datagrams !== undefined
}

function sourcesOf({ limit, account }: Metered, isUp: boolean): readonly Source[] {
  const { bandwidth, octets: quota } = limit.amounts
  const { octetsPerSecond, burstOctets } = (isUp ? bandwidth?.up : bandwidth?.down) ?? {}
  const sources: Source[] = []
  // First, since what is used up must not hold anybody else's turn.
  if (quota !== undefined) sources.push({ kind: 'quota', account, quota, limit })
  if (octetsPerSecond !== undefined && burstOctets !== undefined) {
    const filling: Filling = { perMs: octetsPerSecond / 1_000, most: burstOctets }
    const bucket = isUp ? BUCKET.up : BUCKET.down
    sources.push({ kind: 'bucket', shortage: { account, bucket, isUp, filling } })
  }
  return sources
}

function datagramsOf({ limit, account }: Metered, isUp: boolean): readonly Shortage[] {
  const { datagrams } = limit.amounts
  if (datagrams === undefined) return []
  const filling: Filling = { perMs: datagrams.count / datagrams.perMs, most: datagrams.count }
  return [{ account, bucket: isUp ? BUCKET.datagramsUp : BUCKET.datagramsDown, isUp, filling }]
}
