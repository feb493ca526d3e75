/**
 * Joins two connections of this engine: octets, FIN and RST of each go to the other. Written against the connection's
 * port, so that TCP, Unix and TLS are the same; relies on this engine handing out octets that it does not use again.
 */
import { NO_OCTETS } from '@socksmith/protocol'
import { IdleWheel } from '../idle-wheel.ts'
import type { Idling } from '../idle-wheel.ts'
import type {
  CloseCause,
  Clock,
  Connection,
  ConnectionReader,
  Meter,
  Relay,
  RelayEnd,
  RelayMeters,
  RelayOptions,
  Timer,
} from '../ports.ts'
import { NodeConnection } from './node-connection.ts'

/**
 * Milliseconds between two looks at a side that is not read. Node does not watch such a socket, so that its RST would be
 * noticed when the other side takes octets again, which may be never.
 */
const RESET_LOOK_MS = 1_000

type Side = 'client' | 'target'

/** Starts to carry. */
export function startRelay(options: RelayOptions, clock: Clock, wheel: IdleWheel): Relay {
  return new NodeRelay(options, clock, wheel)
}

class NodeRelay implements Relay, Idling {
  readonly #options: RelayOptions
  readonly #clock: Clock
  readonly #wheel: IdleWheel
  readonly #up: Direction
  readonly #down: Direction
  #activeAtMs: number
  #end: { readonly cause: CloseCause; readonly by: RelayEnd['by'] } | undefined
  #firstFin: Side | undefined
  #openSides = 2
  #unsentOctets = 0

  constructor(options: RelayOptions, clock: Clock, wheel: IdleWheel) {
    this.#options = options
    this.#clock = clock
    this.#wheel = wheel
    this.#activeAtMs = clock.monotonicMs()
    this.#up = new Direction(this, clock, 'client', options.client, options.target)
    this.#down = new Direction(this, clock, 'target', options.target, options.client)
    if (options.meters !== undefined) this.useMeters(options.meters)
    this.#up.start(options.toTarget)
    this.#down.start(options.toClient)
    wheel.watch(this)
  }

  get clientToTarget(): number {
    return this.#up.carriedOctets
  }

  get targetToClient(): number {
    return this.#down.carriedOctets
  }

  useMeters({ up, down }: RelayMeters): void {
    this.#up.useMeter(up)
    this.#down.useMeter(down)
  }

  close(): void {
    this.#endBoth('destroyed')
  }

  idleAtMs(): number {
    const { idleMs, halfOpenIdleMs, client, target } = this.#options
    // A reader that is only slow takes from what waits, while the source is paused and says nothing.
    const unsentOctets = client.unsentOctets + target.unsentOctets
    const isHeldUp = this.#up.isHeldUp || this.#down.isHeldUp
    if (unsentOctets !== this.#unsentOctets || isHeldUp) this.onActivity()
    this.#unsentOctets = unsentOctets
    const limitMs = this.#firstFin === undefined ? idleMs : halfOpenIdleMs
    return limitMs === 0 ? Infinity : this.#activeAtMs + limitMs
  }

  onIdle(): void {
    this.#endBoth('idle')
  }

  onActivity(): void {
    this.#activeAtMs = this.#clock.monotonicMs()
  }

  onFin(side: Side): void {
    this.onActivity()
    this.#firstFin ??= side
    // The limit of a half-open relay may be the shorter one.
    this.#wheel.watch(this)
  }

  onClose(side: Side, cause: CloseCause): void {
    const other = side === 'client' ? this.#options.target : this.#options.client
    if (cause === 'reset' || cause === 'error') {
      this.#end ??= { cause, by: side }
      other.reset()
    } else if (cause !== 'ended') {
      this.#end ??= { cause, by: 'us' }
      other.destroy()
    }
    this.#openSides--
    if (this.#openSides === 0) this.#finish()
  }

  #endBoth(cause: CloseCause): void {
    this.#end ??= { cause, by: 'us' }
    dropHonestly(this.#options.client)
    dropHonestly(this.#options.target)
  }

  #finish(): void {
    this.#wheel.forget(this)
    this.useMeters({})
    const { cause, by } = this.#end ?? { cause: 'ended', by: this.#firstFin ?? 'us' }
    this.#options.onEnd({ cause, by, clientToTarget: this.clientToTarget, targetToClient: this.targetToClient })
  }
}

/** What comes from one side, on its way to the other. */
class Direction implements ConnectionReader {
  carriedOctets = 0
  readonly #relay: NodeRelay
  readonly #clock: Clock
  readonly #side: Side
  readonly #from: Connection
  readonly #to: Connection
  /** The other side has not taken what it was given. */
  #isFull = false
  #meter: Meter | undefined
  #look: Timer | undefined

  constructor(relay: NodeRelay, clock: Clock, side: Side, from: Connection, to: Connection) {
    this.#relay = relay
    this.#clock = clock
    this.#side = side
    this.#from = from
    this.#to = to
  }

  /** It waits for its turn to carry what may be carried. */
  get isHeldUp(): boolean {
    return this.#meter?.isWaiting === true
  }

  /** Bounds what is carried from now on, or bounds it no more. */
  useMeter(meter: Meter | undefined): void {
    const before = this.#meter
    before?.close()
    this.#meter = meter
    if (meter !== undefined) meter.onReady = () => this.#goOn()
    if (before !== undefined) this.#goOn()
  }

  /** Sends what was read before the relay, and then what comes. */
  start(early: Uint8Array): void {
    this.carriedOctets = early.length
    if (early.length > 0) this.#to.write(early)
    this.#from.read(this)
    if (early.length > 0) this.#spend(early.length)
    this.#waitWhenFull()
  }

  onOctets(octets: Uint8Array): void {
    this.carriedOctets += octets.length
    this.#relay.onActivity()
    const { length } = octets
    // Others may have read into memory that they use again.
    if (this.#from instanceof NodeConnection && this.#to instanceof NodeConnection) this.#to.forward(octets)
    else this.#to.write(octets)
    this.#spend(length)
    this.#waitWhenFull()
  }

  onEnd(): void {
    this.#to.end()
    this.#relay.onFin(this.#side)
  }

  onClose(cause: CloseCause): void {
    this.#look?.cancel()
    this.#relay.onClose(this.#side, cause)
  }

  /** The first octet that the kernel does not take stops the source: Node still reads up to 128 KiB ahead, which waits too. */
  #waitWhenFull(): void {
    if (this.#isFull || this.#to.unsentOctets === 0) return
    this.#isFull = true
    this.#from.pause()
    this.#lookForReset()
    this.#to.onceSent(() => {
      this.#isFull = false
      this.#look?.cancel()
      this.#relay.onActivity()
      this.#goOn()
    })
  }

  /** To send nothing fails on a connection that was reset. Where octets wait to be sent, the kernel tells by itself. */
  #lookForReset(): void {
    this.#look = this.#clock.after(RESET_LOOK_MS, () => {
      if (this.#from.unsentOctets === 0) this.#from.write(NO_OCTETS)
      this.#lookForReset()
    })
  }

  #spend(octets: number): void {
    if (this.#meter?.spend(octets) === false) this.#from.pause()
  }

  /** Reads on, unless there is another reason to wait. */
  #goOn(): void {
    if (!this.#isFull && !this.isHeldUp) this.#from.resume()
  }
}

/** Ends a connection; with RST when octets for it are lost by that, so that its peer does not take a part for the whole. */
function dropHonestly(connection: Connection): void {
  if (connection.unsentOctets > 0) connection.reset()
  else connection.destroy()
}
