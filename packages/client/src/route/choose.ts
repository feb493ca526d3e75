/**
 * Which proxies one connection goes through: rules are applied, pools choose, chains are laid out flat. Asked again
 * after a failure, it gives the next way, until there is none. Pure but for the memory of the pools.
 */
import type { Destination } from '@socksmith/protocol'
import type { ProxyHop } from './hop.ts'
import { type Member, downUntilMs, isDown, latencyMs, noteFailure, noteSuccess, takeTurn } from './memory.ts'
import { matchesHost } from './pattern.ts'
import type { PoolRoute, ProxyRoute, Route, RouteRule, Traits } from './route.ts'
import { shuffled, stickyOrder, turnOrder, weightOf } from './share.ts'

/** Who is asked for, as far as rules look at it. */
export interface RouteQuestion {
  readonly destination: Destination
  readonly scheme?: string
}

/** A route whose rules have been asked. */
export type AppliedRoute = Exclude<Route, { kind: 'rules' }>

/** The route behind all rules. Blocked where no rule applies. */
export function appliedRoute(route: Route, question: RouteQuestion): AppliedRoute {
  let current = route
  while (current.kind === 'rules') {
    const rule = current.rules.find(one => applies(one, question))
    if (rule === undefined) return { kind: 'block' }
    current = rule.via
  }
  return current
}

/**
 * Who turns the name of a target into addresses: this machine, or the last proxy. A pool whose members differ leaves it to
 * this machine.
 */
export function resolvesNames(route: AppliedRoute): 'here' | 'there' {
  switch (route.kind) {
    case 'direct':
      return 'here'
    case 'block':
      return 'there'
    case 'proxy':
      return route.hop.resolve
    case 'chain':
      return resolvesNames(route.links.at(-1) as Member)
    case 'pool':
      return route.members.every(member => resolvesNames(member) === 'there') ? 'there' : 'here'
  }
}

function applies({ hosts, ports, schemes }: RouteRule, { destination, scheme }: RouteQuestion): boolean {
  const { address, port } = destination
  if (hosts !== undefined && !hosts.some(host => matchesHost(host, address))) return false
  if (ports !== undefined && !ports.some(({ first, last }) => port >= first && port <= last)) return false
  return schemes === undefined || (scheme !== undefined && schemes.includes(scheme))
}

/** One way through: the proxies in order. */
export interface Way {
  readonly hops: readonly ProxyHop[]
}

/** The ways of one connection through a route of proxies, one after the other. */
export class Ways {
  readonly #route: Member
  readonly #traits: Traits
  readonly #random: () => number
  readonly #turns = new Map<PoolRoute, number>()
  readonly #failed = new Set<Member>()
  // Who chose what in the current way, from the outside to the inside.
  #chosen: { readonly pool: PoolRoute; readonly member: Member; readonly first: number; readonly last: number }[] = []
  #skippable: { readonly link: ProxyRoute; readonly at: number }[] = []

  constructor(route: Member, traits: Traits = {}, random: () => number = Math.random) {
    this.#route = route
    this.#traits = traits
    this.#random = random
  }

  /** The next way; `undefined` when every one was tried. */
  next(nowMs: number): Way | undefined {
    this.#chosen = []
    this.#skippable = []
    const hops: ProxyHop[] = []
    return this.#lay(this.#route, hops, nowMs, false) ? { hops } : undefined
  }

  /** The current way worked: `hopMs` is the time of each hop. */
  succeeded(hopMs: readonly number[]): void {
    for (const { member, first, last } of this.#chosen) {
      noteSuccess(
        member,
        hopMs.slice(first, last).reduce((sum, ms) => sum + ms, 0),
      )
    }
  }

  /**
   * The current way failed at this hop. True when there may be another one: some pool has chosen that proxy, or a chain
   * can go without it. `isDead` is false for a failure that says nothing about the proxy's health.
   */
  failed(hop: number, isDead: boolean, nowMs: number): boolean {
    // The innermost choice is the one to change.
    const choice = this.#chosen.findLast(({ first, last }) => hop >= first && hop < last)
    const skip = this.#skippable.find(({ at }) => at === hop)
    const culprit = skip?.link ?? choice?.member
    if (culprit === undefined) return false
    this.#failed.add(culprit)
    if (isDead && choice?.member === culprit) noteFailure(culprit, nowMs, choice.pool)
    return true
  }

  #lay(member: Member, hops: ProxyHop[], nowMs: number, mayBeSkipped: boolean): boolean {
    switch (member.kind) {
      case 'proxy':
        if (this.#failed.has(member)) return false
        if (mayBeSkipped) this.#skippable.push({ link: member, at: hops.length })
        hops.push(member.hop)
        return true
      case 'chain': {
        if (this.#failed.has(member)) return false
        const before = hops.length
        for (const link of member.links) {
          if (!this.#lay(link, hops, nowMs, member.skipsDead) && !member.skipsDead) return false
        }
        return hops.length > before
      }
      case 'pool':
        return this.#layPool(member, hops, nowMs)
    }
  }

  #layPool(pool: PoolRoute, hops: ProxyHop[], nowMs: number): boolean {
    let wanted = pool.length
    for (const member of this.#ordered(pool, nowMs)) {
      if (wanted === 0) break
      const [hopsBefore, chosenBefore, skippableBefore] = [hops.length, this.#chosen.length, this.#skippable.length]
      if (!this.#failed.has(member) && this.#lay(member, hops, nowMs, false)) {
        this.#chosen.splice(chosenBefore, 0, { pool, member, first: hopsBefore, last: hops.length })
        wanted--
      } else {
        hops.length = hopsBefore
        this.#chosen.length = chosenBefore
        this.#skippable.length = skippableBefore
      }
    }
    return wanted === 0
  }

  /** Those that work first, in the order of the strategy; then those that are down, the one down for longest first. */
  #ordered(pool: PoolRoute, nowMs: number): readonly Member[] {
    const up = pool.members.filter(member => !isDown(member, nowMs))
    const down = pool.members.filter(member => isDown(member, nowMs))
    return [...this.#byStrategy(pool, up), ...down.sort((a, b) => downUntilMs(a) - downUntilMs(b))]
  }

  #byStrategy(pool: PoolRoute, up: readonly Member[]): readonly Member[] {
    const key = pool.sticky === undefined ? undefined : this.#traits[pool.sticky]
    if (key !== undefined) return stickyOrder(pool, key, up)
    switch (pool.strategy) {
      case 'failover':
        return up
      case 'round-robin': {
        // A further way of the same connection is not a further turn.
        const turn = this.#turns.get(pool) ?? takeTurn(pool)
        this.#turns.set(pool, turn)
        return turnOrder(pool, turn).filter(member => up.includes(member))
      }
      case 'random':
        return shuffled(up, member => weightOf(pool, member), this.#random)
      case 'least-latency':
        // Who was never measured comes first: otherwise nobody would ever know.
        return up.toSorted((a, b) => (latencyMs(a) ?? 0) - (latencyMs(b) ?? 0))
    }
  }
}
