/**
 * The outside of a UDP association along one way: a socket for each family towards the targets, or one path by other SOCKS5
 * servers. Opened when something is to be sent. Knows no client and no rule.
 */
import type { DatagramSocket } from '@socksmith/engine'
import { ANY_IPV4, ANY_IPV6, type Destination, type Endpoint, type Failure, failure } from '@socksmith/protocol'
import type { ServerContext } from './context.ts'
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
  readonly #opening: { [F in Family]?: Promise<DatagramSocket | Failure> } = {}
  readonly #opened: { [F in Family]?: DatagramSocket } = {}
  #pathOpening: UdpViaOpening | undefined
  #path: Promise<UdpVia | Failure> | undefined
  #via: UdpVia | undefined
  #isClosed = false

  constructor(context: ServerContext, way: WayOut, handler: OutsideHandler) {
    this.#context = context
    this.way = way
    this.#handler = handler
  }

  /** The open path by other servers. */
  get via(): UdpVia | undefined {
    return this.#via
  }

  /** The way, as records name it. */
  get text(): string | undefined {
    return this.#via === undefined ? viaOf(this.way) : this.#via.via
  }

  /** What can send to this family at once. */
  open(family: Family): DatagramSocket | undefined {
    return this.#via ?? this.#opened[family]
  }

  /** What sends to this family, as soon as it is open. */
  whenOpen(family: Family): Promise<DatagramSocket | Failure> {
    return this.way.route === undefined ? this.#whenSocket(family) : this.whenPath()
  }

  /** The path by other servers. */
  whenPath(): Promise<UdpVia | Failure> {
    this.#path ??= this.#openPath()
    return this.#path
  }

  close(): void {
    this.#isClosed = true
    this.#pathOpening?.cancel()
    this.#via?.close()
    for (const socket of Object.values(this.#opening)) {
      void socket.then(opened => !('code' in opened) && opened.close())
    }
  }

  async #whenSocket(family: Family): Promise<DatagramSocket | Failure> {
    this.#opening[family] ??= this.way.engine.openDatagrams(
      { address: family === 'ipv4' ? ANY_IPV4 : ANY_IPV6, port: 0 },
      { onDatagram: (octets, from, room) => this.#handler.onDatagram(octets, from, room), onFailure: () => {} },
    )
    const opened = await this.#opening[family]
    if (!('code' in opened) && !this.#isClosed) this.#opened[family] = opened
    return opened
  }

  async #openPath(): Promise<UdpVia | Failure> {
    const { route } = this.way
    if (route === undefined) return failure('general_failure', 'us', 'the way has no proxy')
    this.#pathOpening = openUdpVia(this.#context, this.way, route, {
      onDatagram: (octets, from) => this.#via && this.#handler.onDatagramVia(octets, from, this.#via),
      onClose: () => this.#handler.onGone(),
    })
    const via = await this.#pathOpening.result
    if ('code' in via) return via
    if (this.#isClosed) via.close()
    this.#via = via
    return via
  }
}
