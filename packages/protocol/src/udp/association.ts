/**
 * Who may send what through one UDP association (RFC 1928 sections 6 and 7), as rules over datagrams. Opens no socket,
 * resolves no name, keeps no time: the driver hands datagrams in and sends what comes out.
 */
import { type Destination, type Endpoint, type IpAddress, sameAddress, unmapped } from '../address.ts'
import { type Blame, type Failure, type MalformedCode, failure } from '../failure.ts'
import { NO_OCTETS, concat } from '../octets.ts'
import { latin1Text } from '../text.ts'
import { type Socks5Datagram, decodeSocks5Datagram, encodeSocks5Datagram } from '../wire/socks5-udp.ts'
import { FragmentQueue } from './fragment-queue.ts'

export interface UdpAssociationOptions {
  /** The address of the client's TCP connection: nobody else may send through the association. */
  readonly client: IpAddress
  /** Fixed in advance, when the request announced a port and that announcement is believed. */
  readonly clientPort?: number
  /** FRAG is reassembled instead of dropped. */
  readonly reassemble?: boolean
  /** Senders that were never written to are let through. */
  readonly fullCone?: boolean
}

/** What becomes of a datagram that arrived where clients send to. */
export type FromClient =
  | { readonly kind: 'relay'; readonly destination: Destination; readonly data: Uint8Array }
  | { readonly kind: 'queued' }
  | { readonly kind: 'drop'; readonly failure: Failure }

/** What becomes of a datagram that arrived from outside. */
export type FromRemote =
  | { readonly kind: 'to-client'; readonly to: Endpoint; readonly octets: Uint8Array }
  | { readonly kind: 'drop'; readonly failure: Failure }

export class UdpAssociation {
  readonly #client: IpAddress
  readonly #reassemble: boolean
  readonly #fullCone: boolean
  readonly #fragments = new FragmentQueue()
  readonly #contacted = new Set<string>()
  #clientEndpoint: Endpoint | undefined
  // What the last datagram of each direction was about, mostly the next one too. An engine that hands out the same
  // endpoint for the same sender makes this a comparison of references.
  #knownClient: Endpoint | undefined
  #knownHeader: KnownHeader | undefined
  #knownRemote: KnownRemote | undefined
  #closed = false

  constructor(options: UdpAssociationOptions) {
    this.#client = unmapped(options.client)
    this.#reassemble = options.reassemble === true
    this.#fullCone = options.fullCone === true
    if (options.clientPort !== undefined) this.#clientEndpoint = { address: this.#client, port: options.clientPort }
  }

  /** Where answers go; unknown until the client has sent a valid datagram. */
  get clientEndpoint(): Endpoint | undefined {
    return this.#clientEndpoint
  }

  /** A datagram from the client's side. `data` of the answer is a view into `octets` unless it was reassembled. */
  fromClient(octets: Uint8Array, from: Endpoint, nowMs: number): FromClient {
    if (this.#closed) return drop('no_association', 'client')
    if (from !== this.#knownClient && !this.#isClient(from)) return drop('source_mismatch', 'client')
    const known = this.#knownHeader
    if (known !== undefined && startsWith(octets, known.octets)) {
      return { kind: 'relay', destination: known.destination, data: octets.subarray(known.octets.length) }
    }
    const decoded = decodeSocks5Datagram(octets, { reassemble: this.#reassemble })
    if (decoded.kind === 'malformed') return { kind: 'drop', failure: decoded.failure }
    // The first valid datagram fixes the port; a malformed one from elsewhere on the same host must not.
    this.#clientEndpoint ??= { address: this.#client, port: from.port }
    if (this.#reassemble) return this.#reassembled(decoded.value, nowMs)
    const { destination, data } = decoded.value
    this.#knownClient = from
    this.#knownHeader = { octets: new Uint8Array(octets.subarray(0, octets.length - data.length)), destination }
    return { kind: 'relay', destination, data }
  }

  /** Notes that the client wrote to this address: from now on it may answer. */
  contacted(address: IpAddress): void {
    this.#contacted.add(keyOf(address))
  }

  /** True when the client has written to this address before. */
  hasContacted(address: IpAddress): boolean {
    return this.#contacted.has(keyOf(address))
  }

  /** How many addresses the client has written to. */
  get contactedCount(): number {
    return this.#contacted.size
  }

  /**
   * A datagram from outside; the answer carries the sender's address in its header. `room` octets in front of `data`, in the
   * same buffer, may be overwritten: when the header fits there, nothing is copied.
   */
  fromRemote(data: Uint8Array, from: Endpoint, room = 0): FromRemote {
    const to = this.#clientEndpoint
    if (this.#closed || to === undefined) return drop('no_association', 'target')
    if (from !== this.#knownRemote?.from) {
      // Section 7: the relay MUST drop datagrams from a source it does not expect.
      if (!this.#fullCone && !this.hasContacted(from.address)) return drop('source_mismatch', 'target')
      const destination = { address: unmapped(from.address), port: from.port }
      this.#knownRemote = { from, header: encodeSocks5Datagram({ frag: 0, destination, data: NO_OCTETS }) }
    }
    const { header } = this.#knownRemote
    if (header.length > room) return { kind: 'to-client', to, octets: concat([header, data]) }
    const octets = new Uint8Array(data.buffer, data.byteOffset - header.length, header.length + data.length)
    octets.set(header)
    return { kind: 'to-client', to, octets }
  }

  /** The control connection is gone (section 7): nothing passes any more. */
  close(): void {
    this.#closed = true
  }

  #isClient(from: Endpoint): boolean {
    if (!sameAddress(unmapped(from.address), this.#client)) return false
    return this.#clientEndpoint === undefined || this.#clientEndpoint.port === from.port
  }

  #reassembled(datagram: Socks5Datagram, nowMs: number): FromClient {
    const result = this.#fragments.offer(datagram, nowMs)
    if ('data' in result) return { kind: 'relay', destination: result.destination, data: result.data }
    return result.action === 'queue' || result.action === 'reset_then_queue'
      ? { kind: 'queued' }
      : drop('unexpected_message', 'client')
  }
}

interface KnownHeader {
  readonly octets: Uint8Array
  readonly destination: Destination
}

interface KnownRemote {
  readonly from: Endpoint
  readonly header: Uint8Array
}

function startsWith(octets: Uint8Array, start: Uint8Array): boolean {
  for (let i = 0; i < start.length; i++) if (octets[i] !== start[i]) return false
  return true
}

function keyOf(address: IpAddress): string {
  return latin1Text(unmapped(address).octets)
}

function drop(code: MalformedCode, blame: Blame): { readonly kind: 'drop'; readonly failure: Failure } {
  return { kind: 'drop', failure: failure(code, blame) }
}
