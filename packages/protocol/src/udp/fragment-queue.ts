/** The reassembly queue of one association (RFC 1928 section 7). Time is an argument; nothing here waits. */
import { type Destination, sameAddress } from '../address.ts'
import { concat } from '../octets.ts'
import type { Socks5Datagram } from '../wire/socks5-udp.ts'

/** RFC 1928 section 7: the reassembly timer must be no less than five seconds. */
export const REASSEMBLY_MS = 5_000
/** The largest payload of a UDP datagram over IPv4; more cannot be sent on. */
export const REASSEMBLED_OCTETS_MAX = 65_507

const END_OF_SEQUENCE = 0x80
const POSITION = 0x7f

/** What the queue did with a datagram; `data` is there when one is complete. */
export type FragmentAction =
  | { readonly action: 'queue' | 'reset_then_queue' | 'drop_reset' | 'drop_duplicate' }
  | { readonly action: 'deliver' | 'reset_then_deliver'; readonly destination: Destination; readonly data: Uint8Array }

export class FragmentQueue {
  #parts: Uint8Array[] = []
  #octets = 0
  #destination: Destination | undefined
  #startedAtMs = 0
  readonly #timerMs: number

  constructor(timerMs: number = REASSEMBLY_MS) {
    this.#timerMs = timerMs
  }

  /** Octets that wait for the rest of their sequence. */
  get heldOctets(): number {
    return this.#octets
  }

  /** Takes a datagram that arrived at `nowMs`; its data is copied when it has to wait. */
  offer(datagram: Socks5Datagram, nowMs: number): FragmentAction {
    if (this.#parts.length > 0 && nowMs - this.#startedAtMs >= this.#timerMs) this.#reset()
    const interrupted = this.#parts.length > 0
    if (datagram.frag === 0) {
      this.#reset()
      const action = interrupted ? 'reset_then_deliver' : 'deliver'
      return { action, destination: datagram.destination, data: datagram.data }
    }
    const position = datagram.frag & POSITION
    // FRAG less than the highest processed: the queue is abandoned, and this may begin a new sequence.
    const lower = position !== 0 && position < this.#parts.length
    if (lower) this.#reset()
    else if (position !== 0 && position === this.#parts.length) return { action: 'drop_duplicate' }
    if (!this.#fits(datagram, position)) {
      this.#reset()
      return { action: 'drop_reset' }
    }
    return this.#append(datagram, nowMs, lower)
  }

  // In-order arrival is the only way to complete: a late fragment would be lower than the highest.
  #fits(datagram: Socks5Datagram, position: number): boolean {
    if (position !== this.#parts.length + 1) return false
    if (this.#octets + datagram.data.length > REASSEMBLED_OCTETS_MAX) return false
    return this.#destination === undefined || sameDestination(this.#destination, datagram.destination)
  }

  #append(datagram: Socks5Datagram, nowMs: number, afterReset: boolean): FragmentAction {
    if (this.#parts.length === 0) {
      this.#destination = datagram.destination
      this.#startedAtMs = nowMs
    }
    this.#parts.push(new Uint8Array(datagram.data))
    this.#octets += datagram.data.length
    if ((datagram.frag & END_OF_SEQUENCE) === 0) return { action: afterReset ? 'reset_then_queue' : 'queue' }
    const data = concat(this.#parts)
    this.#reset()
    return { action: afterReset ? 'reset_then_deliver' : 'deliver', destination: datagram.destination, data }
  }

  #reset(): void {
    this.#parts = []
    this.#octets = 0
    this.#destination = undefined
  }
}

function sameDestination(a: Destination, b: Destination): boolean {
  return a.port === b.port && sameAddress(a.address, b.address)
}
