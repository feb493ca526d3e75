/** A local UDP port whose datagrams lead to a target: for each one who sends to it a way of its own, so that answers find back. */
import { type OpenPath, type RouteFailure, openUdpPath } from '@socksmith/client'
import { type DatagramSocket, IdleWheel, type Idling, type Place } from '@socksmith/engine'
import { type Destination, type Endpoint, type Failure, formatDestination } from '@socksmith/protocol'
import { visible } from '../terminal/visible.ts'
import type { Forward, ForwardOptions } from './forward.ts'

/** Senders at a time; each costs an association. The quietest one has to go for a new one. */
export const SENDERS_MAX = 1_024
/** Datagrams of one sender that wait until its way is open; UDP may lose the others. */
const WAITING_MAX = 64
/** A sender that has been quiet for so long has left: what RFC 4787 asks of a NAT at least. */
const IDLE_MS = 120_000

/** Starts to listen at an IP endpoint. */
export async function openUdpForward(listen: Endpoint, options: ForwardOptions): Promise<Forward | Failure> {
  const forward = new UdpForward(options)
  const socket = await options.engine.openDatagrams(listen, forward)
  if ('code' in socket) return socket
  return forward.start(socket)
}

class UdpForward implements Forward {
  readonly options: ForwardOptions
  readonly wheel: IdleWheel
  /** In the order of their last datagram. */
  readonly #senders = new Map<string, Sender>()
  #socket: DatagramSocket | undefined

  constructor(options: ForwardOptions) {
    this.options = options
    this.wheel = new IdleWheel(options.engine.clock)
  }

  start(socket: DatagramSocket): this {
    this.#socket = socket
    return this
  }

  get place(): Place {
    if (this.#socket === undefined) throw new Error('a forwarding without a socket')
    return { kind: 'ip', endpoint: this.#socket.local }
  }

  readonly tunnelCount = 0

  onDatagram(octets: Uint8Array, from: Endpoint): void {
    const key = formatDestination(from)
    const known = this.#senders.get(key)
    const sender = known ?? new Sender(this, key, { address: from.address, port: from.port })
    this.#senders.delete(key)
    this.#senders.set(key, sender)
    sender.take(octets)
    if (this.#senders.size > SENDERS_MAX) this.#senders.values().next().value?.end()
  }

  // ICMP says of one of those we answered that it is gone; its way ends when it has been quiet.
  onFailure(): void {}

  stop(): Promise<void> {
    this.end()
    return Promise.resolve()
  }

  end(): void {
    this.#socket?.close()
    for (const sender of this.#senders.values()) sender.end()
  }

  answer(octets: Uint8Array, to: Endpoint): void {
    this.#socket?.send(octets, to)
  }

  forget(key: string, why?: RouteFailure): void {
    this.#senders.delete(key)
    if (why === undefined) return
    const cause = why.failure.detail ?? why.failure.errno ?? why.failure.code
    this.options.tell(visible(`${formatDestination(this.options.target)}: ${why.code} for ${key}: ${cause}`))
  }
}

/** One who sends to the local port. */
class Sender implements Idling {
  readonly #forward: UdpForward
  readonly #key: string
  readonly #from: Endpoint
  readonly #opening: ReturnType<typeof openUdpPath>
  #waiting: Uint8Array[] = []
  #open: OpenPath['path'] | undefined
  #target: Destination
  #activeAtMs: number
  #isOver = false

  constructor(forward: UdpForward, key: string, from: Endpoint) {
    const { engine, resolver, via, timeoutMs, target } = forward.options
    this.#forward = forward
    this.#key = key
    this.#from = from
    this.#target = target
    this.#activeAtMs = engine.clock.monotonicMs()
    this.#opening = openUdpPath(engine, via, this, { resolver, timeoutMs, destination: target })
    void this.#begin()
    forward.wheel.watch(this)
  }

  take(octets: Uint8Array): void {
    this.#activeAtMs = this.#forward.options.engine.clock.monotonicMs()
    if (this.#open !== undefined) this.#open.send(octets, this.#target)
    else if (this.#waiting.length < WAITING_MAX) this.#waiting.push(Uint8Array.from(octets))
  }

  onDatagram(data: Uint8Array, from: Destination): void {
    // By its port: whose name was asked for answers from an address that only the proxy knows.
    if (from.port !== this.#target.port || this.#isOver) return
    this.#activeAtMs = this.#forward.options.engine.clock.monotonicMs()
    this.#forward.answer(data, this.#from)
  }

  onClose(why: RouteFailure): void {
    this.end(why)
  }

  idleAtMs(): number {
    return this.#activeAtMs + IDLE_MS
  }

  onIdle(): void {
    this.end()
  }

  /** The way is over; the next datagram opens another. */
  end(why?: RouteFailure): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#forward.wheel.forget(this)
    this.#forward.forget(this.#key, why)
    this.#opening.cancel()
    this.#open?.close()
  }

  async #begin(): Promise<void> {
    const opened = await this.#opening.result
    if ('code' in opened) return this.end(opened)
    if (this.#isOver) return opened.path.close()
    const found = opened.resolve === 'here' ? await this.#resolved() : this.#target
    if (found === undefined || this.#isOver) {
      opened.path.close()
      return this.end()
    }
    this.#target = found
    this.#open = opened.path
    for (const octets of this.#waiting.splice(0)) opened.path.send(octets, found)
  }

  async #resolved(): Promise<Destination | undefined> {
    const { address, port } = this.#target
    if (address.type !== 'domain') return this.#target
    const { resolver, tell } = this.#forward.options
    const found = await resolver.resolve(address.name)
    if (!('code' in found)) {
      // The socket of a direct way is of IPv4.
      const one = found.find(({ type }) => type === 'ipv4') ?? found[0]
      if (one !== undefined) return { address: one, port }
    }
    tell(visible(`${address.name}: the name was not found`))
    return undefined
  }
}
