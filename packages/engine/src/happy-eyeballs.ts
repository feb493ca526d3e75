/**
 * Reaches a host by whichever of its addresses answers first (RFC 8305). Knows addresses only; names are resolved and
 * judged before.
 */
import { failure, mostTelling } from '@socksmith/protocol'
import type { Endpoint, Failure, IpAddress } from '@socksmith/protocol'
import type { Connection, Dialing, DialOptions, Engine, Timer } from './ports.ts'

/** RFC 8305 section 5: the recommended Connection Attempt Delay. */
export const ATTEMPT_DELAY_MS = 250

export interface DialAnyOptions {
  /** Milliseconds for all attempts together. */
  readonly timeoutMs: number
  /** Milliseconds until the next address is tried beside one that has not answered. */
  readonly attemptDelayMs?: number
  /** The address to leave by for a destination; `undefined` is the system's choice. */
  localAddressFor?(destination: IpAddress): IpAddress | undefined
  /** As in {@link DialOptions}. */
  readonly keepAlive?: boolean
  /** The family to begin with. Default IPv6. */
  readonly firstFamily?: IpAddress['type']
}

/**
 * Tries the endpoints in the order of RFC 8305 section 4, each started {@link ATTEMPT_DELAY_MS} after the one before or
 * as soon as that one failed. The first connection wins and the others are given up. When all fail, the result is the
 * failure that tells most.
 */
export function dialAny(
  engine: Pick<Engine, 'clock' | 'dial'>,
  endpoints: readonly Endpoint[],
  options: DialAnyOptions,
): Dialing {
  const [only] = endpoints
  // Most proxies have one address, and a race of one would only cost.
  if (only !== undefined && endpoints.length === 1) {
    return engine.dial({ kind: 'ip', endpoint: only }, dialOptions(only.address, options.timeoutMs, options))
  }
  return new Race(engine, interleaved(endpoints, options.firstFamily), options)
}

function dialOptions(address: IpAddress, timeoutMs: number, options: DialAnyOptions): DialOptions {
  const { keepAlive } = options
  const localAddress = options.localAddressFor?.(address)
  return { timeoutMs, ...(localAddress && { localAddress }), ...(keepAlive !== undefined && { keepAlive }) }
}

/** RFC 8305 section 4: families take turns, IPv6 first by default; within a family the resolver's order stays. */
export function interleaved(endpoints: readonly Endpoint[], firstFamily: IpAddress['type'] = 'ipv6'): Endpoint[] {
  const first = endpoints.filter(endpoint => endpoint.address.type === firstFamily)
  const second = endpoints.filter(endpoint => endpoint.address.type !== firstFamily)
  const turns = Array.from({ length: Math.max(first.length, second.length) }, (_, i) => [first[i], second[i]])
  return turns.flat().filter(endpoint => endpoint !== undefined)
}

class Race implements Dialing {
  readonly result: Promise<Connection | Failure>
  readonly #engine: Pick<Engine, 'clock' | 'dial'>
  readonly #waiting: Endpoint[]
  readonly #options: DialAnyOptions
  readonly #resolve: (result: Connection | Failure) => void
  readonly #deadlineMs: number
  readonly #deadline: Timer
  readonly #running = new Set<Dialing>()
  readonly #failures: Failure[] = []
  #winner: Dialing | undefined
  #next: Timer | undefined
  #isOver = false

  constructor(engine: Pick<Engine, 'clock' | 'dial'>, endpoints: Endpoint[], options: DialAnyOptions) {
    const { promise, resolve } = Promise.withResolvers<Connection | Failure>()
    this.result = promise
    this.#resolve = resolve
    this.#engine = engine
    this.#waiting = endpoints
    this.#options = options
    this.#deadlineMs = engine.clock.monotonicMs() + options.timeoutMs
    this.#deadline = engine.clock.after(options.timeoutMs, () => {
      this.#finish(mostTelling([...this.#failures, failure('timed_out', 'target')]))
    })
    this.#startNext()
  }

  cancel(): void {
    this.#winner?.cancel()
    this.#finish(failure('aborted', 'us', 'the attempt was given up'))
  }

  #startNext(): void {
    this.#next?.cancel()
    this.#next = undefined
    const endpoint = this.#waiting.shift()
    if (endpoint === undefined) {
      if (this.#running.size === 0) this.#finish(mostTelling(this.#failures))
      return
    }
    const leftMs = this.#deadlineMs - this.#engine.clock.monotonicMs()
    const dialing = this.#engine.dial({ kind: 'ip', endpoint }, dialOptions(endpoint.address, leftMs, this.#options))
    this.#running.add(dialing)
    if (this.#waiting.length > 0) {
      const delayMs = this.#options.attemptDelayMs ?? ATTEMPT_DELAY_MS
      this.#next = this.#engine.clock.after(delayMs, () => this.#startNext())
    }
    void dialing.result.then(result => this.#onResult(dialing, result))
  }

  #onResult(dialing: Dialing, result: Connection | Failure): void {
    this.#running.delete(dialing)
    if (this.#isOver) {
      // Connected in the same turn as the winner, or as the end: nobody would ever close it.
      if (!('code' in result)) result.destroy()
    } else if ('code' in result) {
      this.#failures.push(result)
      this.#startNext()
    } else {
      this.#winner = dialing
      this.#finish(result)
    }
  }

  #finish(result: Connection | Failure): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#deadline.cancel()
    this.#next?.cancel()
    for (const dialing of this.#running) dialing.cancel()
    this.#resolve(result)
  }
}
