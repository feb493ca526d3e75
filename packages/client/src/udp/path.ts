/**
 * A way for datagrams through SOCKS5 servers (RFC 1928 section 7): one association with each, every next one inside the
 * datagrams of the one before. Ends when the control connection of any of them ends. Knows no socket of Node.
 */
import type { Connection, DatagramSocket } from '@socksmith/engine'
import {
  type Destination,
  type Endpoint,
  type Failure,
  FragmentQueue,
  type Protection,
  type Socks5Datagram,
  decodeSocks5Datagram,
  encodeSocks5Datagram,
  failure,
  sameAddress,
  unmapped,
} from '@socksmith/protocol'
import { type Spot, routeFailure } from '../dial/route-failure.ts'
import type { RouteFailure } from '../socks-error.ts'

/** The largest payload of UDP over IPv4 and over IPv6: 65,535 less the headers that count in the length field. */
const UDP_OCTETS_MAX = { ipv4: 65_507, ipv6: 65_527 } as const
/** RSV, FRAG and ATYP, and DST.PORT behind the address. */
const HEADER_OCTETS = 6

/** One association on the way. */
export interface Association {
  readonly spot: Spot
  /** Its control connection, granted. */
  readonly control: Connection
  /** Where the server takes datagrams, seen from the one before it. */
  readonly relay: Destination
  readonly protection?: Protection
}

/** What a path tells. */
export interface PathHandler {
  /** The octets are the engine's: keep a copy. */
  onDatagram(data: Uint8Array, from: Destination): void
  /** It is over, and not by `close`. Called once. */
  onClose(why: RouteFailure): void
}

/** Open associations, from the nearest server to the farthest; or none at all, for a direct path. */
export class UdpPath {
  readonly #associations: readonly Association[]
  readonly #fragments: readonly FragmentQueue[]
  readonly #handler: PathHandler
  readonly #nowMs: () => number
  #socket: DatagramSocket | undefined
  #isClosed = false

  constructor(associations: readonly Association[], handler: PathHandler, nowMs: () => number) {
    this.#associations = associations
    this.#fragments = associations.map(() => new FragmentQueue())
    this.#handler = handler
    this.#nowMs = nowMs
    for (const association of associations) this.#watch(association)
  }

  /** Where our own datagrams go first; `undefined` on a direct path. */
  get relay(): Destination | undefined {
    return this.#associations[0]?.relay
  }

  /** Our own end. */
  get local(): Endpoint | undefined {
    return this.#socket?.local
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  /** From now on datagrams flow. */
  use(socket: DatagramSocket): void {
    this.#socket = socket
    if (this.#isClosed) socket.close()
  }

  /** Octets of data that fit into one datagram to a destination with so many octets of address. */
  room(addressOctets: number): number {
    const outer = this.#associations[0]?.relay.address.type === 'ipv6' ? 'ipv6' : 'ipv4'
    if (this.#associations.length === 0) return UDP_OCTETS_MAX.ipv4
    const nested = this.#associations.slice(1).reduce((sum, { relay }) => sum + HEADER_OCTETS + octetsOf(relay), 0)
    // Behind the last server it is a datagram of its own.
    return Math.min(UDP_OCTETS_MAX[outer] - nested - HEADER_OCTETS - addressOctets, UDP_OCTETS_MAX.ipv4)
  }

  /** Sends one datagram; false when it does not fit. Where the way ends in a name, the last server resolves it. */
  send(data: Uint8Array, to: Destination): boolean {
    if (data.length > this.room(octetsOf(to))) return false
    let octets = data
    for (let i = this.#associations.length - 1; i >= 0; i--) {
      const destination = this.#associations[i + 1]?.relay ?? to
      const packed = encodeSocks5Datagram({ frag: 0, destination, data: octets })
      const { protection } = this.#associations[i] as Association
      const wrapped = protection?.protectDatagram === undefined ? packed : protection.protectDatagram(packed)
      if (wrapped === undefined) return false
      octets = wrapped
    }
    this.#socket?.send(octets, (this.relay ?? to) as Endpoint)
    return true
  }

  /** A datagram arrived at our socket. Whatever does not come from the server, or makes no sense, is dropped. */
  receive(octets: Uint8Array, from: Endpoint): void {
    let [data, source]: [Uint8Array, Destination] = [octets, { address: unmapped(from.address), port: from.port }]
    for (const [index, association] of this.#associations.entries()) {
      if (!isFrom(association.relay, source)) return
      const opened = this.#open(index, association, data)
      if (opened === undefined) return
      ;({ data, destination: source } = opened)
    }
    this.#handler.onDatagram(data, source)
  }

  close(): void {
    this.#isClosed = true
    this.#socket?.close()
    for (const { control } of this.#associations) control.destroy()
  }

  #open(
    index: number,
    { protection }: Association,
    octets: Uint8Array,
  ): Pick<Socks5Datagram, 'data' | 'destination'> | undefined {
    const plain = protection?.unprotectDatagram === undefined ? octets : protection.unprotectDatagram(octets)
    if (!(plain instanceof Uint8Array)) return undefined
    const decoded = decodeSocks5Datagram(plain, { reassemble: true })
    if (decoded.kind === 'malformed') return undefined
    const offered = this.#fragments[index]?.offer(decoded.value, this.#nowMs())
    return offered !== undefined && 'data' in offered ? offered : undefined
  }

  // Section 7: an association ends with its control connection. What a server says there means nothing.
  #watch({ control, spot }: Association): void {
    const onGone = (): void => {
      if (this.#isClosed) return
      this.close()
      const why: Failure = failure('no_association', 'server', 'the control connection ended')
      this.#handler.onClose(routeFailure('SOCKS_PROXY_CLOSED', why, 'relay', spot))
    }
    control.read({ onOctets: () => {}, onEnd: onGone, onClose: onGone })
  }
}

/** Octets of the address field: a name has a length octet in front. */
function octetsOf({ address }: Destination): number {
  return address.type === 'domain' ? 1 + Buffer.byteLength(address.name) : address.octets.length
}

// A server that was named by a name answers from an address that only the one before it knows.
function isFrom(relay: Destination, source: Destination): boolean {
  if (relay.port !== source.port) return false
  return relay.address.type === 'domain' || sameAddress(relay.address, source.address)
}
