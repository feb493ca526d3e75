/** A stream of Node, such as a channel of ssh, as a connection of the engine's port. Knows nothing of ssh. */
import type { Duplex } from 'node:stream'
import type { CloseCause, Connection, ConnectionReader, Place } from '@socksmith/engine'

/** The stream must be paused, and is owned from now on. */
export class DuplexConnection implements Connection {
  readonly local: Place
  readonly remote: Place
  readonly #stream: Duplex
  #reader: ConnectionReader | undefined
  #hasEnded = false
  #isClosed = false
  #cause: CloseCause | undefined

  constructor(stream: Duplex, local: Place, remote: Place) {
    this.#stream = stream
    this.local = local
    this.remote = remote
    stream.on('end', () => {
      this.#hasEnded = true
      this.#reader?.onEnd()
    })
    stream.on('error', () => (this.#cause ??= 'error'))
    stream.on('close', () => {
      this.#isClosed = true
      this.#reader?.onClose(this.#cause ?? 'ended')
    })
  }

  get unsentOctets(): number {
    return this.#stream.writableLength
  }

  read(reader: ConnectionReader): void {
    if (this.#reader === undefined) this.#stream.on('data', this.#onData)
    this.#reader = reader
    this.#stream.resume()
    if (this.#hasEnded) queueMicrotask(() => this.#reader === reader && reader.onEnd())
    if (this.#isClosed) queueMicrotask(() => this.#reader === reader && reader.onClose(this.#cause ?? 'ended'))
  }

  pause(): void {
    this.#stream.pause()
  }

  resume(): void {
    this.#stream.resume()
  }

  write(octets: Uint8Array): void {
    if (this.#stream.writable) this.#stream.write(octets)
  }

  onceSent(callback: () => void): void {
    const stream = this.#stream
    if (!stream.writable || stream.writableLength === 0) {
      queueMicrotask(callback)
      return
    }
    let isTold = false
    const once = (): void => {
      if (!isTold) callback()
      isTold = true
    }
    stream.write(new Uint8Array(0), once)
    stream.once('close', once)
  }

  end(): void {
    if (this.#stream.writable) this.#stream.end()
  }

  destroy(): void {
    this.#cause ??= 'destroyed'
    this.#stream.destroy()
  }

  reset(): void {
    this.destroy()
  }

  readonly #onData = (octets: Uint8Array): void => {
    if (!this.#stream.destroyed) this.#reader?.onOctets(octets)
  }
}
