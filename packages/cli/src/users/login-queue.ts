/**
 * Whose password is hashed next: a few at once, clients without failures first, and each client in turn, so that a flood
 * of one waits for itself. Knows no password.
 */

/** Logins of one client that may wait; a suspect needs fewer than an office behind one address. */
const WAITING_OF_ONE_MAX = { clean: 250, suspect: 16 } as const
/** At 50 ms a hash and two at once the last of these waits 25 s, which is within the time for a handshake. */
const WAITING_MAX = 1_000

export type Standing = keyof typeof WAITING_OF_ONE_MAX

type Lane = (() => void)[]

export class LoginQueue {
  readonly #atOnceMax: number
  // In the order of their turns: whoever had his is put to the end.
  readonly #lanes: { readonly [S in Standing]: Map<string, Lane> } = { clean: new Map(), suspect: new Map() }
  #running = 0
  #waiting = 0

  constructor(atOnceMax: number) {
    this.#atOnceMax = atOnceMax
  }

  /** Resolves when it is this client's turn, which `done` ends; false at once when too many wait. */
  async turn(client: string, standing: Standing): Promise<boolean> {
    if (this.#running < this.#atOnceMax) {
      this.#running++
      return true
    }
    const lanes = this.#lanes[standing]
    const lane = lanes.get(client) ?? []
    // Whoever is no suspect is let in where suspects fill the queue.
    const suspects = standing === 'clean' ? 0 : this.#waiting
    if (lane.length >= WAITING_OF_ONE_MAX[standing] || suspects >= WAITING_MAX) return false
    if (this.#waiting >= WAITING_MAX * 2) return false
    lanes.set(client, lane)
    this.#waiting++
    await new Promise<void>(resolve => lane.push(resolve))
    return true
  }

  /** A turn is over. */
  done(): void {
    const next = this.#next(this.#lanes.clean) ?? this.#next(this.#lanes.suspect)
    if (next === undefined) this.#running--
    else next()
  }

  #next(lanes: Map<string, Lane>): (() => void) | undefined {
    for (const [client, lane] of lanes) {
      const next = lane.shift()
      lanes.delete(client)
      if (lane.length > 0) lanes.set(client, lane)
      this.#waiting--
      return next
    }
    return undefined
  }
}
