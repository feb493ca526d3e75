/**
 * A connection on a socket of `node:net` or `node:tls`. Holds back everything until it has a reader, and tells that
 * reader each thing once. Knows no relay and no listener.
 */
import type { Socket } from 'node:net'
import { NO_ENDPOINT } from '@socksmith/protocol'
import { nextKeepIdleSeconds } from '../keep-alive.ts'
import type { CloseCause, Connection, ConnectionReader, Place } from '../ports.ts'
import { placeOf } from './place.ts'
import { errnoOf } from './system-failure.ts'

const NOWHERE: Place = { kind: 'ip', endpoint: NO_ENDPOINT }

/** A peer is given up after probes over two minutes. Node's own ten in ten seconds end quiet tunnels in every short outage. */
const PROBE_EVERY_MS = 15_000
const PROBES = 8

/** How every stream socket of this engine is made. */
export const STREAM_OPTIONS: { readonly allowHalfOpen: true; readonly noDelay: true } = {
  allowHalfOpen: true,
  noDelay: true,
}

/** Finds out that the other end of a socket that is connected vanished. Before Node 26 the probes are Node's own. */
export function keepAlive(socket: Socket): void {
  socket.setKeepAlive(true, nextKeepIdleSeconds() * 1_000, PROBE_EVERY_MS, PROBES)
}

/** What is known about a socket that the socket does not tell. */
export interface ConnectionTraits {
  /** Absent: the socket is asked, once somebody wants to know. */
  readonly local?: Place
  readonly remote: Place
  readonly certificateName?: string
  /** The TCP socket below a TLS one. */
  readonly carrier?: Socket
}

/** The port's connection; the socket must be paused, and is owned from now on. */
export class NodeConnection implements Connection {
  readonly remote: Place
  readonly certificateName?: string
  #local: Place | undefined
  readonly #socket: Socket
  readonly #carrier: Socket
  #reader: ConnectionReader | undefined
  #hasEnded = false
  #isClosed = false
  #cause: CloseCause | undefined
  #onceSent: (() => void)[] | undefined
  /** What was forwarded and is not sent yet, in order. */
  readonly #forwarded: Uint8Array[] = []

  constructor(socket: Socket, traits: ConnectionTraits) {
    this.#local = traits.local
    this.remote = traits.remote
    if (traits.certificateName !== undefined) this.certificateName = traits.certificateName
    this.#socket = socket
    this.#carrier = traits.carrier ?? socket
    socket.on('error', this.#onError)
    socket.on('end', this.#onEnd)
    socket.on('close', this.#onClose)
  }

  get local(): Place {
    this.#local ??= placeOf(this.#socket.localAddress, this.#socket.localPort)
    // A socket that is closed cannot be asked any more.
    return this.#local ?? NOWHERE
  }

  get unsentOctets(): number {
    return this.#socket.writableLength
  }

  read(reader: ConnectionReader): void {
    if (this.#reader === undefined) this.#socket.on('data', this.#onData)
    this.#reader = reader
    this.#socket.resume()
    // What the last reader was told already is told to this one too; not from inside this call, so that it is ready.
    if (this.#hasEnded) queueMicrotask(() => this.#reader === reader && !this.#socket.destroyed && reader.onEnd())
    if (this.#isClosed) queueMicrotask(() => this.#reader === reader && reader.onClose(this.#cause ?? 'ended'))
  }

  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  write(octets: Uint8Array): void {
    if (this.#socket.writable) this.#socket.write(octets, this.#onSent)
  }

  /**
   * Sends octets that a connection of this engine has read and that nobody else holds. Their memory is given back once they
   * are sent: left to the garbage collector, each read takes another 64 KiB, which costs a stream nearly half of its time.
   */
  forward(octets: Uint8Array): void {
    if (!this.#socket.writable) return
    this.#forwarded.push(octets)
    this.#socket.write(octets, this.#onForwarded)
  }

  onceSent(callback: () => void): void {
    if (this.#socket.destroyed || this.#socket.writableLength === 0) queueMicrotask(callback)
    else (this.#onceSent ??= []).push(callback)
  }

  end(): void {
    if (this.#socket.writable) this.#socket.end()
  }

  destroy(): void {
    this.#cause ??= 'destroyed'
    this.#socket.destroy()
  }

  reset(): void {
    const socket = this.#socket
    if (socket.destroyed) return
    this.#cause ??= 'destroyed'
    // A Unix socket has no RST.
    if (this.remote.kind === 'unix') socket.destroy()
    // libuv refuses a reset while FIN is on its way; it has left after this turn of the loop.
    else if (socket.writableEnded && !socket.writableFinished && socket.writableLength === 0) {
      onceAny(socket, ['finish', 'close'], () => this.#resetNow())
    } else this.#resetNow()
  }

  holdProcess(holds: boolean): void {
    if (holds) this.#socket.ref()
    else this.#socket.unref()
  }

  /** Gives the socket back, paused and without listeners, to be wrapped by TLS. This connection is then spent. */
  release(): Socket {
    const socket = this.#socket
    socket.pause()
    socket.off('data', this.#onData).off('end', this.#onEnd).off('close', this.#onClose)
    this.#reader = undefined
    return socket
  }

  /** As {@link NodeConnection.release}, for somebody who handles errors too. */
  handOver(): Socket {
    const socket = this.release()
    socket.off('error', this.#onError)
    return socket
  }

  #resetNow(): void {
    if (!this.#carrier.destroyed) this.#carrier.resetAndDestroy()
  }

  readonly #onForwarded = (error?: Error | null): void => {
    const octets = this.#forwarded.shift()
    if (octets !== undefined && !error && !this.#socket.destroyed) giveBack(octets)
    this.#onSent()
  }

  /** Called after each write, also after one that failed. */
  readonly #onSent = (): void => {
    const callbacks = this.#onceSent
    if (callbacks === undefined || (this.#socket.writableLength > 0 && !this.#socket.destroyed)) return
    this.#onceSent = undefined
    for (const callback of callbacks) callback()
  }

  readonly #onData = (octets: Uint8Array): void => {
    // The stream hands out what it holds even after it was destroyed.
    if (!this.#socket.destroyed) this.#reader?.onOctets(octets)
  }

  readonly #onEnd = (): void => {
    this.#hasEnded = true
    this.#reader?.onEnd()
  }

  readonly #onError = (error: Error): void => {
    // Linux says EPIPE instead of ECONNRESET when RST comes after FIN.
    const errno = errnoOf(error)
    this.#cause ??= errno === 'ECONNRESET' || errno === 'EPIPE' ? 'reset' : 'error'
  }

  readonly #onClose = (): void => {
    this.#isClosed = true
    this.#cause ??= 'ended'
    this.#onSent()
    this.#reader?.onClose(this.#cause)
  }
}

/**
 * The socket of a connection of the portable engine, paused, for a program that wants a `net.Socket`; `undefined` for
 * every other connection. The connection is then spent, and the socket belongs to the caller, its errors included.
 */
export function socketOf(connection: Connection): Socket | undefined {
  return connection instanceof NodeConnection ? connection.handOver() : undefined
}

/** Frees the memory below these octets, unless there is more in it than they. */
function giveBack({ buffer, byteLength }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) buffer.transfer(0)
}

function onceAny(socket: Socket, events: readonly string[], callback: () => void): void {
  const once = (): void => {
    for (const event of events) socket.off(event, once)
    callback()
  }
  for (const event of events) socket.on(event, once)
}
