/**
 * A connection on a descriptor of this thread's event loop. Every call is tried first and waits only when the kernel says
 * so. Reads into one buffer that all connections share; keeps none of its own while nothing waits. The relay of this
 * engine takes a connection over by `join`, the portable engine by `handOver`.
 */
import { Socket, type SocketConstructorOpts } from 'node:net'
import type { Endpoint } from '@socksmith/protocol'
import { NodeConnection } from '../node/node-connection.ts'
import { NAMELESS_UNIX } from '../node/place.ts'
import type { CloseCause, Connection, ConnectionReader, Place } from '../ports.ts'
import {
  EAGAIN,
  ECONNRESET,
  EPIPE,
  EPOLLERR,
  EPOLLET,
  EPOLLHUP,
  EPOLLIN,
  EPOLLOUT,
  EPOLLRDHUP,
  MSG_NOSIGNAL,
  SHUT_WR,
  SO_ERROR,
  SO_LINGER,
  SOL_SOCKET,
} from './abi.ts'
import type { EventLoop, Task, Watched } from './event-loop.ts'
import { readEndpoint, SOCKET_ADDRESS_OCTETS } from './socket-address.ts'

/** One read takes at most this; a tunnel with more to say is bulk, and goes through a pipe. */
export const READ_OCTETS: number = 64 * 1024

/** Reads for one connection until the others have their turn. */
const READS_A_TURN = 8

/** Everything that a stream socket can tell, told once at each change. */
export const STREAM_EVENTS: number = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET

/**
 * Where every connection of this thread is read into: what is in it is good until the next read. Not a Buffer, whose
 * `slice` would not copy.
 */
export const READ_BUFFER: Uint8Array = new Uint8Array(READ_OCTETS)

const INTEGER = Buffer.alloc(4)
const INTEGER_LENGTH = Buffer.from([4, 0, 0, 0])
// struct linger { int l_onoff = 1; int l_linger = 0 }: close by RST.
const LINGER_NONE = Buffer.from([1, 0, 0, 0, 0, 0, 0, 0])
const NAME = Buffer.alloc(SOCKET_ADDRESS_OCTETS)
const NAME_LENGTH = Buffer.alloc(4)

/** Who carries for a connection, from the moment that it was joined with another one. */
export interface Carrier {
  /** The socket may be readable, writable or both. */
  onReady(connection: LinuxConnection): void
  /** The connection is gone, by somebody else's hand or by an error. */
  onGone(connection: LinuxConnection, cause: CloseCause): void
  /** Octets taken from the other side and not yet given to this one's kernel. */
  heldFor(connection: LinuxConnection): number
}

type Closed = { readonly cause: CloseCause }

export class LinuxConnection implements Connection, Watched, Task {
  /** -1 once it is closed or handed over. */
  fd: number
  isQueued = false
  /** As far as is known: a read or a write would not say EAGAIN. */
  isReadable = false
  isWritable = true
  /** The other end will send no more, once what has come is read. */
  isEndComing = false
  hasReadEnd = false
  hasSentEnd = false
  readonly #loop: EventLoop
  readonly #local: Place | undefined
  readonly #remote: Place
  #carrier: Carrier | undefined
  #reader: ConnectionReader | undefined
  #isPaused = false
  #isEndWanted = false
  #unsent: Uint8Array[] | undefined
  #unsentOctets = 0
  #onceSent: (() => void)[] | undefined
  #closed: Closed | undefined
  #successor: NodeConnection | undefined

  /** Takes the descriptor over. `local` may be left out, and is then asked for when somebody wants to know. */
  constructor(loop: EventLoop, fd: number, remote: Place, local?: Place) {
    this.#loop = loop
    this.fd = fd
    this.#remote = remote
    this.#local = local
  }

  get remote(): Place {
    return this.#remote
  }

  // Asked for once or never, and not kept: an address takes as much memory as the rest of an idle connection.
  get local(): Place {
    return this.#local ?? this.#askLocal()
  }

  get unsentOctets(): number {
    if (this.#successor) return this.#successor.unsentOctets
    return this.#unsentOctets + (this.#carrier?.heldFor(this) ?? 0)
  }

  read(reader: ConnectionReader): void {
    if (this.#successor) return this.#successor.read(reader)
    this.#reader = reader
    this.#isPaused = false
    const closed = this.#closed
    if (closed) queueMicrotask(() => this.#reader === reader && reader.onClose(closed.cause))
    else if (this.hasReadEnd) queueMicrotask(() => this.#reader === reader && this.fd >= 0 && reader.onEnd())
    else if (this.isReadable) this.#loop.soon(this)
  }

  pause(): void {
    if (this.#successor) return this.#successor.pause()
    this.#isPaused = true
  }

  resume(): void {
    if (this.#successor) return this.#successor.resume()
    this.#isPaused = false
    if (this.isReadable && this.fd >= 0) this.#loop.soon(this)
  }

  write(octets: Uint8Array): void {
    if (this.#successor) return this.#successor.write(octets)
    if (this.fd < 0 || this.#isEndWanted || octets.length === 0) return
    if (this.#unsent === undefined && this.isWritable) {
      const sent = this.send(octets, octets.length)
      if (sent === octets.length || this.fd < 0) return
      octets = octets.subarray(sent)
    }
    this.queue(octets)
  }

  onceSent(callback: () => void): void {
    if (this.#successor) return this.#successor.onceSent(callback)
    if (this.fd < 0 || this.unsentOctets === 0) queueMicrotask(callback)
    else (this.#onceSent ??= []).push(callback)
  }

  end(): void {
    if (this.#successor) return this.#successor.end()
    if (this.fd < 0 || this.#isEndWanted) return
    this.#isEndWanted = true
    if (this.#unsent === undefined) this.sendEnd()
  }

  destroy(): void {
    if (this.#successor) return this.#successor.destroy()
    this.close('destroyed')
  }

  reset(): void {
    if (this.#successor) return this.#successor.reset()
    this.closeByReset('destroyed')
  }

  /** It has not been handed over, nor closed and handed over then. */
  get isOurs(): boolean {
    return this.#successor === undefined
  }

  /** Hands the reading and writing of octets to a relay of this engine; octets written before go first. */
  join(carrier: Carrier): void {
    this.#carrier = carrier
    this.#reader = undefined
  }

  /**
   * Gives the descriptor to the portable engine, for what this one cannot carry. This object stays valid and passes
   * every call on; its reader is told nothing more. A connection that is closed is closed there too.
   */
  handOver(): NodeConnection {
    const { fd, local, remote } = this
    if (fd < 0) return new NodeConnection(new Socket().destroy(), { local, remote })
    this.#loop.forget(fd, true)
    this.#loop.calls.disown(fd)
    this.fd = -1
    const socket = new Socket({ fd, allowHalfOpen: true, pauseOnCreate: true } as SocketConstructorOpts)
    const successor = new NodeConnection(socket, { local, remote })
    this.#successor = successor
    for (const octets of this.#unsent ?? []) successor.write(octets)
    this.#unsent = undefined
    for (const callback of this.#onceSent ?? []) successor.onceSent(callback)
    if (this.#isEndWanted) successor.end()
    return successor
  }

  /** True once there is nothing left to hand over. */
  get isClosed(): boolean {
    return this.#closed !== undefined
  }

  /** Sends what the kernel takes of the first `length` octets; 0 when it takes nothing now, or the connection died of it. */
  send(octets: Uint8Array, length: number): number {
    const { calls } = this.#loop
    const sent = calls.send(this.fd, octets, length, MSG_NOSIGNAL)
    if (sent >= 0) {
      if (sent < length) this.isWritable = false
      return sent
    }
    this.onWriteError(calls.errno())
    return 0
  }

  /** Keeps octets that the kernel did not take. They must not change any more. */
  queue(octets: Uint8Array): void {
    this.#unsentOctets += octets.length
    if (this.#unsent === undefined) this.#unsent = [octets]
    else this.#unsent.push(octets)
  }

  /** Sends what is kept; false when some is left, or the connection is gone. */
  flush(): boolean {
    const unsent = this.#unsent
    if (unsent === undefined) return true
    let done = 0
    while (done < unsent.length && this.isWritable) {
      const octets = unsent[done] as Uint8Array
      const sent = this.send(octets, octets.length)
      if (this.fd < 0) return false
      this.#unsentOctets -= sent
      if (sent === octets.length) done++
      else unsent[done] = octets.subarray(sent)
    }
    if (done < unsent.length) {
      unsent.splice(0, done)
      return false
    }
    this.#unsent = undefined
    if (this.#isEndWanted) this.sendEnd()
    this.tellSent()
    return this.fd >= 0
  }

  /** Calls back whoever waits, when nothing is unsent any more. */
  tellSent(): void {
    const callbacks = this.#onceSent
    if (callbacks === undefined || this.unsentOctets > 0) return
    this.#onceSent = undefined
    for (const callback of callbacks) queueMicrotask(callback)
  }

  /** Sends FIN now, and closes when the other end has sent its own. */
  sendEnd(): void {
    this.hasSentEnd = true
    if (this.hasReadEnd) this.close('ended')
    else this.#loop.calls.shutdown(this.fd, SHUT_WR)
  }

  /** A write failed: waits, or closes. */
  onWriteError(errno: number): void {
    if (errno === EAGAIN) this.isWritable = false
    else this.close(causeOf(errno))
  }

  /** A read failed: waits, or closes. */
  onReadError(errno: number): void {
    this.isReadable = false
    if (errno !== EAGAIN) this.close(causeOf(errno))
  }

  closeByReset(cause: CloseCause): void {
    if (this.fd >= 0) this.#loop.calls.setsockopt(this.fd, SOL_SOCKET, SO_LINGER, LINGER_NONE, LINGER_NONE.length)
    this.close(cause)
  }

  /** Closes the descriptor and tells whoever has the connection. */
  close(cause: CloseCause): void {
    const { fd } = this
    if (fd < 0) return
    this.fd = -1
    this.#loop.forget(fd, false)
    this.#loop.calls.close(fd)
    const closed = { cause }
    this.#closed = closed
    this.#unsent = undefined
    this.#unsentOctets = 0
    for (const callback of this.#onceSent ?? []) queueMicrotask(callback)
    this.#onceSent = undefined
    if (this.#carrier) this.#carrier.onGone(this, cause)
    else queueMicrotask(() => this.#reader?.onClose(cause))
  }

  onEvents(events: number): void {
    if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) !== 0) this.isReadable = true
    if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) !== 0) this.isEndComing = true
    if ((events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) !== 0) this.isWritable = true
    if (this.#carrier) this.#carrier.onReady(this)
    else {
      if (this.#unsent !== undefined && this.isWritable) this.flush()
      if (this.isReadable) this.takeTurn()
    }
    // RST is heard at once, also by a connection that nobody reads just now.
    if ((events & EPOLLERR) !== 0 && this.fd >= 0) this.#closeOnError()
  }

  /** Reads for the reader, as long as there is one and it does not pause. */
  takeTurn(): void {
    for (let reads = 0; reads < READS_A_TURN; reads++) {
      if (!this.isReadable || this.hasReadEnd || this.#isPaused || this.fd < 0 || this.#reader === undefined) return
      this.#readOnce(this.#reader)
    }
    if (this.isReadable) this.#loop.soon(this)
  }

  #readOnce(reader: ConnectionReader): void {
    const { calls } = this.#loop
    const count = calls.recv(this.fd, READ_BUFFER, READ_OCTETS, 0)
    if (count < 0) this.onReadError(calls.errno())
    else if (count === 0) {
      this.isReadable = false
      this.hasReadEnd = true
      reader.onEnd()
      if (this.hasSentEnd) this.close('ended')
    } else {
      // Less than was asked for: nothing is left, and the next octet is a new event. Not so when an end is on its way.
      if (count < READ_OCTETS && !this.isEndComing) this.isReadable = false
      reader.onOctets(READ_BUFFER.subarray(0, count))
    }
  }

  #closeOnError(): void {
    const errno = this.#askError()
    // Somebody who comes later to read shall be told, and one who reads now has been.
    if (errno !== 0) this.close(causeOf(errno))
  }

  #askError(): number {
    const asked = this.#loop.calls.getsockopt(this.fd, SOL_SOCKET, SO_ERROR, INTEGER, INTEGER_LENGTH)
    return asked < 0 ? ECONNRESET : INTEGER.readInt32LE(0)
  }

  #askLocal(): Place {
    if (this.#remote.kind === 'unix') return NAMELESS_UNIX
    NAME_LENGTH.writeUInt32LE(NAME.length, 0)
    const asked = this.fd < 0 ? -1 : this.#loop.calls.getsockname(this.fd, NAME, NAME_LENGTH)
    const endpoint: Endpoint | undefined = asked < 0 ? undefined : readEndpoint(NAME, 0)
    return endpoint ? { kind: 'ip', endpoint } : NAMELESS_UNIX
  }
}

/** How a connection ended by this error. Linux says EPIPE instead of ECONNRESET when RST comes after FIN. */
function causeOf(errno: number): CloseCause {
  return errno === ECONNRESET || errno === EPIPE ? 'reset' : 'error'
}
