/**
 * One direction of a TCP stream as a kernel carries it: a bounded buffer that takes what fits, segments that arrive late
 * and in order, FIN behind the last octet, and RST that may overtake. Knows no reader and no connection.
 */
import type { Physics } from './physics.ts'

/** How often a kernel with room takes nothing for a while: the writer must come again. */
const REFUSAL_CHANCE = 0.1

export interface PipeTraits {
  /** Octets that both kernels together hold. */
  readonly capacityOctets: number
  readonly latencyMs: number
}

/** Who sits at the two ends. */
export interface PipeEnds {
  /** The kernel took some of what was written. */
  onTaken(): void
  /** Everything written is with the kernel. */
  onDrained(): void
  /** So is FIN. */
  onEndSent(): void
  /** There is something to read, perhaps the end only. */
  onArrival(): void
  onReset(): void
  /** Octets came to an end that was closed: its kernel answers with RST. */
  onUnwanted(): void
}

export class Pipe {
  unsentOctets = 0
  arrivedOctets = 0
  hasArrivedEnd = false
  isEndSent = false
  readonly #physics: Physics
  readonly #traits: PipeTraits
  readonly #ends: PipeEnds
  #unsent: Uint8Array[] = []
  #arrived: Uint8Array[] = []
  #heldOctets = 0
  #lastArrivalMs = 0
  #isEndWanted = false
  #isPumpComing = false
  #isReaderGone = false
  #isReset = false
  #isFlightLost = false

  constructor(physics: Physics, traits: PipeTraits, ends: PipeEnds) {
    this.#physics = physics
    this.#traits = traits
    this.#ends = ends
  }

  write(octets: Uint8Array): void {
    this.#unsent.push(octets)
    this.unsentOctets += octets.length
    this.#pump()
  }

  end(): void {
    this.#isEndWanted = true
    this.#pump()
  }

  /** The writer closed: what its kernel has not taken is lost, the rest goes on and FIN follows. */
  close(): void {
    this.#unsent = []
    this.unsentOctets = 0
    this.end()
  }

  /** RST: the rest is lost, and perhaps what is on its way. */
  reset(): void {
    if (this.#isReset) return
    this.#isReset = true
    this.#unsent = []
    this.unsentOctets = 0
    this.#isFlightLost = this.#physics.random.chance(0.5)
    this.#arriveLater(() => this.#ends.onReset())
  }

  /** Nobody reads any more. */
  abandon(): void {
    this.#isReaderGone = true
    this.#arrived = []
    this.arrivedOctets = 0
  }

  /** Up to `most` octets that have arrived, as an array that nobody else has. */
  take(most: number): Uint8Array {
    const taken = new Uint8Array(Math.min(most, this.arrivedOctets))
    let at = 0
    while (at < taken.length) {
      const first = this.#arrived[0] as Uint8Array
      const part = first.subarray(0, taken.length - at)
      taken.set(part, at)
      at += part.length
      if (part.length === first.length) this.#arrived.shift()
      else this.#arrived[0] = first.subarray(part.length)
    }
    this.arrivedOctets -= taken.length
    this.#heldOctets -= taken.length
    // The window that opens is heard of one way later.
    if (this.unsentOctets > 0) this.#pumpLater(this.#traits.latencyMs)
    return taken
  }

  #pump(): void {
    const { random } = this.#physics
    while (this.unsentOctets > 0) {
      const room = this.#traits.capacityOctets - this.#heldOctets
      if (room <= 0) return
      if (random.chance(REFUSAL_CHANCE)) return this.#pumpLater(random.next() * 5)
      const first = this.#unsent[0] as Uint8Array
      const most = Math.min(room, first.length)
      const segment = first.subarray(0, random.chance(0.2) ? random.between(1, most) : most)
      if (segment.length === first.length) this.#unsent.shift()
      else this.#unsent[0] = first.subarray(segment.length)
      this.unsentOctets -= segment.length
      this.#heldOctets += segment.length
      this.#ends.onTaken()
      this.#arriveLater(() => this.#arrive(segment))
    }
    if (this.#isReset) return
    this.#ends.onDrained()
    if (!this.#isEndWanted || this.isEndSent) return
    this.isEndSent = true
    this.#arriveLater(() => this.#arriveEnd())
    this.#ends.onEndSent()
  }

  #pumpLater(ms: number): void {
    if (this.#isPumpComing) return
    this.#isPumpComing = true
    this.#physics.time.later(ms, () => {
      this.#isPumpComing = false
      this.#pump()
    })
  }

  #arrive(segment: Uint8Array): void {
    if (this.#isFlightLost) return
    if (this.#isReaderGone) {
      this.#heldOctets -= segment.length
      this.#ends.onUnwanted()
      return
    }
    this.#arrived.push(segment)
    this.arrivedOctets += segment.length
    this.#ends.onArrival()
  }

  #arriveEnd(): void {
    if (this.#isFlightLost || this.#isReaderGone) return
    this.hasArrivedEnd = true
    this.#ends.onArrival()
  }

  // In order: nothing arrives before what was sent before.
  #arriveLater(callback: () => void): void {
    const { time, random } = this.#physics
    const { latencyMs } = this.#traits
    const jitterMs = random.chance(0.2) ? random.next() * latencyMs : 0
    this.#lastArrivalMs = Math.max(this.#lastArrivalMs, time.monotonicMs() + latencyMs + jitterMs)
    time.at(this.#lastArrivalMs, callback)
  }
}
