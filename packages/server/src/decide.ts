/**
 * The one place that is asked whether something may be: the server's own protection (itself, and nowhere), then the
 * policy. Asked for clients, methods, CONNECT, BIND and its peer, each UDP destination and sender, HTTP, always about the
 * address that is then used. Does not wait, resolve or dial.
 */
import { type Place } from '@socksmith/engine'
import { type Decider, type Decision, type Facts, type Limit, type Rule, refusalOf } from '@socksmith/policy'
import { type Endpoint, type Failure, failure, isUnspecified, sameAddress, unmapped } from '@socksmith/protocol'
import { type LocalAddresses } from './local-addresses.ts'

/** What is to be done. `decision` is absent when the server protects itself, whatever the rules say. */
export interface Ruling {
  /** The refusal; absent when it is allowed, or still open. */
  readonly refusal?: Failure
  readonly decision?: Decision | undefined
}

export class Gate {
  readonly #ownPlaces: () => readonly Place[]
  readonly #local: LocalAddresses
  #decider: Decider
  #generation = 0
  #isGone: ((user: string) => boolean) | undefined

  /** `ownPlaces` are the server's listeners, asked for at each decision. */
  constructor(decider: Decider, ownPlaces: () => readonly Place[], local: LocalAddresses) {
    this.#decider = decider
    this.#ownPlaces = ownPlaces
    this.#local = local
  }

  /** From now on these rules decide. */
  replace(decider: Decider): void {
    this.#decider = decider
    this.#generation++
  }

  /** Rises whenever something may be decided otherwise than before. */
  get generation(): number {
    return this.#generation
  }

  /** Without rules only targets are looked at. */
  get hasRules(): boolean {
    return this.#decider.hasRules
  }

  /** The limits on what was decided. */
  limitsOn({ facts, decision }: Ruling & { readonly facts: Facts }): readonly Limit[] {
    return this.#decider.hasLimits ? this.#decider.limitsOn(facts, decision) : NO_LIMITS
  }

  /** From now on these users are allowed nothing, whatever the rules say. */
  keepOut(isGone: (user: string) => boolean): void {
    this.#isGone = isGone
    this.#generation++
  }

  ask(facts: Facts): Ruling {
    const { address, port, command, user } = facts
    if (typeof user === 'string' && this.#isGone?.(user) === true) return { refusal: USER_GONE }
    // A peer or a sender is heard, not reached.
    const isReached = command !== 'bind-peer' && command !== 'udp-sender'
    const closed = isReached && address !== undefined ? this.refusalOf({ address, port: port ?? 0 }) : undefined
    if (closed !== undefined) return { refusal: closed }
    const decision = this.#decider.decide(facts)
    return decision.verdict === 'deny' ? { decision, refusal: refusalOf(decision) } : { decision }
  }

  /** Whether what was decided about a name without its address holds for every address. */
  isCertain({ client }: Facts, decision: Decision | undefined): boolean {
    if (decision?.verdict !== 'allow') return false
    return decision.rule?.redirect !== undefined || !this.#decider.closesInside(client)
  }

  /** Why nobody may reach this endpoint, whatever the rules say. */
  refusalOf(target: Endpoint): Failure | undefined {
    const address = unmapped(target.address)
    // Linux takes 0.0.0.0 and :: for this host.
    if (isUnspecified(address)) return refused('the unspecified address')
    // A proxy that reaches itself is a loop, whoever asks for it.
    const isLoop = this.#ownPlaces().some(place => isOwn(place, { address, port: target.port }, this.#local))
    return isLoop ? refused("one of the server's own listeners") : undefined
  }
}

const NO_LIMITS: readonly Limit[] = []
const USER_GONE = failure('not_allowed', 'policy', 'the user is no more')

/** The rule behind a ruling, for records. */
export function ruleOf({ decision }: Ruling): Rule | undefined {
  return decision === undefined || decision.verdict === 'open' ? undefined : decision.rule
}

function refused(what: string): Failure {
  return failure('not_allowed', 'policy', `the rules do not allow ${what}`)
}

function isOwn(place: Place, target: Endpoint, local: LocalAddresses): boolean {
  if (place.kind === 'unix' || place.endpoint.port !== target.port) return false
  const { address } = place.endpoint
  return isUnspecified(address) ? local.has(target.address) : sameAddress(address, target.address)
}
