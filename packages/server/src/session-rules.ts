/**
 * What one session asks the rules, and what they have granted it: its arrival, its login, its request, and all of that
 * again when the rules change. Knows no connection.
 */
import type { Clock } from '@socksmith/engine'
import type { AuthenticationMethod, Command, Facts, Protocol } from '@socksmith/policy'
import type { Gate, Ruling } from './decide.ts'
import type { SessionOrigin } from './session.ts'

/** What is allowed, to be asked about again when the rules change; as a ruling, what allowed it. */
export interface Granted extends Ruling {
  readonly facts: Facts
}

/** How far a client has shown who it is, and what it speaks. */
export interface Speaker {
  readonly protocol: Protocol | undefined
  readonly user: string | undefined
}

const NOT_ASKED: Ruling = {}

export class SessionRules {
  readonly #gate: Gate
  readonly #clock: Clock
  readonly #origin: SessionOrigin
  /** Who the client is by its certificate. */
  readonly #certified: string | undefined
  #granted: Granted | undefined
  #ruling: Ruling | undefined

  constructor(gate: Gate, clock: Clock, origin: SessionOrigin, certified: string | undefined) {
    this.#gate = gate
    this.#clock = clock
    this.#origin = origin
    this.#certified = certified
  }

  /** What was granted last, or refused. */
  get ruling(): Ruling | undefined {
    return this.#ruling
  }

  /** What was granted last. */
  get granted(): Granted | undefined {
    return this.#granted
  }

  /** For whom what was granted last was granted. */
  get user(): string | undefined {
    return this.#granted?.facts.user ?? undefined
  }

  /** Of a client that has not spoken yet. */
  arrive(): Ruling {
    // Without rules only targets are looked at.
    const ruling = this.#gate.hasRules ? this.#gate.ask(this.#arrival()) : NOT_ASKED
    if (ruling.refusal !== undefined) this.#ruling = ruling
    return ruling
  }

  /** Whether anything could be allowed after this method. */
  mayLogIn(method: AuthenticationMethod): boolean {
    // Whoever shows nothing is nobody.
    const user = method === 'none' ? null : undefined
    return this.#gate.ask({ ...this.#arrival(), method, user }).refusal === undefined
  }

  /** How `user` has shown who it is: the client's own, or one of a single HTTP request. */
  methodOf(user: string | undefined): AuthenticationMethod {
    if (user === undefined) return 'none'
    return user === this.#certified ? 'certificate' : 'password'
  }

  /** What the rules are asked about a request; the target is for the caller to add. */
  facts(command: Command, { protocol, user }: Speaker): Facts {
    const { client, listenerName } = this.#origin
    // Every key, so that all questions have one shape: a copy with a target costs no new one.
    return {
      nowMs: this.#clock.wallMs(),
      client: client.kind === 'unix' ? 'unix' : client.endpoint.address,
      listener: listenerName,
      protocol,
      method: this.methodOf(user),
      user: user ?? null,
      command,
      host: undefined,
      address: undefined,
      port: undefined,
    }
  }

  /** Notes what is allowed from now on. */
  grant(granted: Granted): void {
    this.#granted = granted
    this.#ruling = granted
  }

  /** Notes what has refused the request. */
  refused(ruling: Ruling): void {
    this.#ruling = ruling
  }

  /** Whether the rules of now forbid what was granted, or such a client as this. */
  isForbidden(): boolean {
    const facts = { ...(this.#granted?.facts ?? this.#arrival()), nowMs: this.#clock.wallMs() }
    const ruling = this.#gate.ask(facts)
    if (ruling.refusal !== undefined) return true
    if (this.#granted !== undefined) this.#granted = { ...ruling, facts }
    return false
  }

  #arrival(): Facts {
    const { client, listenerName } = this.#origin
    return {
      nowMs: this.#clock.wallMs(),
      client: client.kind === 'unix' ? 'unix' : client.endpoint.address,
      listener: listenerName,
    }
  }
}
