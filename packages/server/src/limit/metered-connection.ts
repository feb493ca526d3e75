/** A connection whose octets are bounded both ways, for what reads and writes it as a stream. Knows no limit. */
import type { CloseCause, Connection, ConnectionReader, Place, RelayMeters } from '@socksmith/engine'

/** The same connection, or one that is bounded: `up` is what is written to it. */
export class MeteredConnection implements Connection, ConnectionReader {
  readonly #inner: Connection
  #meters: RelayMeters
  #reader: ConnectionReader | undefined
  #isPaused = false
  readonly #onceSent: (() => void)[] = []

  constructor(inner: Connection, meters: RelayMeters) {
    this.#inner = inner
    this.#meters = meters
    if (meters.down !== undefined) meters.down.onReady = () => this.#isPaused || inner.resume()
    if (meters.up !== undefined) meters.up.onReady = () => this.#tellSent()
  }

  get local(): Place {
    return this.#inner.local
  }

  get remote(): Place {
    return this.#inner.remote
  }

  /** More than nothing while it waits: the writer is to wait too. */
  get unsentOctets(): number {
    return this.#inner.unsentOctets + (this.#isHeldUp ? Number.MAX_SAFE_INTEGER : 0)
  }

  /** From now on nothing is bounded, and nobody waits. */
  free(): void {
    this.#meters = {}
    this.#tellSent()
    if (!this.#isPaused) this.#inner.resume()
  }

  read(reader: ConnectionReader): void {
    this.#reader = reader
    this.#isPaused = false
    this.#inner.read(this)
  }

  pause(): void {
    this.#isPaused = true
    this.#inner.pause()
  }

  resume(): void {
    this.#isPaused = false
    if (this.#meters.down?.isWaiting !== true) this.#inner.resume()
  }

  write(octets: Uint8Array): void {
    const { length } = octets
    this.#inner.write(octets)
    this.#meters.up?.spend(length)
  }

  onceSent(callback: () => void): void {
    if (this.#isHeldUp) this.#onceSent.push(callback)
    else this.#inner.onceSent(callback)
  }

  end(): void {
    this.#inner.end()
  }

  destroy(): void {
    this.#inner.destroy()
  }

  reset(): void {
    this.#inner.reset()
  }

  onOctets(octets: Uint8Array): void {
    const { length } = octets
    this.#reader?.onOctets(octets)
    if (this.#meters.down?.spend(length) === false) this.#inner.pause()
  }

  onEnd(): void {
    this.#reader?.onEnd()
  }

  onClose(cause: CloseCause): void {
    this.#reader?.onClose(cause)
  }

  get #isHeldUp(): boolean {
    return this.#meters.up?.isWaiting === true
  }

  #tellSent(): void {
    for (const callback of this.#onceSent.splice(0)) this.#inner.onceSent(callback)
  }
}
