/**
 * The memory through which all datagram sockets of a thread receive and send: `struct mmsghdr` and what it points to, laid
 * out once. What was received is good until the next receive; what is queued from it is sent before that, without a copy.
 */
import { type Endpoint } from '@socksmith/protocol'
import { DATAGRAM_ROOM_OCTETS } from '../ports.ts'
import { EAGAIN, IPPROTO_UDP, MSG_DONTWAIT, UDP_GRO, UDP_SEGMENT } from './abi.ts'
import { IPV6_OCTETS, readEndpoint, writeEndpoint } from './socket-address.ts'
import type { SystemCalls } from './system-calls.ts'

/** Datagrams for one system call. */
const BATCH = 64
/** The largest datagram. */
const DATAGRAM_OCTETS_MAX = 65_536
/** Room in front for a header; and not a power of two, since equal low bits of addresses share few lines of the cache. */
const SLOT_OCTETS = DATAGRAM_OCTETS_MAX + 9 * 64
/** Octets of datagrams that are not from the receive memory, queued for one call. */
const COPY_OCTETS = 256 * 1024

/** The kernel's own bounds for one segmented send: `UDP_MAX_SEGMENTS`, and a UDP payload. */
const SEGMENTS_MAX = BATCH
const SEGMENTED_OCTETS_MAX = 65_507

// struct iovec; struct msghdr and its length, `mmsghdr`; struct cmsghdr with a uint16_t (or, received, an int), padded.
const IOVEC_OCTETS = 16
const MESSAGE_OCTETS = 64
const CONTROL_OCTETS = 24
const CONTROL_LENGTH = 18
const CONTROL_LENGTH_GRO = 20

/** Datagrams that the kernel joins: 64 of the network's, and 128 that one send of this machine held; with some to spare. */
const JOINED_MAX = 256
/** The datagrams of one message, each with its room. */
const SPREAD_OCTETS = DATAGRAM_OCTETS_MAX + JOINED_MAX * DATAGRAM_ROOM_OCTETS

/** Who hears what became of a send. */
export interface DatagramSender {
  readonly fd: number
  /** The kernel takes one send for several datagrams (GSO). */
  canSegment: boolean
  onSendError(errno: number): void
}

/** Memory of the kernel's structures, and where it is. */
class Region {
  // Not a Buffer: its `slice` does not copy, and parts of this are handed out.
  readonly octets: Uint8Array
  readonly words: DataView
  readonly address: bigint

  constructor(calls: SystemCalls, size: number) {
    this.octets = new Uint8Array(size)
    this.words = new DataView(this.octets.buffer)
    this.address = calls.addressOf(this.octets)
  }

  /** Writes the address of `offset` of `other` at `at`. */
  point(at: number, other: Region, offset: number): void {
    this.words.setBigUint64(at, other.address + BigInt(offset), true)
  }
}

export class DatagramBatch {
  readonly #calls: SystemCalls
  readonly #slots: Region
  readonly #names: Region
  readonly #vectors: Region
  readonly #messages: Region
  readonly #inControls: Region
  readonly #spread: Region
  readonly #copies: Region
  readonly #outNames: Region
  readonly #outVectors: Region
  readonly #outMessages: Region
  readonly #controls: Region
  #queued = 0
  #copied = 0
  #sender: DatagramSender | undefined
  readonly #targets: (Endpoint | undefined)[] = []
  readonly #lengths: number[] = []

  constructor(calls: SystemCalls) {
    this.#calls = calls
    this.#slots = new Region(calls, BATCH * SLOT_OCTETS)
    this.#names = new Region(calls, BATCH * IPV6_OCTETS)
    this.#vectors = new Region(calls, BATCH * IOVEC_OCTETS)
    this.#messages = new Region(calls, BATCH * MESSAGE_OCTETS)
    this.#inControls = new Region(calls, BATCH * CONTROL_OCTETS)
    this.#spread = new Region(calls, SPREAD_OCTETS)
    this.#copies = new Region(calls, COPY_OCTETS)
    this.#outNames = new Region(calls, BATCH * IPV6_OCTETS)
    this.#outVectors = new Region(calls, BATCH * IOVEC_OCTETS)
    this.#outMessages = new Region(calls, BATCH * MESSAGE_OCTETS)
    this.#controls = new Region(calls, BATCH * CONTROL_OCTETS)
    for (let i = 0; i < BATCH; i++) this.#layOut(i)
  }

  #layOut(i: number): void {
    this.#vectors.point(i * IOVEC_OCTETS, this.#slots, i * SLOT_OCTETS + DATAGRAM_ROOM_OCTETS)
    this.#vectors.words.setUint32(i * IOVEC_OCTETS + 8, DATAGRAM_OCTETS_MAX, true)
    this.#messages.point(i * MESSAGE_OCTETS, this.#names, i * IPV6_OCTETS)
    this.#messages.point(i * MESSAGE_OCTETS + 16, this.#vectors, i * IOVEC_OCTETS)
    this.#messages.words.setUint32(i * MESSAGE_OCTETS + 24, 1, true)
    this.#messages.point(i * MESSAGE_OCTETS + 32, this.#inControls, i * CONTROL_OCTETS)
    const control = this.#controls.words
    control.setUint32(i * CONTROL_OCTETS, CONTROL_LENGTH, true)
    control.setInt32(i * CONTROL_OCTETS + 8, IPPROTO_UDP, true)
    control.setInt32(i * CONTROL_OCTETS + 12, UDP_SEGMENT, true)
  }

  /** Receives what waits at a socket, up to a batch: how many, or -1 with the reason in `errno`. */
  receive(fd: number): number {
    const { words } = this.#messages
    for (let i = 0; i < BATCH; i++) {
      words.setUint32(i * MESSAGE_OCTETS + 8, IPV6_OCTETS, true)
      words.setUint32(i * MESSAGE_OCTETS + 40, CONTROL_OCTETS, true)
    }
    return this.#calls.recvmmsg(fd, this.#messages.octets, BATCH, MSG_DONTWAIT, null)
  }

  /** True when a receive that answered `count` may have left some. */
  isFull(count: number): boolean {
    return count === BATCH
  }

  /**
   * The length of each datagram in the `i`th message that was received, but for a shorter last one: the kernel joins those of
   * one sender that follow each other (GRO).
   */
  lengthEach(i: number): number {
    const control = i * CONTROL_OCTETS
    const { words } = this.#inControls
    const isJoined =
      this.#messages.words.getUint32(i * MESSAGE_OCTETS + 40, true) >= CONTROL_LENGTH_GRO &&
      words.getInt32(control + 8, true) === IPPROTO_UDP &&
      words.getInt32(control + 12, true) === UDP_GRO
    return isJoined ? words.getInt32(control + 16, true) : this.lengthOf(i)
  }

  /** The length of the `i`th message, in octets. */
  lengthOf(i: number): number {
    return this.#messages.words.getUint32(i * MESSAGE_OCTETS + 56, true)
  }

  /** The datagram of the `i`th message that has `before` others of `each` octets in front, with {@link DATAGRAM_ROOM_OCTETS} free. */
  datagram(i: number, before: number, each: number): Uint8Array {
    const offset = before * each
    const start = i * SLOT_OCTETS + DATAGRAM_ROOM_OCTETS + offset
    const octets = this.#slots.octets.subarray(start, start + Math.min(each, this.lengthOf(i) - offset))
    if (before === 0) return octets
    // In front of it lies the one before, which may be queued: it moves to a place of its own.
    const place = offset + before * DATAGRAM_ROOM_OCTETS
    this.#spread.octets.set(octets, place)
    return this.#spread.octets.subarray(place, place + octets.length)
  }

  /** Who sent the `i`th; `known` again, when it is that one. */
  sender(i: number, known: KnownSender): Endpoint | undefined {
    const at = i * IPV6_OCTETS
    if (known.endpoint !== undefined && known.equals(this.#names.octets, at)) return known.endpoint
    const endpoint = readEndpoint(this.#names.octets, at)
    known.keep(endpoint, this.#names.octets, at)
    return endpoint
  }

  /** Queues one datagram. It is sent by `flush`, or earlier when the queue is full. */
  queue(sender: DatagramSender, octets: Uint8Array, to: Endpoint): void {
    if (this.#sender !== sender || this.#queued === BATCH) this.flush()
    const i = this.#queued
    const region = this.#regionOf(octets)
    if (region !== undefined) this.#outVectors.point(i * IOVEC_OCTETS, region, octets.byteOffset)
    else {
      if (this.#copied + octets.length > COPY_OCTETS) {
        this.flush()
        return this.queue(sender, octets, to)
      }
      this.#copies.octets.set(octets, this.#copied)
      this.#outVectors.point(i * IOVEC_OCTETS, this.#copies, this.#copied)
      this.#copied += octets.length
    }
    this.#outVectors.words.setUint32(i * IOVEC_OCTETS + 8, octets.length, true)
    this.#targets[i] = to
    this.#lengths[i] = octets.length
    this.#sender = sender
    this.#queued = i + 1
  }

  /** The receive memory that these octets lie in. */
  #regionOf({ buffer }: Uint8Array): Region | undefined {
    if (buffer === this.#slots.octets.buffer) return this.#slots
    return buffer === this.#spread.octets.buffer ? this.#spread : undefined
  }

  /** Sends what is queued. What the kernel does not take is dropped, as UDP may. */
  flush(): void {
    const sender = this.#sender
    const queued = this.#queued
    this.#sender = undefined
    this.#queued = 0
    this.#copied = 0
    if (sender !== undefined && sender.fd >= 0) this.#sendFrom(sender, 0, queued)
  }

  #sendFrom(sender: DatagramSender, start: number, end: number): void {
    let at = start
    while (at < end) {
      const count = this.#compose(sender, at, end)
      const sent = this.#calls.sendmmsg(sender.fd, this.#outMessages.octets, count, MSG_DONTWAIT)
      if (sent < 0) {
        const errno = this.#calls.errno()
        if (errno === EAGAIN) return
        const run = this.#runOf(0)
        // A path that cannot take one send for many takes each of them.
        if (run > 1) sender.canSegment = false
        else {
          sender.onSendError(errno)
          at += run
        }
      } else for (let i = 0; i < sent; i++) at += this.#runOf(i)
    }
  }

  /** Lays out messages for what is queued from `start`; answers how many messages. */
  #compose(sender: DatagramSender, start: number, end: number): number {
    const { words } = this.#outMessages
    let count = 0
    for (let at = start; at < end; count++) {
      const run = sender.canSegment ? this.#runFrom(at, end) : 1
      const message = count * MESSAGE_OCTETS
      const to = this.#targets[at] as Endpoint
      const nameLength = writeEndpoint(to.address, to.port, this.#outNames.octets, count * IPV6_OCTETS)
      this.#outMessages.point(message, this.#outNames, count * IPV6_OCTETS)
      words.setUint32(message + 8, nameLength, true)
      this.#outMessages.point(message + 16, this.#outVectors, at * IOVEC_OCTETS)
      words.setUint32(message + 24, run, true)
      if (run > 1) {
        this.#controls.words.setUint16(count * CONTROL_OCTETS + 16, this.#lengths[at] as number, true)
        this.#outMessages.point(message + 32, this.#controls, count * CONTROL_OCTETS)
        words.setUint32(message + 40, CONTROL_OCTETS, true)
      } else {
        words.setBigUint64(message + 32, 0n, true)
        words.setUint32(message + 40, 0, true)
      }
      at += run
    }
    return count
  }

  /** Datagrams that the `i`th message stands for. */
  #runOf(i: number): number {
    return this.#outMessages.words.getUint32(i * MESSAGE_OCTETS + 24, true)
  }

  /** How many from `at` on go to the same endpoint with the same length; the last one may be shorter. */
  #runFrom(at: number, end: number): number {
    const length = this.#lengths[at] as number
    if (length === 0) return 1
    const most = Math.min(end - at, SEGMENTS_MAX, Math.floor(SEGMENTED_OCTETS_MAX / length))
    let run = 1
    while (run < most && this.#targets[at + run] === this.#targets[at]) {
      const next = this.#lengths[at + run] as number
      if (next > length || next === 0) break
      run++
      if (next < length) break
    }
    return run
  }
}

/** The last sender of a socket: mostly the next one too. */
export class KnownSender {
  endpoint: Endpoint | undefined
  readonly #name = new Uint8Array(IPV6_OCTETS)

  equals(names: Uint8Array, at: number): boolean {
    const name = this.#name
    const length = name[0] === 2 ? 8 : IPV6_OCTETS
    for (let i = 0; i < length; i++) if (names[at + i] !== name[i]) return false
    return true
  }

  keep(endpoint: Endpoint | undefined, names: Uint8Array, at: number): void {
    this.endpoint = endpoint
    this.#name.set(names.subarray(at, at + IPV6_OCTETS))
  }
}
