/**
 * A connection whose octets pass the transforms of a method with message protection (GSSAPI, SSL), as one more
 * connection. Knows no method.
 */
import type { CloseCause, Connection, ConnectionReader, Place } from '@socksmith/engine'
import type { Protection } from '@socksmith/protocol'

export class ProtectedConnection implements Connection, ConnectionReader {
  readonly local: Place
  readonly remote: Place
  readonly #inner: Connection
  readonly #protection: Protection
  #reader: ConnectionReader | undefined
  #isBroken = false

  constructor(inner: Connection, protection: Protection) {
    this.#inner = inner
    this.#protection = protection
    this.local = inner.local
    this.remote = inner.remote
  }

  get unsentOctets(): number {
    return this.#inner.unsentOctets
  }

  read(reader: ConnectionReader): void {
    this.#reader = reader
    this.#inner.read(this)
  }

  pause(): void {
    this.#inner.pause()
  }

  resume(): void {
    this.#inner.resume()
  }

  write(octets: Uint8Array): void {
    this.#inner.write(this.#protection.protect(octets))
  }

  onceSent(callback: () => void): void {
    this.#inner.onceSent(callback)
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

  holdProcess(holds: boolean): void {
    this.#inner.holdProcess?.(holds)
  }

  onOctets(octets: Uint8Array): void {
    const plain = this.#protection.unprotect(octets)
    if (!(plain instanceof Uint8Array)) {
      // What was changed on the way must not be told from what was cut off: nothing after it is believed.
      this.#isBroken = true
      this.#inner.destroy()
    } else if (plain.length > 0) this.#reader?.onOctets(plain)
  }

  onEnd(): void {
    if (!this.#isBroken) this.#reader?.onEnd()
  }

  onClose(cause: CloseCause): void {
    this.#reader?.onClose(this.#isBroken ? 'error' : cause)
  }
}
