/** The limits of one association: each destination counts where the rule counts that allowed it. Knows no socket. */
import { type Destination, type Failure, formatDestination } from '@socksmith/protocol'
import type { Granted } from '../session-rules.ts'
import type { Share } from './lease.ts'
import type { SessionLimits } from './session-limits.ts'

/** Destinations whose share is known: as many as verdicts are kept. */
const DESTINATIONS_MAX = 4_096

export class UdpLimits {
  readonly #limits: SessionLimits
  readonly #shares = new Map<string, Share>()
  readonly #shareOf = new Map<string, Share>()

  constructor(limits: SessionLimits) {
    this.#limits = limits
  }

  /** Takes what the limits on this destination ask for, where that was not done yet; why it cannot be. */
  admit(granted: Granted, destination: Destination): Failure | undefined {
    const held = this.#limits.join(granted)
    if ('code' in held) return held
    if (held.length === 0) return undefined
    const key = JSON.stringify(held.map(({ account, limit }) => [account, limit.amounts]))
    const share = this.#shares.get(key) ?? this.#limits.share(held)
    if (share === undefined) return undefined
    this.#shares.set(key, share)
    if (this.#shareOf.size >= DESTINATIONS_MAX) this.#shareOf.clear()
    this.#shareOf.set(formatDestination(destination), share)
    // Answers may come from another port.
    this.#shareOf.set(formatDestination({ ...destination, port: 0 }), share)
    return undefined
  }

  /** Where datagrams to or from here are counted; `undefined`: nowhere. */
  shareOf(destination: Destination): Share | undefined {
    if (this.#shareOf.size === 0) return undefined
    return (
      this.#shareOf.get(formatDestination(destination)) ??
      this.#shareOf.get(formatDestination({ ...destination, port: 0 }))
    )
  }

  /** The rules have changed: every destination is looked at anew. */
  forget(): void {
    this.#shareOf.clear()
  }
}
