/**
 * One end of a tunnel: sends its pattern as planned, and checks every octet that comes. Knows no SOCKS; the other end of
 * the tunnel is another one of these.
 */
import type { CloseCause, ConnectionReader } from '@socksmith/engine'
import type { SimulatedConnection } from '../world/connection.ts'
import { PIECE_OCTETS_MAX, firstWrong, patternOctets } from '../world/pattern.ts'
import type { Physics } from '../world/physics.ts'
import type { Ending, TrafficPlan } from '../plan.ts'

/** Which pattern one end sends and which one it must get. */
export interface Keys {
  readonly sends: number
  readonly gets: number
}

export class Traffic implements ConnectionReader {
  readonly connection: SimulatedConnection
  readonly plan: TrafficPlan
  sentOctets = 0
  receivedOctets = 0
  hasHeardEnd = false
  cause: CloseCause | undefined
  readonly #physics: Physics
  readonly #name: string
  readonly #keys: Keys
  #step = 0

  constructor(physics: Physics, name: string, connection: SimulatedConnection, keys: Keys, plan: TrafficPlan) {
    this.#physics = physics
    this.#name = name
    this.connection = connection
    this.#keys = keys
    this.plan = plan
  }

  /** Begins; so much of the pattern was sent and received before. */
  start(sentOctets: number, received: Uint8Array): void {
    this.sentOctets = sentOctets
    this.connection.read(this)
    if (received.length > 0) this.onOctets(received)
    this.#next()
  }

  onOctets(octets: Uint8Array): void {
    const wrong = firstWrong(this.#keys.gets, this.receivedOctets, octets)
    if (wrong !== -1) {
      this.#physics.violated(`${this.#name}: octet ${this.receivedOctets + wrong} is not what was sent`)
    }
    if (this.hasHeardEnd || this.cause !== undefined) this.#physics.violated(`${this.#name}: octets behind the end`)
    this.receivedOctets += octets.length
  }

  onEnd(): void {
    this.#physics.log?.(`${this.#name}: FIN after ${this.receivedOctets} octets`)
    this.hasHeardEnd = true
  }

  onClose(cause: CloseCause): void {
    this.#physics.log?.(`${this.#name}: ${cause} after ${this.receivedOctets} octets`)
    this.cause = cause
  }

  /** Ends now, whatever was planned. */
  leave(how: Ending): void {
    this.#step = Infinity
    this.#end(how)
  }

  #next(): void {
    const action = this.plan.actions[this.#step++]
    if (this.#step === Infinity) return
    if (action === undefined) return this.#end(this.plan.ending)
    const { time } = this.#physics
    switch (action.kind) {
      case 'write':
        this.#write(action.octets)
        time.later(0, () => this.#next())
        break
      case 'wait':
        time.later(action.ms, () => this.#next())
        break
      case 'stall':
        this.connection.pause()
        time.later(action.ms, () => this.plan.ending !== 'stall' && this.connection.resume())
        this.#next()
    }
  }

  #write(octets: number): void {
    for (let left = octets; left > 0;) {
      const length = Math.min(left, PIECE_OCTETS_MAX)
      const before = this.connection.writtenOctets
      this.connection.write(patternOctets(this.#keys.sends, this.sentOctets, length))
      // Nothing is sent once the connection has ended.
      this.sentOctets += this.connection.writtenOctets - before
      left -= length
    }
  }

  #end(how: Ending): void {
    this.#physics.log?.(`${this.#name}: ${how} after sending ${this.sentOctets} octets`)
    switch (how) {
      case 'fin':
        this.connection.end()
        break
      case 'reset':
        this.connection.reset()
        break
      case 'destroy':
        this.connection.destroy()
        break
      case 'stall':
        this.connection.pause()
        break
      case 'vanish':
        break
    }
  }
}
