/** A connection of any engine as a stream of Node, for parsers that want one (HTTP, TLS, ssh). Knows none of them. */
import { Duplex } from 'node:stream'
import { NO_OCTETS } from '@socksmith/protocol'
import type { CloseCause, Connection, ConnectionReader } from './ports.ts'

/** Octets that may wait in the engine before the writer is told to wait. */
const UNSENT_OCTETS_MAX = 65_536

/** Reads at once, as far as the stream's own buffer goes; destroying it closes the connection. */
export class ConnectionDuplex extends Duplex implements ConnectionReader {
  readonly connection: Connection
  /** Octets read from the connection, and written to it. */
  octetsIn = 0
  octetsOut = 0
  #isGone = false
  #isReleased = false

  constructor(connection: Connection, early: Uint8Array) {
    super({ allowHalfOpen: true })
    this.connection = connection
    if (early.length > 0) this.push(Buffer.from(early))
    connection.read(this)
    connection.resume()
  }

  /** True once the connection was given back. */
  get isReleased(): boolean {
    return this.#isReleased
  }

  /** Gives the connection back, with the octets that nobody has taken yet. The stream is then spent. */
  release(): Uint8Array {
    this.connection.pause()
    this.#isReleased = true
    const waiting = this.read() as Buffer | null
    this.destroy()
    return waiting ?? NO_OCTETS
  }

  onOctets(octets: Uint8Array): void {
    this.octetsIn += octets.length
    if (!this.push(Buffer.from(octets))) this.connection.pause()
  }

  onEnd(): void {
    this.push(null)
  }

  onClose(cause: CloseCause): void {
    this.#isGone = true
    if (cause === 'ended') this.push(null)
    else this.destroy()
  }

  override _read(): void {
    if (!this.#isReleased) this.connection.resume()
  }

  override _write(chunk: Uint8Array, _encoding: string, done: () => void): void {
    this.octetsOut += chunk.length
    this.connection.write(Uint8Array.from(chunk))
    if (this.connection.unsentOctets > UNSENT_OCTETS_MAX) this.connection.onceSent(() => done())
    else done()
  }

  override _final(done: () => void): void {
    this.connection.end()
    done()
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    if (!this.#isGone && !this.#isReleased) {
      // What was written just now, an error page perhaps, still has to leave.
      this.connection.end()
      this.connection.onceSent(() => this.connection.destroy())
    }
    this.#isGone = true
    done(error)
  }
}
