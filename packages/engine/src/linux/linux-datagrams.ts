/** A datagram socket of this thread's event loop: receives and sends in batches. Late datagrams are dropped, as UDP may. */
import type { Endpoint, Failure } from '@socksmith/protocol'
import { DESCRIPTORS_MAX, DIAL_RESERVE, OUT_OF_DESCRIPTORS } from '../node/descriptors.ts'
import { errnoFailure } from '../node/system-failure.ts'
import { DATAGRAM_ROOM_OCTETS } from '../ports.ts'
import type { DatagramHandler, DatagramOptions, DatagramSocket } from '../ports.ts'
import {
  EAGAIN,
  EPOLLIN,
  IPPROTO_IPV6,
  IPPROTO_UDP,
  IPV6_V6ONLY,
  SO_RCVBUF,
  SO_SNDBUF,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
  SOL_SOCKET,
  UDP_GRO,
} from './abi.ts'
import { type DatagramBatch, type DatagramSender, KnownSender } from './datagram-batch.ts'
import type { EventLoop, Task, Watched } from './event-loop.ts'
import { boundPlace } from './listening-socket.ts'
import { familyOf, SOCKET_ADDRESS_OCTETS, writePlace } from './socket-address.ts'
import { setSocketOptions } from './socket-options.ts'
import { errnoName, type SystemCalls } from './system-calls.ts'

/** Octets of the kernel's buffers that are asked for: a burst of 16 of the largest datagrams. The kernel's limits hold. */
const BUFFER_OCTETS = 1024 * 1024
const ON = Buffer.from([1, 0, 0, 0])
/** Batches for one socket until the others have their turn. */
const BATCHES_A_TURN = 4

/** Opens a socket bound to `local`, or says why not. */
export function openDatagrams(
  loop: EventLoop,
  batch: DatagramBatch,
  local: Endpoint,
  handler: DatagramHandler,
  options: DatagramOptions = {},
): DatagramSocket | Failure {
  const { calls } = loop
  const place = { kind: 'ip', endpoint: local } as const
  const fd = calls.socket(familyOf(place), SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)
  if (fd < 0) return errnoFailure(errnoName(calls.errno()), 'us')
  const fail = (why: Failure): Failure => {
    calls.close(fd)
    return why
  }
  if (fd >= DESCRIPTORS_MAX - DIAL_RESERVE) return fail(OUT_OF_DESCRIPTORS)
  setOptions(calls, fd, local, options.joined)
  const refused = setSocketOptions(calls, fd, familyOf(place), options)
  if (refused !== undefined) return fail(refused)
  const name = Buffer.alloc(SOCKET_ADDRESS_OCTETS)
  if (calls.bind(fd, name, writePlace(place, name)) < 0) return fail(errnoFailure(errnoName(calls.errno()), 'us'))
  const bound = boundPlace(calls, fd, place)
  if ('code' in bound) return fail(bound)
  const socket = new LinuxDatagramSocket(loop, batch, fd, bound.kind === 'ip' ? bound.endpoint : local, handler)
  const unwatched = loop.register(fd, EPOLLIN, socket)
  return unwatched === undefined ? socket : fail(unwatched)
}

function setOptions(calls: SystemCalls, fd: number, local: Endpoint, joined = true): void {
  const value = Buffer.alloc(4)
  value.writeInt32LE(BUFFER_OCTETS, 0)
  calls.setsockopt(fd, SOL_SOCKET, SO_RCVBUF, value, value.length)
  calls.setsockopt(fd, SOL_SOCKET, SO_SNDBUF, value, value.length)
  // A kernel that cannot join datagrams says so, and gives each by itself.
  if (joined) calls.setsockopt(fd, IPPROTO_UDP, UDP_GRO, ON, value.length)
  if (local.address.type === 'ipv6') {
    calls.setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, ON, value.length)
  }
}

class LinuxDatagramSocket implements DatagramSocket, DatagramSender, Watched, Task {
  fd: number
  isQueued = false
  canSegment = true
  readonly local: Endpoint
  readonly #loop: EventLoop
  readonly #batch: DatagramBatch
  readonly #handler: DatagramHandler
  readonly #known = new KnownSender()

  constructor(loop: EventLoop, batch: DatagramBatch, fd: number, local: Endpoint, handler: DatagramHandler) {
    this.fd = fd
    this.local = local
    this.#loop = loop
    this.#batch = batch
    this.#handler = handler
  }

  send(octets: Uint8Array, to: Endpoint): void {
    if (this.fd < 0) return
    this.#batch.queue(this, octets, to)
    this.#loop.atEndOfTurn(this)
  }

  close(): void {
    if (this.fd < 0) return
    this.#batch.flush()
    this.#loop.forget(this.fd, false)
    this.#loop.calls.close(this.fd)
    this.fd = -1
  }

  onSendError(errno: number): void {
    this.#handler.onFailure(errnoFailure(errnoName(errno)))
  }

  /** The turn is over: what was queued leaves. */
  takeTurn(): void {
    this.#batch.flush()
  }

  onEvents(): void {
    for (let batches = 0; batches < BATCHES_A_TURN; batches++) {
      const count = this.#batch.receive(this.fd)
      if (count < 0) return this.#onReceiveError(this.#loop.calls.errno())
      this.#deliver(count)
      // What was queued lies in the memory that the next receive overwrites.
      this.#batch.flush()
      if (this.fd < 0 || !this.#batch.isFull(count)) return
    }
  }

  #deliver(count: number): void {
    for (let i = 0; i < count && this.fd >= 0; i++) {
      const from = this.#batch.sender(i, this.#known)
      if (from !== undefined) this.#deliverMessage(i, from)
    }
  }

  #deliverMessage(i: number, from: Endpoint): void {
    const batch = this.#batch
    const each = batch.lengthEach(i)
    // An empty datagram is one too.
    const count = each === 0 ? 1 : Math.ceil(batch.lengthOf(i) / each)
    for (let at = 0; at < count && this.fd >= 0; at++) {
      this.#handler.onDatagram(batch.datagram(i, at, each), from, DATAGRAM_ROOM_OCTETS)
    }
    // The next message that is parted takes the same memory.
    if (count > 1) batch.flush()
  }

  #onReceiveError(errno: number): void {
    if (errno !== EAGAIN) this.#handler.onFailure(errnoFailure(errnoName(errno)))
  }
}
