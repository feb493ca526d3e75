/** Counts what is limited, and tells once in a while that a limit refuses newcomers. Knows no connection. */
import type { Clock, Place } from '@socksmith/engine'
import { latin1Text, unmapped } from '@socksmith/protocol'
import type { ServerEvent } from './event.ts'
import type { Limits } from './options.ts'

type LimitName = Extract<ServerEvent, { kind: 'limit' }>['limit']

/** One warning of a kind in this time: a flood must not become a flood of log lines. */
const WARNING_INTERVAL_MS = 10_000

/** Unix sockets have no address: they are counted together. */
const UNIX_CLIENTS = 'unix'

/** Gives back what was taken. To be called once. */
export type Release = () => void

export class Admission {
  readonly #limits: Limits
  readonly #clock: Clock
  readonly #warn: (limit: LimitName, refused: number) => void
  readonly #inUse: { [L in LimitName]: number } = {
    connections: 0,
    connectionsPerClient: 0,
    pendingDials: 0,
    udpAssociations: 0,
  }
  readonly #perClient = new Map<string, number>()
  readonly #refused = new Map<LimitName, { count: number; warnedAtMs: number }>()

  constructor(limits: Limits, clock: Clock, warn: (limit: LimitName, refused: number) => void) {
    this.#limits = limits
    this.#clock = clock
    this.#warn = warn
  }

  /** Takes one of a limit that holds for the whole server; `undefined` when there is none left. */
  take(limit: Exclude<LimitName, 'connectionsPerClient'>): Release | undefined {
    if (this.#inUse[limit] >= this.#limits[limit]) return this.#refuse(limit)
    this.#inUse[limit]++
    return () => {
      this.#inUse[limit]--
    }
  }

  /** Takes one of this client's connections. */
  takeClient(client: Place): Release | undefined {
    const key = client.kind === 'unix' ? UNIX_CLIENTS : latin1Text(unmapped(client.endpoint.address).octets)
    const count = this.#perClient.get(key) ?? 0
    if (count >= this.#limits.connectionsPerClient) return this.#refuse('connectionsPerClient')
    this.#perClient.set(key, count + 1)
    return () => {
      const left = (this.#perClient.get(key) ?? 1) - 1
      if (left === 0) this.#perClient.delete(key)
      else this.#perClient.set(key, left)
    }
  }

  #refuse(limit: LimitName): undefined {
    const nowMs = this.#clock.monotonicMs()
    const refused = this.#refused.get(limit) ?? { count: 0, warnedAtMs: Number.NEGATIVE_INFINITY }
    refused.count++
    this.#refused.set(limit, refused)
    if (nowMs - refused.warnedAtMs < WARNING_INTERVAL_MS) return undefined
    this.#warn(limit, refused.count)
    refused.count = 0
    refused.warnedAtMs = nowMs
    return undefined
  }
}
