/**
 * A route is an immutable value that says how to get somewhere: direct, not at all, through one proxy, a chain, one of
 * a pool, or by rules. Opens nothing; {@link toRoute} reads it from what people write.
 */
import type { HostPattern, PortRange } from './pattern.ts'
import type { ProxyHop } from './hop.ts'

/**
 * What is known of whoever a connection is for, by names of the caller's choice: sticky pools choose by one of them, and
 * functions that give credentials are told all.
 */
export type Traits = Readonly<Record<string, string>>

/** Straight to the target, from this machine. */
export interface DirectRoute {
  readonly kind: 'direct'
}

/** Nowhere: every connection fails with `SOCKS_BLOCKED`. */
export interface BlockRoute {
  readonly kind: 'block'
}

/** Through one proxy. */
export interface ProxyRoute {
  readonly kind: 'proxy'
  readonly hop: ProxyHop
}

/** Through all of them, in order. */
export interface ChainRoute {
  readonly kind: 'chain'
  /** At least one; the first is the one that this machine connects to. */
  readonly links: readonly (ProxyRoute | ChainRoute | PoolRoute)[]
  /** Dead ones are left out, as long as one is left. Default false. */
  readonly skipsDead: boolean
}

/** How a pool chooses. */
export type PoolStrategy = 'failover' | 'round-robin' | 'random' | 'least-latency'

/** Through one (or `length`) of several; dead ones are avoided until their back-off is over. */
export interface PoolRoute {
  readonly kind: 'pool'
  readonly members: readonly (ProxyRoute | ChainRoute | PoolRoute)[]
  readonly strategy: PoolStrategy
  /** One for each member: its share, where the strategy or `sticky` shares out. Absent: all the same. */
  readonly weights?: readonly number[]
  /** The trait by which a connection gets the same member as the one before it, while that works. */
  readonly sticky?: string
  /** How many different members make the chain; 1 is one proxy. */
  readonly length: number
  /** Milliseconds that a member is avoided after its first failure; doubles with each further one. */
  readonly backOffMs: number
  /** The longest back-off, in milliseconds. */
  readonly backOffMaxMs: number
}

/** One rule; every condition that is there must hold. Without any condition it always applies. */
export interface RouteRule {
  readonly hosts?: readonly HostPattern[]
  readonly ports?: readonly PortRange[]
  /** Of the URL, lower case without colon: `"https"`. Connections without a URL have none. */
  readonly schemes?: readonly string[]
  readonly via: Route
}

/** The first rule that applies decides. Where none does, the connection fails: never direct by accident. */
export interface RulesRoute {
  readonly kind: 'rules'
  readonly rules: readonly RouteRule[]
}

/** How to get somewhere. Make one with {@link toRoute}, {@link chain}, {@link pool}, {@link rules}; never by hand. */
export type Route = DirectRoute | BlockRoute | ProxyRoute | ChainRoute | PoolRoute | RulesRoute

/** Straight to the target. */
export const direct: DirectRoute = Object.freeze({ kind: 'direct' })
/** Nowhere. */
export const block: BlockRoute = Object.freeze({ kind: 'block' })
