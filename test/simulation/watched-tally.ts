/** The server's counts, watched: nothing is given back twice, no limit is passed, and refusals are remembered. */
import { type IpAddress, formatAddress } from '@socksmith/protocol'
import type { Counted, Tally } from '@socksmith/server'
import { COUNTED, createTally } from '../../packages/server/src/tally.ts'
import type { Physics } from './world/physics.ts'

export class WatchedTally implements Tally {
  /** How often somebody was refused, by any limit. */
  refusals = 0
  readonly #tally = createTally()
  readonly #physics: Physics
  readonly #clients = new Map<string, number>()

  constructor(physics: Physics) {
    this.#physics = physics
  }

  /** Everything that is still taken. */
  get taken(): number {
    const shared = COUNTED.reduce((sum, one) => sum + this.count(one), 0)
    return shared + [...this.#clients.values()].reduce((sum, count) => sum + count, 0)
  }

  take(counted: Counted, most: number): boolean {
    return this.#noted(this.#tally.take(counted, most))
  }

  giveBack(counted: Counted): void {
    if (this.count(counted) <= 0) this.#physics.violated(`${counted}: more given back than taken`)
    this.#tally.giveBack(counted)
  }

  count(counted: Counted): number {
    return this.#tally.count(counted)
  }

  takeClient(client: IpAddress | undefined, most: number): boolean {
    const isTaken = this.#noted(this.#tally.takeClient(client, most))
    if (isTaken) this.#clients.set(keyOf(client), (this.#clients.get(keyOf(client)) ?? 0) + 1)
    return isTaken
  }

  giveBackClient(client: IpAddress | undefined): void {
    const left = (this.#clients.get(keyOf(client)) ?? 0) - 1
    if (left < 0) this.#physics.violated('a client: more given back than taken')
    this.#clients.set(keyOf(client), left)
    this.#tally.giveBackClient(client)
  }

  nextId(): number {
    return this.#tally.nextId()
  }

  #noted(isTaken: boolean): boolean {
    if (!isTaken) this.refusals++
    return isTaken
  }
}

function keyOf(client: IpAddress | undefined): string {
  return client === undefined ? '' : formatAddress(client)
}
