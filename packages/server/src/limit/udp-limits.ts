/** The limits of one association: each destination counts where the rule counts that allowed it. Knows no socket. */
import { type Destination, type Failure, formatDestination } from '@socksmith/protocol'
import type { Granted } from '../session-rules.ts'
import type { Held, Share } from './lease.ts'
import type { SessionLimits } from './session-limits.ts'

/** Destinations whose share is known: as many as verdicts are kept. */
const DESTINATIONS_MAX = 4_096

export class UdpLimits {
  readonly #limits: SessionLimits
  readonly #shares = new Map<string, Share>()
  /** Of a destination whose datagrams no limit bounds: `undefined`. */
  readonly #shareOf = new Map<string, Share | undefined>()

  constructor(limits: SessionLimits) {
    this.#limits = limits
  }

  /** Takes what the limits on this destination ask for, where that was not done yet; why it cannot be. */
  admit(granted: Granted, destination: Destination): Failure | undefined {
    const held = this.#limits.join(granted)
    if ('code' in held) return held
    if (this.#shareOf.size >= DESTINATIONS_MAX) this.#shareOf.clear()
    const share = this.#sharedBy(held)
    if (share === undefined) {
      if (this.#limits.mayApply) this.#shareOf.set(formatDestination(destination), undefined)
      return undefined
    }
    this.#shareOf.set(formatDestination(destination), share)
    // Answers may come from another port.
    this.#shareOf.set(formatDestination({ ...destination, port: 0 }), share)
    return undefined
  }

  /** Where datagrams to or from here are counted; `undefined`: nowhere. */
  shareOf(destination: Destination): Share | undefined {
    if (this.#shareOf.size === 0) return undefined
    const exactly = formatDestination(destination)
    const key = this.#shareOf.has(exactly) ? exactly : formatDestination({ ...destination, port: 0 })
    return this.#shareOf.get(key)
  }

  /** The rules have changed: every destination is looked at anew. */
  forget(): void {
    this.#shareOf.clear()
  }

  #sharedBy(held: readonly Held[]): Share | undefined {
    if (held.length === 0) return undefined
    const key = JSON.stringify(held.map(({ account, limit }) => [account, limit.amounts]))
    const share = this.#shares.get(key) ?? this.#limits.share(held)
    if (share !== undefined) this.#shares.set(key, share)
    return share
  }
}
