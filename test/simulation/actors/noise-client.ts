/** A client that speaks no protocol, or stops in the middle of one. It judges nothing. */
import type { Ending, NoisePlan } from '../plan.ts'
import type { SimulatedConnection } from '../world/connection.ts'
import type { Physics } from '../world/physics.ts'

export class NoiseClient {
  readonly #physics: Physics
  readonly #plan: NoisePlan
  readonly #connection: SimulatedConnection
  #at = 0

  constructor(physics: Physics, plan: NoisePlan, connection: SimulatedConnection) {
    this.#physics = physics
    this.#plan = plan
    this.#connection = connection
  }

  start(preface: Uint8Array): void {
    this.#connection.read({ onOctets() {}, onEnd() {}, onClose() {} })
    this.#connection.write(preface)
    this.#next()
  }

  leave(how: Ending): void {
    this.#at = Infinity
    if (how === 'fin') this.#connection.end()
    else if (how === 'reset') this.#connection.reset()
    else if (how === 'destroy') this.#connection.destroy()
  }

  #next(): void {
    if (this.#at === Infinity) return
    const piece = this.#plan.pieces[this.#at++]
    if (piece === undefined) return this.leave(this.#plan.ending)
    // The array is the engine's from then on.
    this.#connection.write(piece.slice())
    this.#physics.time.later(this.#physics.random.next() * this.#plan.gapMs, () => this.#next())
  }
}
