/**
 * The outside of a UDP association along one way: a socket for each family towards the targets, or one path by other SOCKS5
 * servers. Opened when something is to be sent. Knows no client and no rule.
 */
import type { DatagramSocket } from '@socksmith/engine'
import {
  ANY_IPV4,
  ANY_IPV6,
  type Destination,
  type Endpoint,
  type Failure,
  type IpAddress,
  failure,
} from '@socksmith/protocol'
import type { ServerContext } from './context.ts'
import { Opening } from './opening.ts'
import { type UdpVia, type UdpViaOpening, openUdpVia } from './udp-via.ts'
import { type WayOut, viaOf } from './way-out.ts'

/** Who hears of what comes in. */
export interface OutsideHandler {
  /** At a socket: `room` octets in front may be written. */
  onDatagram(octets: Uint8Array, from: Endpoint, room: number): void
  /** By other servers. */
  onDatagramVia(octets: Uint8Array, from: Destination, via: UdpVia): void
  /** The other servers have ended the path. */
  onGone(): void
}

type Family = 'ipv4' | 'ipv6'

export class UdpOutside {
  readonly way: WayOut
  readonly #context: ServerContext
  readonly #handler: OutsideHandler
  readonly #sockets: { readonly [F in Family]: Opening<DatagramSocket> }
  readonly #path: Opening<UdpVia>
  #pathOpening: UdpViaOpening | undefined

  constructor(context: ServerContext, way: WayOut, handler: OutsideHandler) {
    this.#context = context
    this.way = way
    this.#handler = handler
    const own = { clock: context.engine.clock, admission: context.admission }
    this.#sockets = {
      ipv4: new Opening(own, () => this.#openSocket(ANY_IPV4)),
      ipv6: new Opening(own, () => this.#openSocket(ANY_IPV6)),
    }
    this.#path = new Opening(own, () => this.#openPath())
  }

  /** The open path by other servers. */
  get via(): UdpVia | undefined {
    return this.#path.opened
  }

  /** The way, as records name it. */
  get text(): string | undefined {
    return this.via === undefined ? viaOf(this.way) : this.via.via
  }

  /** What can send to this family at once. */
  open(family: Family): DatagramSocket | undefined {
    return this.via ?? this.#sockets[family].opened
  }

  /** What sends to this family, as soon as it is open. */
  whenOpen(family: Family): Promise<DatagramSocket | Failure> {
    return this.way.route === undefined ? this.#sockets[family].whenOpen() : this.whenPath()
  }

  /** The path by other servers. */
  whenPath(): Promise<UdpVia | Failure> {
    return this.#path.whenOpen()
  }

  close(): void {
    this.#pathOpening?.cancel()
    for (const one of [this.#sockets.ipv4, this.#sockets.ipv6, this.#path]) one.close()
  }

  #openSocket(address: IpAddress): Promise<DatagramSocket | Failure> {
    return this.way.engine.openDatagrams(
      { address, port: 0 },
      { onDatagram: (octets, from, room) => this.#handler.onDatagram(octets, from, room), onFailure: () => {} },
    )
  }

  async #openPath(): Promise<UdpVia | Failure> {
    const { route } = this.way
    if (route === undefined) return failure('general_failure', 'us', 'the way has no proxy')
    this.#pathOpening = openUdpVia(this.#context, this.way, route, {
      onDatagram: (octets, from) => this.via && this.#handler.onDatagramVia(octets, from, this.via),
      onClose: () => this.#handler.onGone(),
    })
    return await this.#pathOpening.result
  }
}
