/**
 * The engine of a simulated world, as the server sees it. Counts everything that it hands out, so that what was not given
 * back is known. The relay is the portable engine's own; what it runs on is simulated.
 */
import {
  type Connection,
  type DatagramHandler,
  type DatagramSocket,
  type DialOptions,
  type Dialing,
  type Engine,
  type Listener,
  type ListenHandler,
  type ListenOptions,
  type Place,
  type Relay,
  type RelayOptions,
  type Securing,
  IdleWheel,
} from '@socksmith/engine'
import {
  type Endpoint,
  type Failure,
  type IpAddress,
  failure,
  formatDestination,
  isUnspecified,
} from '@socksmith/protocol'
import { startRelay } from '../../../packages/engine/src/node/node-relay.ts'
import { errnoFailure } from '../../../packages/engine/src/node/system-failure.ts'
import { address } from './address.ts'
import { SimulatedConnection } from './connection.ts'
import type { Host, Network } from './network.ts'
import type { Physics } from './physics.ts'
import type { VirtualTime } from './virtual-time.ts'

/** The server's own addresses towards the world. */
export const OUTSIDE: { readonly ipv4: IpAddress; readonly ipv6: IpAddress } = {
  ipv4: address('8.8.1.1'),
  ipv6: address('2600::1'),
}

/** A listener that ran out of descriptors tries again after this time. */
const ACCEPT_PAUSE_MS = 100

/** What the engine tells whoever watches the server. */
export interface EngineWatcher {
  /** An accepted connection; `handle` hands it to the server. */
  onAccepted(connection: SimulatedConnection, handle: () => void): void
  onDial(to: Endpoint): void
  /** With the server's end, when it was reached. */
  onDialOver(to: Endpoint, connection: SimulatedConnection | undefined): void
  onDatagramSent(octets: Uint8Array, to: Endpoint): void
}

export class SimulatedEngine implements Engine {
  readonly name = 'simulated'
  descriptorsMax: number = Infinity
  readonly socketOptions: ReadonlySet<never> = new Set()
  readonly clock: VirtualTime
  readonly connections: Set<SimulatedConnection> = new Set()
  /** Dials, listeners and datagram sockets that are open. */
  dials = 0
  listeners = 0
  datagramSockets = 0
  /** While it is true nothing can be opened: EMFILE. */
  isOutOfDescriptors = false
  readonly #physics: Physics
  readonly #network: Network
  readonly #watcher: EngineWatcher
  readonly #wheel: IdleWheel

  constructor(physics: Physics, network: Network, watcher: EngineWatcher) {
    this.clock = physics.time
    this.#physics = physics
    this.#network = network
    this.#watcher = watcher
    this.#wheel = new IdleWheel(physics.time)
  }

  listen({ place }: ListenOptions, handler: ListenHandler): Promise<Listener | Failure> {
    if (place.kind === 'unix') return Promise.resolve(errnoFailure('EOPNOTSUPP'))
    if (this.isOutOfDescriptors) return this.#soon(errnoFailure('EMFILE'))
    const endpoint = { address: place.endpoint.address, port: place.endpoint.port || this.#network.nextPort() }
    const listener = new SimulatedListener(endpoint, connection => this.#accept(connection, listener, handler))
    const free = this.#network.listen(endpoint, connection => listener.take(connection))
    if (free === undefined) return this.#soon(errnoFailure('EADDRINUSE'))
    this.listeners++
    listener.onClosed = () => {
      this.listeners--
      free()
    }
    return this.#soon(listener)
  }

  dial(to: Place, options: DialOptions): Dialing {
    if (to.kind === 'unix') return { result: Promise.resolve(errnoFailure('ENOENT')), cancel() {} }
    const { endpoint } = to
    const { promise, resolve } = Promise.withResolvers<Connection | Failure>()
    this.dials++
    this.#watcher.onDial(endpoint)
    let isOver = false
    let reached: SimulatedConnection | undefined
    const settle = (result: SimulatedConnection | Failure): void => {
      if (isOver) return
      isOver = true
      this.dials--
      deadline.cancel()
      reached = 'code' in result ? undefined : result
      this.#watcher.onDialOver(endpoint, reached)
      this.#physics.log?.(`dial ${formatDestination(endpoint)}: ${'code' in result ? result.code : 'open'}`)
      resolve(result)
    }
    const { time } = this.#physics
    const deadline = time.later(options.timeoutMs, () => settle(failure('timed_out', 'target')))
    const host = this.#network.hosts.get(formatDestination(endpoint))
    if (this.isOutOfDescriptors) time.later(0, () => settle(errnoFailure('EMFILE')))
    else if (host?.fate !== 'black-hole') {
      time.later(host?.latencyMs ?? 0, () => isOver || settle(this.#reach(endpoint, host)))
    }
    return {
      result: promise,
      cancel() {
        // Too late: whoever has it, or would have it soon, loses it.
        reached?.destroy()
        settle(failure('aborted', 'us'))
      },
    }
  }

  openDatagrams(local: Endpoint, handler: DatagramHandler): Promise<DatagramSocket | Failure> {
    if (this.isOutOfDescriptors) return this.#soon(errnoFailure('EMFILE'))
    const isWildcard = isUnspecified(local.address)
    const from = isWildcard ? OUTSIDE[local.address.type] : local.address
    const socket = this.#network.bind({ address: from, port: local.port }, handler)
    if (socket === undefined) return this.#soon(errnoFailure('EADDRINUSE'))
    this.datagramSockets++
    return this.#soon({
      local: isWildcard ? { address: local.address, port: socket.local.port } : socket.local,
      send: (octets, to) => {
        if (socket.isClosed) return
        this.#watcher.onDatagramSent(octets, to)
        socket.send(octets, to)
      },
      close: () => {
        if (!socket.isClosed) this.datagramSockets--
        socket.close()
      },
    })
  }

  facing(destination: IpAddress): Promise<IpAddress | Failure> {
    return this.#soon(OUTSIDE[destination.type])
  }

  secure(connection: Connection): Promise<Connection | Failure> {
    connection.destroy()
    return Promise.resolve(failure('general_failure', 'us', 'this world has no TLS'))
  }

  secureAsClient(connection: Connection): Securing {
    return { result: this.secure(connection), cancel() {} }
  }

  relay(options: RelayOptions): Relay {
    for (const one of [options.client, options.target]) {
      if (one instanceof SimulatedConnection) one.readerKeepsOctets = true
    }
    return startRelay(options, this.clock, this.#wheel)
  }

  #reach(to: Endpoint, host: Host | undefined): SimulatedConnection | Failure {
    switch (host?.fate) {
      case 'open':
        break
      case 'network-unreachable':
        return errnoFailure('ENETUNREACH')
      case 'host-unreachable':
        return errnoFailure('EHOSTUNREACH')
      case 'refused':
      case 'black-hole':
      case undefined:
        return errnoFailure('ECONNREFUSED')
    }
    const from = { address: OUTSIDE[to.address.type], port: this.#network.nextPort() }
    const [ours, theirs] = this.#network.pair(from, to)
    this.#own(ours)
    this.#physics.time.later(0, () => host?.onConnection?.(theirs))
    return ours
  }

  #accept(connection: SimulatedConnection, listener: SimulatedListener, handler: ListenHandler): void {
    const { time, random } = this.#physics
    if (listener.isClosed) return connection.reset()
    if (this.isOutOfDescriptors) {
      handler.onAcceptFailure(errnoFailure('EMFILE'))
      // One engine leaves newcomers in the kernel's queue, the other one has to close them.
      if (random.chance(0.5)) connection.destroy()
      else time.later(ACCEPT_PAUSE_MS, () => this.#accept(connection, listener, handler))
      return
    }
    this.#own(connection)
    this.#watcher.onAccepted(connection, () => handler.onConnection(connection))
  }

  #own(connection: SimulatedConnection): void {
    // It may have been reset while it waited to be accepted.
    if (connection.cause === undefined) this.connections.add(connection)
    connection.onReleased = () => void this.connections.delete(connection)
  }

  #soon<T>(value: T): Promise<T> {
    const { promise, resolve } = Promise.withResolvers<T>()
    const { time, random } = this.#physics
    time.later(random.next() * 3, () => resolve(value))
    return promise
  }
}

class SimulatedListener implements Listener {
  readonly place: Place
  onClosed: (() => void) | undefined
  readonly #hand: (connection: SimulatedConnection) => void
  #waiting: SimulatedConnection[] = []
  #isPaused = false
  isClosed = false

  constructor(endpoint: Endpoint, hand: (connection: SimulatedConnection) => void) {
    this.place = { kind: 'ip', endpoint }
    this.#hand = hand
  }

  take(connection: SimulatedConnection): void {
    if (this.isClosed) connection.reset()
    else if (this.#isPaused) this.#waiting.push(connection)
    else this.#hand(connection)
  }

  pause(): void {
    this.#isPaused = true
  }

  resume(): void {
    this.#isPaused = false
    for (const connection of this.#waiting.splice(0)) this.#hand(connection)
  }

  close(): Promise<void> {
    if (!this.isClosed) {
      this.isClosed = true
      for (const connection of this.#waiting.splice(0)) connection.reset()
      this.onClosed?.()
    }
    return Promise.resolve()
  }
}
