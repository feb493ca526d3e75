/**
 * A `net.Socket` whose octets go through another stream: a socket that was connected later, a channel of ssh, a stream
 * with message protection. What the system knows about a socket is asked of the stream below, where it is one.
 */
import { Socket, type AddressInfo, type SocketConstructorOpts } from 'node:net'
import type { Duplex } from 'node:stream'

type Done = (error?: Error | null) => void

export class DuplexSocket extends Socket {
  #inner: Duplex | undefined
  #wishes: ((inner: Socket) => void)[] = []

  constructor(options: Pick<SocketConstructorOpts, 'allowHalfOpen'> = {}) {
    super(options)
    this.on('newListener', this.#onNewListener)
  }

  /** The stream below, once there is one. */
  get carrier(): Duplex | undefined {
    return this.#inner
  }

  /** From now on this socket is `inner`, which must not have been read and must allow half-open. */
  adopt(inner: Duplex): this {
    this.#inner = inner
    if (inner instanceof Socket) for (const wish of this.#wishes) wish(inner)
    this.#wishes = []
    inner.on('data', (chunk: Buffer) => {
      this.#active()
      if (!this.push(chunk)) inner.pause()
    })
    inner.on('end', () => this.push(null))
    inner.on('error', (error: Error) => this.destroy(error))
    // After both ends this socket ends by itself, once everything was read; otherwise it is cut off here too.
    inner.on('close', () => inner.readableEnded || this.destroy())
    return this
  }

  override _read(): void {
    this.#inner?.resume()
  }

  override _write(chunk: Uint8Array, encoding: BufferEncoding, done: Done): void {
    this.#send(chunk, encoding, done)
  }

  // Node's own would write to the handle, which this socket does not have.
  override _writev(chunks: { chunk: Uint8Array | string; encoding: BufferEncoding }[], done: Done): void {
    const parts = chunks.map(({ chunk, encoding }) =>
      typeof chunk === 'string' ? Buffer.from(chunk, encoding) : chunk,
    )
    this.#send(Buffer.concat(parts), undefined, done)
  }

  override _final(done: Done): void {
    this.#whenConnected(inner => (inner.destroyed ? done() : inner.end(() => done())))
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#inner?.destroy()
    super._destroy(error, failure => done(failure ?? null))
  }

  override resetAndDestroy(): this {
    if (this.#inner instanceof Socket) this.#inner.resetAndDestroy()
    return this.destroy()
  }

  override setNoDelay(noDelay?: boolean): this {
    return this.#wish(inner => inner.setNoDelay(noDelay))
  }

  override setKeepAlive(...args: readonly unknown[]): this {
    return this.#wish(inner => inner.setKeepAlive(...(args as [boolean?, number?])))
  }

  override ref(): this {
    return this.#wish(inner => inner.ref())
  }

  override unref(): this {
    return this.#wish(inner => inner.unref())
  }

  override address(): AddressInfo | Record<string, never> {
    return this.#inner instanceof Socket ? this.#inner.address() : {}
  }

  #send(chunk: Uint8Array, encoding: BufferEncoding | undefined, done: Done): void {
    this.#whenConnected(inner => {
      this.#active()
      if (encoding === undefined) inner.write(chunk, done)
      else inner.write(chunk, encoding, done)
    })
  }

  #wish(apply: (inner: Socket) => void): this {
    if (this.#inner instanceof Socket) apply(this.#inner)
    else if (this.#inner === undefined) this.#wishes.push(apply)
    return this
  }

  #whenConnected(act: (inner: Duplex) => void): void {
    const inner = this.#inner
    if (inner !== undefined) act(inner)
    else this.once('connect', () => this.#inner !== undefined && act(this.#inner))
  }

  // Node's TLS asks a socket without a handle of the system for 'connect', even if it has been connected for long.
  readonly #onNewListener = (event: string | symbol, listener: () => void): void => {
    if (event !== 'connect' || this.#inner === undefined || this.connecting) return
    process.nextTick(() => {
      this.off(event, listener)
      listener.call(this)
    })
  }

  /** Restarts the timer of `setTimeout`, as Node's own reads and writes do. */
  #active(): void {
    const timed = this as { readonly _unrefTimer?: () => void }
    timed._unrefTimer?.call(this)
  }
}

// Node's types say that these are properties, which a class cannot override by accessors; they are accessors.
const ASKED_BELOW = [
  'remoteAddress',
  'remotePort',
  'remoteFamily',
  'localAddress',
  'localPort',
  'localFamily',
  'bytesRead',
  'bytesWritten',
] as const

for (const name of ASKED_BELOW) {
  Object.defineProperty(DuplexSocket.prototype, name, {
    configurable: true,
    get(this: DuplexSocket): unknown {
      const { carrier } = this
      if (carrier instanceof Socket) return carrier[name]
      return name.startsWith('bytes') ? 0 : undefined
    },
  })
}

Object.defineProperty(DuplexSocket.prototype, 'pending', {
  configurable: true,
  get(this: DuplexSocket): boolean {
    return this.carrier === undefined
  },
})
