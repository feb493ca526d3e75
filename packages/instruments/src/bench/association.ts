/**
 * One UDP association under load: a number of datagrams always under way to the echo, each with its own sequence number,
 * and every one that comes back looked at. Knows no clock: somebody tells it when time has passed.
 */
import type { DatagramSocket } from '@socksmith/engine'
import { type Endpoint, type Failure, decodeSocks5Datagram, failure } from '@socksmith/protocol'

/** Sequence number and number of the association stand in front; the rest is the same in every datagram. */
const HEAD_OCTETS = 8
/** The shortest payload that can be told apart from another one. */
export const DATAGRAM_OCTETS_MIN: number = 16
/** A datagram that is out for so many ticks is lost. */
const TICKS_UNTIL_LOST = 2
/** Of each datagram one octet of eight is compared, others each time: all of it would be a part of what is measured. */
const STRIDE = 8

export interface AssociationOptions {
  /** Tells the associations of a run apart. */
  readonly number: number
  /** Where to send: the relay, or the echo itself. */
  readonly to: Endpoint
  /** The header of RFC 1928 section 7, or nothing without a proxy. */
  readonly header: Uint8Array
  readonly octets: number
  readonly window: number
  readonly onFault: (cause: Failure) => void
}

export class Association {
  /** Datagrams that came back whole. */
  returned = 0
  /** Datagrams that did not come back in time. */
  lost = 0
  readonly #options: AssociationOptions
  // One for all: the engine copies it before `send` returns.
  readonly #datagram: Uint8Array
  readonly #words: DataView
  // By slot: the sequence number that is out, and the tick at which it left.
  readonly #sequences: Uint32Array
  readonly #ticks: Float64Array
  #socket: DatagramSocket | undefined
  #tick = 0

  constructor(options: AssociationOptions) {
    const { header, octets, number, window } = options
    this.#options = options
    this.#datagram = new Uint8Array(header.length + octets)
    this.#datagram.set(header)
    for (let i = HEAD_OCTETS; i < octets; i++) this.#datagram[header.length + i] = i * 7 + number
    this.#words = new DataView(this.#datagram.buffer, header.length)
    this.#words.setUint32(4, number)
    this.#sequences = Uint32Array.from({ length: window }, (_, slot) => slot)
    this.#ticks = new Float64Array(window)
  }

  /** Sends the first window. */
  start(socket: DatagramSocket): void {
    this.#socket = socket
    for (let slot = 0; slot < this.#sequences.length; slot++) this.#send(slot)
  }

  /** A datagram came from the relay. */
  take(octets: Uint8Array): void {
    const at = this.#payloadAt(octets)
    const { length } = this.#datagram
    if (at < 0 || octets.length - at !== length - this.#options.header.length) return this.#fail()
    const sequence = uint32(octets, at)
    const slot = sequence % this.#sequences.length
    // One that was given up, or came twice.
    if (this.#sequences[slot] !== sequence) return
    const offset = this.#options.header.length - at
    for (let i = at + 4 + (sequence % STRIDE); i < octets.length; i += STRIDE) {
      if (octets[i] !== this.#datagram[i + offset]) return this.#fail()
    }
    this.returned++
    this.#next(slot)
  }

  /** Some time has passed: what is out for too long is lost, and replaced. */
  tick(): void {
    this.#tick++
    for (let slot = 0; slot < this.#ticks.length; slot++) {
      if (this.#tick - (this.#ticks[slot] as number) <= TICKS_UNTIL_LOST) continue
      this.lost++
      this.#next(slot)
    }
  }

  /** Where the payload starts; -1 where there is none. The relay mostly writes the header as we do. */
  #payloadAt(octets: Uint8Array): number {
    const { header } = this.#options
    let same = 0
    while (same < header.length && octets[same] === header[same]) same++
    if (same === header.length) return same
    const decoded = decodeSocks5Datagram(octets)
    return decoded.kind === 'whole' ? octets.length - decoded.value.data.length : -1
  }

  #next(slot: number): void {
    this.#sequences[slot] = (this.#sequences[slot] as number) + this.#sequences.length
    this.#send(slot)
  }

  #send(slot: number): void {
    this.#ticks[slot] = this.#tick
    this.#words.setUint32(0, this.#sequences[slot] as number)
    this.#socket?.send(this.#datagram, this.#options.to)
  }

  #fail(): void {
    this.#options.onFault(failure('bad_signature', 'server', 'a datagram came back changed'))
  }
}

function uint32(octets: Uint8Array, at: number): number {
  const [a = 0, b = 0, c = 0, d = 0] = [octets[at], octets[at + 1], octets[at + 2], octets[at + 3]]
  return ((a << 24) | (b << 16) | (c << 8) | d) >>> 0
}
