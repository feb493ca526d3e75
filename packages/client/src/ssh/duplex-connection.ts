/** A stream of Node, such as a channel of ssh, as a connection of the engine's port. Knows nothing of ssh. */
import type { Duplex } from 'node:stream'
import type { CloseCause, Connection, ConnectionReader, Place } from '@socksmith/engine'

/** What carries the stream, and wants to know what becomes of it. */
export interface StreamCarrier {
  readonly local: Place
  readonly remote: Place
  /** Whether the stream keeps the process alive; it does until told. */
  holdProcess(holds: boolean): void
  /** Nobody uses the stream any more. Called once. */
  onClose(): void
}

/** The stream must be paused, and is owned from now on. */
export class DuplexConnection implements Connection {
  readonly local: Place
  readonly remote: Place
  readonly #stream: Duplex
  readonly #carrier: StreamCarrier
  #reader: ConnectionReader | undefined
  #hasEnded = false
  #cause: CloseCause | undefined
  readonly #onceSent: (() => void)[] = []

  constructor(stream: Duplex, carrier: StreamCarrier) {
    this.#stream = stream
    this.#carrier = carrier
    this.local = carrier.local
    this.remote = carrier.remote
    stream.on('end', () => {
      this.#hasEnded = true
      if (this.#cause === undefined) this.#reader?.onEnd()
    })
    stream.on('error', () => this.#close('error'))
    stream.on('close', () => this.#close('ended'))
  }

  get unsentOctets(): number {
    return this.#stream.writableLength
  }

  read(reader: ConnectionReader): void {
    if (this.#reader === undefined) this.#stream.on('data', this.#onData)
    this.#reader = reader
    this.#stream.resume()
    const cause = this.#cause
    if (this.#hasEnded) queueMicrotask(() => this.#reader === reader && reader.onEnd())
    if (cause !== undefined) queueMicrotask(() => this.#reader === reader && reader.onClose(cause))
  }

  pause(): void {
    if (this.#cause === undefined) this.#stream.pause()
  }

  resume(): void {
    this.#stream.resume()
  }

  write(octets: Uint8Array): void {
    if (this.#stream.writable) this.#stream.write(octets, this.#onSent)
  }

  onceSent(callback: () => void): void {
    if (this.#cause !== undefined || this.#stream.writableLength === 0) queueMicrotask(callback)
    else this.#onceSent.push(callback)
  }

  end(): void {
    if (this.#stream.writable) this.#stream.end()
  }

  destroy(): void {
    this.#close('destroyed')
  }

  reset(): void {
    this.#close('destroyed')
  }

  /** What carries the stream broke: what arrived is not all. */
  breakOff(): void {
    this.#close('reset')
  }

  holdProcess(holds: boolean): void {
    if (this.#cause === undefined) this.#carrier.holdProcess(holds)
  }

  #close(cause: CloseCause): void {
    if (this.#cause !== undefined) return
    this.#cause = cause
    this.#onSent()
    this.#carrier.onClose()
    // A channel of ssh2 is not gone before it was read to its end.
    this.#stream.on('error', () => {}).destroy()
    this.#stream.resume()
    // Not from inside a call of the reader.
    queueMicrotask(() => this.#reader?.onClose(cause))
  }

  /** Called after each write, also after one that failed. */
  readonly #onSent = (): void => {
    if (this.#stream.writableLength > 0 && this.#cause === undefined) return
    for (const callback of this.#onceSent.splice(0)) queueMicrotask(callback)
  }

  readonly #onData = (octets: Uint8Array): void => {
    if (this.#cause === undefined) this.#reader?.onOctets(octets)
  }
}
