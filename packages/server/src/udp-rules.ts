/**
 * What the rules say to one association: kept for each destination and each foreign sender, asked again as time goes on and
 * when the rules change. Knows no socket.
 */
import type { Facts } from '@socksmith/policy'
import { type Destination, type Endpoint, type Failure, latin1Text, unmapped } from '@socksmith/protocol'
import type { Gate, Ruling } from './decide.ts'
import type { Granted } from './session-rules.ts'
import { type Candidate, redirectOf } from './target.ts'

/** Verdicts kept for one association: as many as it may have remotes, and some refused ones. */
const VERDICTS_MAX = 2_048
/** Rules may depend on the time, which they look at by the minute. */
const FRESH_MS = 60_000

export class UdpRules {
  readonly #gate: Gate
  readonly #facts: () => Facts
  readonly #monotonicMs: () => number
  readonly #admit: (granted: Granted, endpoint: Endpoint) => Failure | undefined
  readonly #verdicts = new Map<string, Ruling>()
  /** What was written to, by address, port and name, to be asked about again. */
  readonly #reached = new Map<string, { readonly facts: Facts; readonly endpoint: Endpoint }>()
  /** Endpoints, and addresses with none left that is allowed, whose answers are no longer wanted. */
  readonly #closed = new Set<string>()
  #askedAtMs: number

  /** `facts` are those of the association, at the time of asking. What the rules allow is asked of `admit` too. */
  constructor(
    gate: Gate,
    facts: () => Facts,
    monotonicMs: () => number,
    admit: (granted: Granted, endpoint: Endpoint) => Failure | undefined,
  ) {
    this.#gate = gate
    this.#admit = admit
    this.#facts = facts
    this.#monotonicMs = monotonicMs
    this.#askedAtMs = monotonicMs()
  }

  /** What is to be done with a datagram to this address, which the client named itself; by its redirect another is reached. */
  judge(endpoint: Endpoint): Ruling {
    const key = keyOf(endpoint)
    const known = this.#known(key)
    if (known !== undefined) return known
    const facts = { ...this.#facts(), host: null, ...endpoint }
    const asked = this.#gate.ask(facts)
    const isRedirected = redirectOf(asked.decision) !== undefined
    // What is reached instead is admitted and noted by its own address.
    const ruling = isRedirected ? asked : this.#admitted(asked, facts, endpoint)
    this.#keep(key, ruling)
    if (ruling.refusal === undefined && !isRedirected) this.#noteReached(key, facts, endpoint)
    return ruling
  }

  /** Until when what was answered now may be believed, on the same clock. */
  get freshUntilMs(): number {
    return this.#askedAtMs + FRESH_MS
  }

  /** Notes that a datagram goes to one of the addresses of a name, which was asked about as such. */
  reach(destination: Destination, { to: endpoint, facts }: Candidate): void {
    const host = destination.address.type === 'domain' ? destination.address.name : ''
    this.#noteReached(`${keyOf(endpoint)} ${host}`, facts, endpoint)
  }

  /** Whether a datagram from here may reach the client. `isForeign`: the client never wrote to this address. */
  mayAnswer(from: Endpoint, isForeign: boolean): boolean {
    if (!isForeign) return !this.#isClosed(from)
    const key = `from ${keyOf(from)}`
    const known = this.#known(key)
    if (known !== undefined) return known.refusal === undefined
    const facts: Facts = { ...this.#facts(), command: 'udp-sender', host: null, ...from }
    const ruling = this.#admitted(this.#gate.ask(facts), facts, from)
    this.#keep(key, ruling)
    return ruling.refusal === undefined
  }

  /** The rules have changed: nothing that was decided before holds, and what is now forbidden is not answered any more. */
  reconsider(): void {
    this.#verdicts.clear()
    const open = new Set<string>()
    const { nowMs } = this.#facts()
    for (const [key, { facts, endpoint }] of this.#reached) {
      if (this.#gate.ask({ ...facts, nowMs }).refusal === undefined) open.add(keyOf(endpoint)).add(addressKey(endpoint))
      else {
        this.#reached.delete(key)
        this.#closed.add(keyOf(endpoint)).add(addressKey(endpoint))
      }
    }
    for (const key of open) this.#closed.delete(key)
  }

  #admitted(ruling: Ruling, facts: Facts, endpoint: Endpoint): Ruling {
    if (ruling.refusal !== undefined) return ruling
    const refusal = this.#admit({ ...ruling, facts }, endpoint)
    return refusal === undefined ? ruling : { ...ruling, refusal }
  }

  #isClosed(from: Endpoint): boolean {
    // Nobody pays for keys before the rules have changed for the first time.
    return this.#closed.size > 0 && (this.#closed.has(keyOf(from)) || this.#closed.has(addressKey(from)))
  }

  #noteReached(key: string, facts: Facts, endpoint: Endpoint): void {
    if (this.#reached.has(key)) return
    this.#closed.delete(keyOf(endpoint))
    this.#closed.delete(addressKey(endpoint))
    // With more destinations than that, those that were forgotten are asked about when they are next written to.
    if (this.#reached.size < VERDICTS_MAX) this.#reached.set(key, { facts, endpoint })
  }

  #known(key: string): Ruling | undefined {
    const nowMs = this.#monotonicMs()
    if (nowMs - this.#askedAtMs >= FRESH_MS) {
      this.#verdicts.clear()
      this.#askedAtMs = nowMs
    }
    return this.#verdicts.get(key)
  }

  #keep(key: string, ruling: Ruling): void {
    if (this.#verdicts.size >= VERDICTS_MAX) this.#verdicts.clear()
    this.#verdicts.set(key, ruling)
  }
}

function keyOf(endpoint: Endpoint): string {
  return `${addressKey(endpoint)}:${endpoint.port}`
}

function addressKey({ address }: Endpoint): string {
  return latin1Text(unmapped(address).octets)
}
