/**
 * Keeps to the limits on connections, dials, associations and descriptors, and tells once in a while that one refuses
 * newcomers. A connection has one descriptor; what it asks for takes more.
 */
import type { Clock, Engine, Place } from '@socksmith/engine'
import { type Failure, type IpAddress, failure } from '@socksmith/protocol'
import type { ServerEvent } from './event.ts'
import type { Limits } from './options.ts'
import type { Counted, Tally } from './tally.ts'

type LimitName = Extract<ServerEvent, { kind: 'limit' }>['limit']

/** Descriptors that no client gets: listeners, logs, name servers, the runtime's own. */
export const DESCRIPTORS_RESERVED = 64

/**
 * A newcomer is let in where a second descriptor is left for what it will ask for. Beyond this share of all of them the
 * second is no longer kept: so many at once in their handshakes are too slow to ask in the same moment, and whoever asks when
 * none is left is refused.
 */
const KEPT_SHARE = 1 / 8

const NO_DESCRIPTOR: Failure = failure(
  'too_busy',
  'us',
  'this process may not open more descriptors; raise its limit (ulimit -n)',
)

/** One warning of a kind in this time: a flood must not become a flood of log lines. */
const WARNING_INTERVAL_MS = 10_000

export class Admission {
  readonly #limits: Limits
  /** For clients. */
  readonly #descriptors: number
  readonly #clock: Clock
  readonly #tally: Tally
  readonly #warn: (limit: LimitName, refused: number) => void
  readonly #refused = new Map<LimitName, { count: number; warnedAtMs: number }>()

  constructor(
    limits: Limits,
    { clock, descriptorsMax }: Pick<Engine, 'clock' | 'descriptorsMax'>,
    tally: Tally,
    warn: (limit: LimitName, refused: number) => void,
  ) {
    this.#limits = limits
    this.#descriptors = Math.min(Number.MAX_SAFE_INTEGER, Math.max(2, descriptorsMax - DESCRIPTORS_RESERVED))
    this.#clock = clock
    this.#tally = tally
    this.#warn = warn
  }

  /** Tunnels at once for which the descriptors are enough. */
  get tunnelsMax(): number {
    return Math.floor(this.#descriptors / 2)
  }

  /** Takes one of a limit that holds for all clients together; false when there is none left. */
  take(counted: Exclude<Counted, 'connections' | 'descriptors'>): boolean {
    return this.#tally.take(counted, this.#limits[counted]) || this.#refuse(counted)
  }

  /** Takes one of the connections with its descriptor; false when there is none left. */
  takeConnection(): boolean {
    const { connections: wanted } = this.#limits
    const free = this.#descriptors - this.#tally.count('descriptors')
    const kept = Math.max(1, Math.floor(this.#descriptors * KEPT_SHARE))
    const most = Math.min(free, Math.max(this.tunnelsMax, free - kept))
    if (this.#tally.take('connections', Math.min(wanted, most))) return true
    return this.#refuse(most < wanted ? 'descriptors' : 'connections')
  }

  /** Takes a descriptor for what a client asked for; false when there is none left. */
  takeDescriptor(): boolean {
    const most = this.#descriptors - this.#tally.count('connections')
    return this.#tally.take('descriptors', most) || this.#refuse('descriptors')
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

/** The one descriptor of whoever takes it. */
export class HeldDescriptor {
  readonly #admission: Admission
  #isTaken = false

  constructor(admission: Admission) {
    this.#admission = admission
  }

  /** Takes it, unless that is done already; why there is none. */
  take(): Failure | undefined {
    this.#isTaken ||= this.#admission.takeDescriptor()
    return this.#isTaken ? undefined : NO_DESCRIPTOR
  }

  giveBack(): void {
    if (this.#isTaken) this.#admission.giveBack('descriptors')
    this.#isTaken = false
  }
}

function addressOf(client: Place): IpAddress | undefined {
  return client.kind === 'ip' ? client.endpoint.address : undefined
}
