/** Keeps to the limits on connections, dials and associations, and tells once in a while that one refuses newcomers. */
import type { Clock, Place } from '@socksmith/engine'
import type { IpAddress } from '@socksmith/protocol'
import type { ServerEvent } from './event.ts'
import type { Limits } from './options.ts'
import type { Counted, Tally } from './tally.ts'

type LimitName = Extract<ServerEvent, { kind: 'limit' }>['limit']

/** One warning of a kind in this time: a flood must not become a flood of log lines. */
const WARNING_INTERVAL_MS = 10_000

export class Admission {
  readonly #limits: Limits
  readonly #clock: Clock
  readonly #tally: Tally
  readonly #warn: (limit: LimitName, refused: number) => void
  readonly #refused = new Map<LimitName, { count: number; warnedAtMs: number }>()

  constructor(limits: Limits, clock: Clock, tally: Tally, warn: (limit: LimitName, refused: number) => void) {
    this.#limits = limits
    this.#clock = clock
    this.#tally = tally
    this.#warn = warn
  }

  /** Takes one of a limit that holds for all clients together; false when there is none left. */
  take(counted: Counted): boolean {
    return this.#tally.take(counted, this.#limits[counted]) || this.#refuse(counted)
  }

  /** Gives one back. To be called once for each that was taken. */
  giveBack(counted: Counted): void {
    this.#tally.giveBack(counted)
  }

  /** Takes one of this client's connections; false when it has too many. */
  takeClient(client: Place): boolean {
    const taken = this.#tally.takeClient(addressOf(client), this.#limits.connectionsPerClient)
    return taken || this.#refuse('connectionsPerClient')
  }

  giveBackClient(client: Place): void {
    this.#tally.giveBackClient(addressOf(client))
  }

  /** The number of the next session. */
  nextId(): number {
    return this.#tally.nextId()
  }

  #refuse(limit: LimitName): false {
    const nowMs = this.#clock.monotonicMs()
    const refused = this.#refused.get(limit) ?? { count: 0, warnedAtMs: Number.NEGATIVE_INFINITY }
    refused.count++
    this.#refused.set(limit, refused)
    if (nowMs - refused.warnedAtMs < WARNING_INTERVAL_MS) return false
    this.#warn(limit, refused.count)
    refused.count = 0
    refused.warnedAtMs = nowMs
    return false
  }
}

function addressOf(client: Place): IpAddress | undefined {
  return client.kind === 'ip' ? client.endpoint.address : undefined
}
