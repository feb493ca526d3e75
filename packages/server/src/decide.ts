/**
 * The one place that is asked whether something may be: the server's own protection (itself, and nowhere), then the
 * policy. Asked for clients, methods, CONNECT, BIND and its peer, each UDP destination and sender, HTTP, always about the
 * address that is then used. Does not wait, resolve or dial.
 */
import { type Place } from '@socksmith/engine'
import {
  type Decider,
  type Decision,
  type Facts,
  type Limit,
  type LocalAddresses,
  OWN_LISTENER,
  type Rule,
  UNSPECIFIED_TARGET,
  isReached,
  refusalOf,
} from '@socksmith/policy'
import { type Endpoint, type Failure, isUnspecified, failure, unmapped } from '@socksmith/protocol'
import { comesTo } from './local-addresses.ts'

/** What is to be done. `decision` is absent when the server protects itself, whatever the rules say. */
export interface Ruling {
  /** The refusal; absent when it is allowed, or still open. */
  readonly refusal?: Failure
  readonly decision?: Decision | undefined
}

export class Gate {
  readonly #ownPlaces: () => readonly Place[]
  readonly #local: LocalAddresses
  readonly #wayFault: (decision: Decision) => Failure | undefined
  #decider: Decider
  #generation = 0
  #isGone: ((user: string) => boolean) | undefined

  /**
   * `ownPlaces` are the server's listeners, asked for at each decision; `wayFault` says why a request that is allowed has no
   * way out.
   */
  constructor(
    decider: Decider,
    ownPlaces: () => readonly Place[],
    local: LocalAddresses,
    wayFault: (decision: Decision) => Failure | undefined,
  ) {
    this.#wayFault = wayFault
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

  /** Without limits nothing has to be counted. */
  get hasLimits(): boolean {
    return this.#decider.hasLimits
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
    const { address, port, user } = facts
    if (typeof user === 'string' && this.#isGone?.(user) === true) return { refusal: USER_GONE }
    const isTarget = isReached(facts)
    const closed = isTarget && address !== undefined ? this.refusalOf({ address, port: port ?? 0 }) : undefined
    if (closed !== undefined) return { refusal: closed }
    const decision = this.#decider.decide(facts)
    if (decision.verdict === 'deny') return { decision, refusal: refusalOf(decision) }
    const fault = isTarget && decision.verdict === 'allow' ? this.#wayFault(decision) : undefined
    return fault === undefined ? { decision } : { decision, refusal: fault }
  }

  /** Whether what was decided about a name without its address holds for every address. */
  isCertain({ client }: Facts, decision: Decision | undefined): boolean {
    if (decision?.verdict !== 'allow') return false
    return decision.rule?.redirect !== undefined || !this.#decider.closesInside(client)
  }

  /** Why nobody may reach this endpoint, whatever the rules say. */
  refusalOf(target: Endpoint): Failure | undefined {
    // Linux takes 0.0.0.0 and :: for this host.
    if (isUnspecified(unmapped(target.address))) return UNSPECIFIED_TARGET
    return this.loopAt({ kind: 'ip', endpoint: target })
  }

  /** Why nothing may connect to this place: a proxy that reaches itself is a loop, whoever asks for it. */
  loopAt(to: Place): Failure | undefined {
    const isLoop = this.#ownPlaces().some(place => comesTo(place, to, this.#local))
    return isLoop ? OWN_LISTENER : undefined
  }
}

const NO_LIMITS: readonly Limit[] = []
const USER_GONE = failure('not_allowed', 'policy', 'the user is no more')

/** The rule behind a ruling, for records. */
export function ruleOf({ decision }: Ruling): Rule | undefined {
  return decision === undefined || decision.verdict === 'open' ? undefined : decision.rule
}
