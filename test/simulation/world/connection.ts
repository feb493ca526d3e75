/**
 * The port's connection on two simulated pipes, as both real engines behave: nothing is delivered before there is a
 * reader, octets come in random pieces, and what was told to one reader is told to the next. Knows no network.
 */
import type { CloseCause, Connection, ConnectionReader, Place } from '@socksmith/engine'
import { PIECE_OCTETS_MAX } from './pattern.ts'
import { Pipe, type PipeTraits } from './pipe.ts'
import type { Physics } from './physics.ts'

/** What a delivered array is overwritten with, once the reader had its turn. */
const SCRIBBLE = 0xee

export class SimulatedConnection implements Connection {
  readonly local: Place
  readonly remote: Place
  /** Its reader may keep the arrays: only a relay of the same engine may. */
  readerKeepsOctets = false
  /** Called once, when nothing is held for it any more. */
  onReleased: (() => void) | undefined
  /** Octets told to readers, and octets that were written while it could be written to. */
  deliveredOctets = 0
  writtenOctets = 0
  /** When octets went in or out last, or FIN came in. */
  lastTrafficMs: number
  /** When the kernel took octets last, which may be long after they were written. */
  lastTakenMs = 0
  cause: CloseCause | undefined
  /** FIN was asked for, while it could be sent. */
  hasEnded = false
  /** It was closed by RST of its own. */
  hasReset = false
  /** Octets that were written and had not left when it was closed. */
  lostOctets = 0
  readonly #physics: Physics
  /** An engine that does not hear RST while nobody reads. */
  readonly #isDeafInPause: boolean
  #out: Pipe | undefined
  #in: Pipe | undefined
  #reader: ConnectionReader | undefined
  #isPaused = false
  #hasToldEnd = false
  #isResetComing = false
  #isDelivering = false
  #isDrainComing = false
  #onceSent: (() => void)[] = []

  constructor(physics: Physics, local: Place, remote: Place) {
    this.#physics = physics
    this.local = local
    this.remote = remote
    this.lastTrafficMs = physics.time.monotonicMs()
    this.#isDeafInPause = physics.random.chance(0.5)
  }

  /** Joins two of them by a pipe each way. */
  static join(a: SimulatedConnection, b: SimulatedConnection, traits: PipeTraits): void {
    a.#out = b.#in = a.#pipeTo(b, traits)
    b.#out = a.#in = b.#pipeTo(a, traits)
  }

  get unsentOctets(): number {
    return this.#out?.unsentOctets ?? 0
  }

  read(reader: ConnectionReader): void {
    this.#reader = reader
    this.#isPaused = false
    const { cause } = this
    if (cause !== undefined) queueMicrotask(() => this.#reader === reader && reader.onClose(cause))
    else {
      if (this.#hasToldEnd) {
        queueMicrotask(() => this.#reader === reader && this.cause === undefined && reader.onEnd())
      }
      this.#drainLater()
    }
  }

  pause(): void {
    this.#isPaused = true
  }

  resume(): void {
    this.#isPaused = false
    if (this.cause === undefined) this.#drainLater()
  }

  write(octets: Uint8Array): void {
    if (this.cause !== undefined || this.hasEnded || octets.length === 0) return
    this.writtenOctets += octets.length
    this.lastTrafficMs = this.#physics.time.monotonicMs()
    if (this.#isResetComing) return this.#closeLater('reset')
    this.#out?.write(octets)
  }

  onceSent(callback: () => void): void {
    if (this.cause !== undefined || this.unsentOctets === 0) queueMicrotask(callback)
    else this.#onceSent.push(callback)
  }

  end(): void {
    if (this.cause !== undefined || this.hasEnded) return
    this.hasEnded = true
    this.#out?.end()
  }

  destroy(): void {
    if (this.cause !== undefined) return
    // Unread octets make the kernel answer with RST instead of FIN.
    if ((this.#in?.arrivedOctets ?? 0) > 0) return this.reset()
    this.lostOctets = this.unsentOctets
    this.#out?.close()
    this.#close('destroyed')
  }

  reset(): void {
    if (this.cause !== undefined) return
    this.hasReset = true
    this.lostOctets = this.unsentOctets
    this.#out?.reset()
    this.#close('destroyed')
  }

  #pipeTo(other: SimulatedConnection, traits: PipeTraits): Pipe {
    return new Pipe(this.#physics, traits, {
      onTaken: () => (this.lastTakenMs = this.#physics.time.monotonicMs()),
      onDrained: () => this.#tellSent(),
      onEndSent: () => this.#hasToldEnd && queueMicrotask(() => this.#close('ended')),
      onArrival: () => other.#drain(),
      onReset: () => other.#onReset(),
      onUnwanted: () => other.#out?.reset(),
    })
  }

  #onReset(): void {
    if (this.cause !== undefined) return
    if (this.#isDeafInPause && (this.#isPaused || this.#reader === undefined)) this.#isResetComing = true
    else this.#close('reset')
  }

  #drainLater(): void {
    if (this.#isDrainComing) return
    this.#isDrainComing = true
    const { time, random } = this.#physics
    time.later(random.chance(0.8) ? 0 : random.next(), () => {
      this.#isDrainComing = false
      this.#drain()
    })
  }

  #drain(): void {
    if (this.#isDelivering) return
    const { random } = this.#physics
    while (this.#canDeliver() && (this.#in?.arrivedOctets ?? 0) > 0) {
      this.#deliver()
      // Another turn: other connections come first.
      if (random.chance(0.2)) return this.#drainLater()
    }
    if (!this.#canDeliver()) return
    if (this.#isResetComing) return this.#close('reset')
    if (this.#in?.hasArrivedEnd === true && !this.#hasToldEnd) {
      this.#hasToldEnd = true
      this.lastTrafficMs = this.#physics.time.monotonicMs()
      this.#reader?.onEnd()
      if (this.#out?.isEndSent === true) queueMicrotask(() => this.#close('ended'))
    }
  }

  #canDeliver(): boolean {
    return this.#reader !== undefined && !this.#isPaused && this.cause === undefined
  }

  #deliver(): void {
    const { random, time } = this.#physics
    const most = Math.min(this.#in?.arrivedOctets ?? 0, PIECE_OCTETS_MAX)
    const octets = this.#in?.take(random.chance(0.25) ? random.size(most) : most)
    if (octets === undefined) return
    this.deliveredOctets += octets.length
    this.lastTrafficMs = time.monotonicMs()
    this.#isDelivering = true
    this.#reader?.onOctets(octets)
    this.#isDelivering = false
    if (!this.readerKeepsOctets) octets.fill(SCRIBBLE)
  }

  #closeLater(cause: CloseCause): void {
    this.#physics.time.later(0, () => this.#close(cause))
  }

  #close(cause: CloseCause): void {
    if (this.cause !== undefined) return
    this.cause = cause
    if (cause === 'reset') this.#out?.reset()
    this.#in?.abandon()
    for (const callback of this.#onceSent.splice(0)) queueMicrotask(callback)
    queueMicrotask(() => this.#reader?.onClose(cause))
    this.onReleased?.()
  }

  #tellSent(): void {
    for (const callback of this.#onceSent.splice(0)) queueMicrotask(callback)
  }
}
