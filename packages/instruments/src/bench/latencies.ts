/**
 * Times as a histogram of logarithmic buckets: a record costs an addition and no memory, and every percentile is true to
 * one in a hundred. Knows no clock.
 */

/** Times are kept in tenths of a microsecond: below 25 µs a bucket is this wide. */
const UNITS_PER_MS = 10_000
/** Each power of two is parted into so many buckets: a bucket is 1/128 of its value wide at most. */
const PARTS_BITS = 7
const PARTS = 1 << PARTS_BITS
/** The longest time that can be told, about seven minutes; a longer one counts as this. */
const UNITS_MAX = 0xffff_ffff
const BUCKETS = (32 - PARTS_BITS + 1) * PARTS

/** What is told of many times, in milliseconds. */
export interface Percentiles {
  readonly p50: number
  readonly p90: number
  readonly p99: number
  readonly p999: number
  readonly max: number
}

/**
 * Any number of times.
 *
 * @example
 * const latencies = new Latencies()
 * latencies.record(1.5)
 * latencies.percentile(0.99) // milliseconds
 */
export class Latencies {
  readonly #counts = new Float64Array(BUCKETS)
  #count = 0
  #maxMs = 0

  get count(): number {
    return this.#count
  }

  record(ms: number): void {
    const units = Math.min(UNITS_MAX, Math.max(0, Math.round(ms * UNITS_PER_MS)))
    const bucket = bucketOf(units)
    this.#counts[bucket] = (this.#counts[bucket] as number) + 1
    this.#count++
    if (ms > this.#maxMs) this.#maxMs = ms
  }

  /** Takes all times of another one. */
  add(other: Latencies): void {
    for (let i = 0; i < BUCKETS; i++) this.#counts[i] = (this.#counts[i] as number) + (other.#counts[i] as number)
    this.#count += other.#count
    this.#maxMs = Math.max(this.#maxMs, other.#maxMs)
  }

  /** The time in milliseconds that this share (above 0, up to 1) of all did not exceed; 0 without any. */
  percentile(share: number): number {
    const wanted = Math.ceil(share * this.#count)
    let seen = 0
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      seen += this.#counts[bucket] as number
      if (seen >= wanted && seen > 0) return Math.min(this.#maxMs, middleOf(bucket) / UNITS_PER_MS)
    }
    return 0
  }

  percentiles(): Percentiles {
    const [p50, p90, p99, p999] = [0.5, 0.9, 0.99, 0.999].map(share => this.percentile(share))
    return { p50, p90, p99, p999, max: this.#maxMs } as Percentiles
  }
}

// Below 2 * PARTS each value has a bucket; from there on the leading bits behind the first one choose it.
function bucketOf(units: number): number {
  const shift = shiftOf(units)
  return shift * PARTS + (units >>> shift)
}

function shiftOf(units: number): number {
  return Math.max(0, 31 - Math.clz32(units) - PARTS_BITS)
}

function middleOf(bucket: number): number {
  const shift = Math.max(0, Math.floor(bucket / PARTS) - 1)
  const lowest = (bucket - shift * PARTS) * 2 ** shift
  return lowest + (2 ** shift - 1) / 2
}
