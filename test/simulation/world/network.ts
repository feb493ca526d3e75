/**
 * Who can be reached where: listeners of the server, hosts outside with a fate for each, and datagram sockets. Carries
 * datagrams as UDP may: lost, late, out of order, twice. Knows no SOCKS.
 */
import { type DatagramHandler, type DatagramSocket, type Place, DATAGRAM_ROOM_OCTETS } from '@socksmith/engine'
import { type Endpoint, formatDestination } from '@socksmith/protocol'
import { SimulatedConnection } from './connection.ts'
import type { Physics } from './physics.ts'

/** What becomes of who wants to connect to a host. */
export type Fate = 'open' | 'refused' | 'network-unreachable' | 'host-unreachable' | 'black-hole'

export interface Host {
  readonly fate: Fate
  readonly latencyMs: number
  onConnection?(connection: SimulatedConnection): void
}

export interface DatagramTraits {
  readonly lossChance: number
  readonly twiceChance: number
  readonly latencyMs: number
}

const CAPACITIES_OCTETS = [512, 4_096, 65_536, 262_144] as const
/** Where the kernel begins to hand out ports. */
const EPHEMERAL_FIRST = 32_768

export class Network {
  readonly hosts: Map<string, Host> = new Map()
  readonly #physics: Physics
  readonly #datagramTraits: DatagramTraits
  readonly #listeners = new Map<string, (connection: SimulatedConnection) => void>()
  readonly #datagrams = new Map<string, SimulatedDatagrams>()
  #lastPort = EPHEMERAL_FIRST

  constructor(physics: Physics, datagramTraits: DatagramTraits) {
    this.#physics = physics
    this.#datagramTraits = datagramTraits
  }

  get listenerCount(): number {
    return this.#listeners.size
  }

  nextPort(): number {
    return ++this.#lastPort
  }

  /** Answers how to free the place again, or `undefined` when it is taken. */
  listen(at: Endpoint, onConnection: (connection: SimulatedConnection) => void): (() => void) | undefined {
    const key = formatDestination(at)
    if (this.#listeners.has(key)) return undefined
    this.#listeners.set(key, onConnection)
    return () => void this.#listeners.delete(key)
  }

  /** Somebody outside connects to a listener; `undefined` where nobody listens. */
  connect(from: Endpoint, to: Endpoint): SimulatedConnection | undefined {
    const accept = this.#listeners.get(formatDestination(to))
    if (accept === undefined) return undefined
    const [ours, theirs] = this.pair(from, to)
    this.#physics.time.later(0, () => accept(theirs))
    return ours
  }

  /** Two ends of a new stream. */
  pair(a: Endpoint, b: Endpoint): [SimulatedConnection, SimulatedConnection] {
    const { random } = this.#physics
    const [placeA, placeB]: Place[] = [
      { kind: 'ip', endpoint: a },
      { kind: 'ip', endpoint: b },
    ]
    const one = new SimulatedConnection(this.#physics, placeA as Place, placeB as Place)
    const other = new SimulatedConnection(this.#physics, placeB as Place, placeA as Place)
    const traits = {
      capacityOctets: random.pick(CAPACITIES_OCTETS),
      latencyMs: random.next() * random.pick([1, 20, 80]),
    }
    SimulatedConnection.join(one, other, traits)
    return [one, other]
  }

  /** Opens a datagram socket; `undefined` when the endpoint is taken. */
  bind(at: Endpoint, handler: Pick<DatagramHandler, 'onDatagram'>): SimulatedDatagrams | undefined {
    const local = at.port === 0 ? { address: at.address, port: this.nextPort() } : at
    const key = formatDestination(local)
    if (this.#datagrams.has(key)) return undefined
    const socket = new SimulatedDatagrams(this, local, handler, () => this.#datagrams.delete(key))
    this.#datagrams.set(key, socket)
    return socket
  }

  /** Sends one datagram on its way. */
  carry(octets: Uint8Array, from: Endpoint, to: Endpoint): void {
    const { random, time } = this.#physics
    const { lossChance, twiceChance, latencyMs } = this.#datagramTraits
    if (random.chance(lossChance)) return
    for (let copies = random.chance(twiceChance) ? 2 : 1; copies > 0; copies--) {
      // On its own: one that is sent later may come first.
      time.later(random.next() * latencyMs, () => this.#arrive(octets, from, to))
    }
  }

  #arrive(octets: Uint8Array, from: Endpoint, to: Endpoint): void {
    const { random } = this.#physics
    const room = random.chance(0.5) ? DATAGRAM_ROOM_OCTETS : 0
    const buffer = new Uint8Array(room + octets.length)
    buffer.set(octets, room)
    const sender = random.chance(0.5) ? from : { address: from.address, port: from.port }
    this.#datagrams.get(formatDestination(to))?.handler.onDatagram(buffer.subarray(room), sender, room)
    // The engine's own again: whoever kept the array instead of a copy now holds nonsense.
    buffer.fill(0xee)
  }
}

export class SimulatedDatagrams implements DatagramSocket {
  readonly local: Endpoint
  readonly handler: Pick<DatagramHandler, 'onDatagram'>
  isClosed = false
  readonly #network: Network
  readonly #onClosed: () => void

  constructor(network: Network, local: Endpoint, handler: Pick<DatagramHandler, 'onDatagram'>, onClosed: () => void) {
    this.#network = network
    this.local = local
    this.handler = handler
    this.#onClosed = onClosed
  }

  send(octets: Uint8Array, to: Endpoint): void {
    if (!this.isClosed) this.#network.carry(new Uint8Array(octets), this.local, to)
  }

  close(): void {
    if (this.isClosed) return
    this.isClosed = true
    this.#onClosed()
  }
}
