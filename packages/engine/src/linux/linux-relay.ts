/**
 * Joins two connections of this engine. Small traffic goes through the buffer that all share; bulk is moved by `splice`
 * through a pipe from the pool, which is held only while octets are in it. An idle tunnel holds neither.
 */
import type { IdleWheel, Idling } from '../idle-wheel.ts'
import { RELAY_BUFFER_OCTETS_MAX } from '../ports.ts'
import type { CloseCause, Clock, Meter, Relay, RelayEnd, RelayMeters, RelayOptions } from '../ports.ts'
import { EAGAIN, SHUT_WR, SPLICE_F_MOVE, SPLICE_F_NONBLOCK } from './abi.ts'
import type { EventLoop, Task } from './event-loop.ts'
import { type Carrier, type LinuxConnection, READ_BUFFER, READ_OCTETS } from './linux-connection.ts'
import type { Pipe, PipePool } from './pipe-pool.ts'

/** Reads (or moves through a pipe) of one direction until the other tunnels have their turn. */
const ROUNDS_A_TURN = 8
/** Two reads in a row that fill half the buffer are bulk. */
const BULK_READ_OCTETS = READ_OCTETS / 2
const BULK_READS = 2
/** A turn of bulk that moved less than this was none: the next one copies, which takes fewer calls. */
const BULK_TURN_OCTETS = READ_OCTETS / 4
/** Octets in a pipe whose reader stalls; together with what the kernel holds that is all there is. */
const PIPE_FILL_OCTETS_MAX = RELAY_BUFFER_OCTETS_MAX

/** What the relays of one thread share. */
export interface RelayGround {
  readonly loop: EventLoop
  readonly pipes: PipePool
  readonly clock: Clock
  readonly wheel: IdleWheel
}

export type LinuxRelayOptions = RelayOptions & { readonly client: LinuxConnection; readonly target: LinuxConnection }

/** Starts to carry. */
export function startLinuxRelay(ground: RelayGround, options: LinuxRelayOptions): Relay {
  const relay = new LinuxRelay(ground, options)
  relay.start(options)
  return relay
}

class LinuxRelay implements Relay, Idling, Carrier {
  readonly ground: RelayGround
  readonly #client: LinuxConnection
  readonly #target: LinuxConnection
  readonly #up: Flow
  readonly #down: Flow
  readonly #idleMs: number
  readonly #halfOpenIdleMs: number
  readonly #onEnd: (end: RelayEnd) => void
  activeAtMs: number
  #firstFin: 'client' | 'target' | undefined
  #isOver = false
  #unsentOctets = 0

  constructor(ground: RelayGround, options: LinuxRelayOptions) {
    this.ground = ground
    this.#client = options.client
    this.#target = options.target
    this.#idleMs = options.idleMs
    this.#halfOpenIdleMs = options.halfOpenIdleMs
    this.#onEnd = options.onEnd
    this.activeAtMs = ground.clock.monotonicMs()
    this.#up = new Flow(this, options.client, options.target)
    this.#down = new Flow(this, options.target, options.client)
    if (options.meters !== undefined) this.useMeters(options.meters)
  }

  get clientToTarget(): number {
    return this.#up.octets
  }

  get targetToClient(): number {
    return this.#down.octets
  }

  start({ toTarget, toClient }: LinuxRelayOptions): void {
    this.#client.join(this)
    this.#target.join(this)
    this.#up.begin(toTarget)
    this.#down.begin(toClient)
    this.ground.wheel.watch(this)
    // One of them may have been closed before it was joined.
    for (const one of [this.#client, this.#target]) if (one.isClosed) this.onGone(one, 'reset')
  }

  useMeters({ up, down }: RelayMeters): void {
    this.#up.useMeter(up)
    this.#down.useMeter(down)
  }

  close(): void {
    this.#endBoth('destroyed')
  }

  idleAtMs(): number {
    // A reader that is only slow takes from what waits, while the source is paused and says nothing.
    const unsentOctets = this.#client.unsentOctets + this.#target.unsentOctets
    const isHeldUp = this.#up.isHeldUp || this.#down.isHeldUp
    if (unsentOctets !== this.#unsentOctets || isHeldUp) this.activeAtMs = this.ground.clock.monotonicMs()
    this.#unsentOctets = unsentOctets
    const limitMs = this.#firstFin === undefined ? this.#idleMs : this.#halfOpenIdleMs
    return limitMs === 0 ? Infinity : this.activeAtMs + limitMs
  }

  onIdle(): void {
    this.#endBoth('idle')
  }

  onReady(connection: LinuxConnection): void {
    const [from, to] = connection === this.#client ? [this.#up, this.#down] : [this.#down, this.#up]
    if (connection.isReadable) from.pump()
    if (connection.isWritable && to.isBlocked && !this.#isOver) to.pump()
  }

  heldFor(connection: LinuxConnection): number {
    return connection === this.#target ? this.#up.inPipe : this.#down.inPipe
  }

  /** The source of this flow sent FIN, and it has been passed on. */
  onFin(flow: Flow): void {
    this.#firstFin ??= flow === this.#up ? 'client' : 'target'
    if (this.#up.isDone && this.#down.isDone) return this.#finish('ended', this.#firstFin)
    // The limit of a half-open relay may be the shorter one.
    this.ground.wheel.watch(this)
  }

  onGone(connection: LinuxConnection, cause: CloseCause): void {
    if (cause === 'destroyed' || cause === 'ended') return this.#finish('destroyed', 'us')
    const [side, other] =
      connection === this.#client ? (['client', this.#target] as const) : (['target', this.#client] as const)
    this.#finish(cause, side, [other])
  }

  // With RST where octets are lost by it, so that the peer does not take a part for the whole.
  #endBoth(cause: CloseCause): void {
    const lossy = [this.#client, this.#target].filter(one => one.unsentOctets > 0)
    this.#finish(cause, 'us', lossy)
  }

  #finish(cause: CloseCause, by: RelayEnd['by'], lossy: readonly LinuxConnection[] = []): void {
    if (this.#isOver) return
    this.#isOver = true
    this.ground.wheel.forget(this)
    for (const flow of [this.#up, this.#down]) {
      flow.release()
      flow.useMeter(undefined)
    }
    for (const one of [this.#client, this.#target]) {
      if (lossy.includes(one)) one.closeByReset('destroyed')
      else one.close('destroyed')
    }
    const end: RelayEnd = { cause, by, clientToTarget: this.clientToTarget, targetToClient: this.targetToClient }
    queueMicrotask(() => this.#onEnd(end))
  }
}

/** What comes from one side, on its way to the other. */
class Flow implements Task {
  isQueued = false
  octets = 0
  inPipe = 0
  /** FIN was read and passed on. */
  isDone = false
  readonly #relay: LinuxRelay
  readonly #from: LinuxConnection
  readonly #to: LinuxConnection
  #pipe: Pipe | undefined
  #bigReads = 0
  #meter: Meter | undefined

  constructor(relay: LinuxRelay, from: LinuxConnection, to: LinuxConnection) {
    this.#relay = relay
    this.#from = from
    this.#to = to
  }

  /** It has octets that the other side's kernel did not take. */
  get isBlocked(): boolean {
    return this.inPipe > 0 || this.#to.unsentOctets > 0
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
    if (meter !== undefined) meter.onReady = () => this.#relay.ground.loop.soon(this)
    // Whoever waited for the meter before is not called back any more.
    if (before !== undefined) this.#relay.ground.loop.soon(this)
  }

  /** Sends what was read before the relay, and goes on with what comes. */
  begin(early: Uint8Array): void {
    this.octets = early.length
    if (early.length > 0) this.#meter?.spend(early.length)
    this.#to.write(early)
    this.#relay.ground.loop.soon(this)
  }

  takeTurn(): void {
    this.pump()
  }

  /** Moves what can be moved now. */
  pump(): void {
    if (this.isDone || this.#from.fd < 0 || this.#to.fd < 0) return
    const before = this.octets
    let rounds = 0
    while (rounds < ROUNDS_A_TURN && this.#moveOnce()) rounds++
    if (this.#from.fd < 0 || this.#to.fd < 0) return
    if (rounds > 0 || this.octets !== before) this.#relay.activeAtMs = this.#relay.ground.clock.monotonicMs()
    if (this.#pipe !== undefined) {
      if (this.octets - before < BULK_TURN_OCTETS && rounds < ROUNDS_A_TURN) this.#bigReads = 0
      if (this.inPipe === 0) this.#giveBack()
    }
    if (rounds === ROUNDS_A_TURN) this.#relay.ground.loop.soon(this)
  }

  /** Lets go of the pipe, and of the octets in it. */
  release(): void {
    const pipe = this.#pipe
    if (pipe === undefined) return
    this.#pipe = undefined
    if (this.inPipe === 0) this.#relay.ground.pipes.giveBack(pipe)
    else this.#relay.ground.pipes.discard(pipe)
    this.inPipe = 0
  }

  #giveBack(): void {
    if (this.#pipe !== undefined) this.#relay.ground.pipes.giveBack(this.#pipe)
    this.#pipe = undefined
  }

  /** One step; true when another one may move more. */
  #moveOnce(): boolean {
    if (!this.#to.flush()) return false
    if (this.#pipe !== undefined) return this.#splice(this.#pipe)
    if (this.#from.hasReadEnd) return this.#passEnd()
    if (!this.#from.isReadable) return false
    if (this.#bigReads < BULK_READS) return this.#copy()
    // None to be had: descriptors are short, and a copy needs none.
    this.#pipe = this.#relay.ground.pipes.take()
    return this.#pipe === undefined ? this.#copy() : this.#splice(this.#pipe)
  }

  #copy(): boolean {
    const { calls } = this.#relay.ground.loop
    const from = this.#from
    const most = this.#meter === undefined ? READ_OCTETS : this.#meter.take(READ_OCTETS)
    if (most === 0) return false
    const count = calls.recv(from.fd, READ_BUFFER, most, 0)
    if (count <= 0) {
      const goesOn = this.#onNothing(count)
      this.#meter?.giveBack(most)
      return goesOn
    }
    if (count < most) this.#meter?.giveBack(most - count)
    this.octets += count
    this.#bigReads = count < BULK_READ_OCTETS ? 0 : this.#bigReads + 1
    if (count < most && !from.isEndComing) from.isReadable = false
    const to = this.#to
    const sent = to.isWritable ? to.send(READ_BUFFER, count) : 0
    if (sent === count) return true
    // The buffer is everybody's: what the kernel did not take is copied, once.
    if (to.fd >= 0) to.queue(READ_BUFFER.subarray(sent, count).slice())
    return false
  }

  /** A read brought no octets: FIN, nothing yet, or an error. */
  #onNothing(count: number): boolean {
    if (count < 0) {
      this.#from.onReadError(this.#relay.ground.loop.calls.errno())
      return false
    }
    this.#from.isReadable = false
    this.#from.hasReadEnd = true
    return true
  }

  #splice(pipe: Pipe): boolean {
    const hasFilled = this.#fill(pipe)
    if (this.#from.fd < 0) return false
    const hasDrained = this.inPipe > 0 && this.#to.isWritable && this.#drain(pipe)
    if (this.#to.fd < 0) return false
    if (this.inPipe === 0 && this.#from.hasReadEnd) return this.#passEnd()
    return hasFilled || hasDrained
  }

  #fill(pipe: Pipe): boolean {
    const { calls } = this.#relay.ground.loop
    const from = this.#from
    const space = PIPE_FILL_OCTETS_MAX - this.inPipe
    if (!from.isReadable || from.hasReadEnd || space <= 0) return false
    const room = this.#meter === undefined ? space : this.#meter.take(space)
    if (room === 0) return false
    const count = calls.splice(from.fd, null, pipe.write, null, room, SPLICE_F_MOVE | SPLICE_F_NONBLOCK)
    const errno = count < 0 ? calls.errno() : 0
    if (count < room) this.#meter?.giveBack(room - Math.max(0, count))
    if (count > 0) {
      this.inPipe += count
      this.octets += count
      return true
    }
    if (count === 0) {
      from.isReadable = false
      from.hasReadEnd = true
      return true
    }
    // EAGAIN of a pipe that holds octets may mean that it has no slot left; of an empty one, that nothing is there to read.
    if (errno !== EAGAIN || this.inPipe === 0) from.onReadError(errno)
    return false
  }

  #drain(pipe: Pipe): boolean {
    const { calls } = this.#relay.ground.loop
    const count = calls.splice(pipe.read, null, this.#to.fd, null, this.inPipe, SPLICE_F_MOVE | SPLICE_F_NONBLOCK)
    if (count > 0) {
      this.inPipe -= count
      if (this.inPipe === 0) this.#to.tellSent()
      return true
    }
    this.#to.onWriteError(calls.errno())
    return false
  }

  #passEnd(): boolean {
    this.isDone = true
    this.#to.hasSentEnd = true
    this.#relay.ground.loop.calls.shutdown(this.#to.fd, SHUT_WR)
    this.#relay.onFin(this)
    return false
  }
}
