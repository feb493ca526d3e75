/** Makes routes from what people write. Checks everything here, once, so that a route that exists can be followed. */
import { invalid } from '../socks-error.ts'
import { parseHostPattern, toPortRange } from './pattern.ts'
import { type ProxyOptions, proxyFromOptions, proxyFromUrl } from './proxy.ts'
import {
  type ChainRoute,
  type PoolRoute,
  type PoolStrategy,
  type Route,
  type RulesRoute,
  block,
  direct,
} from './route.ts'

/** A route, or what {@link toRoute} makes one of: a URL, `"direct"`, `"block"`, or options. */
export type RouteInput = Route | string | URL | ProxyOptions

/** Shares finer than one in a hundred mean nothing to anybody; a round of turns stays short. */
export const POOL_WEIGHT_MAX = 100
/** The first back-off of a pool's member that failed. */
export const POOL_BACK_OFF_MS = 1_000
/** A member is tried again at least this often: proxies come back. */
export const POOL_BACK_OFF_MAX_MS = 60_000

/**
 * The route that the input describes. Throws a `SocksError` with code `SOCKS_BAD_ARGUMENT` for everything that it does
 * not know; it never means a direct connection then.
 *
 * ```ts
 * const route = toRoute('socks5h://alice:secret@proxy.example:1080')
 * ```
 */
export function toRoute(input: RouteInput): Route {
  if (typeof input === 'string') {
    if (input === 'direct') return direct
    return input === 'block' ? block : proxyFromUrl(input)
  }
  if (input instanceof URL) return proxyFromUrl(input)
  if (typeof input !== 'object' || input === null) throw invalid('a route is a URL, options or a route')
  if ('kind' in input) return input
  return proxyFromOptions(input)
}

export interface ChainOptions {
  /** Leave dead proxies out, as long as one is left. Default false: each of them is needed. */
  readonly skipDead?: boolean
}

/** Through all of them, in this order. */
export function chain(links: readonly RouteInput[], options: ChainOptions = {}): ChainRoute {
  if (links.length === 0) throw invalid('a chain needs a proxy')
  const made = links.map(toLink)
  return Object.freeze({ kind: 'chain', links: Object.freeze(made), skipsDead: options.skipDead === true })
}

export interface PoolOptions {
  /** Default `failover`: the first that works, in the given order. */
  readonly strategy?: PoolStrategy
  /** Whole numbers from 1 to {@link POOL_WEIGHT_MAX}, one for each member: its share. For `round-robin`, `random` and `sticky`. */
  readonly weights?: readonly number[]
  /** The name of a trait: connections that have the same one go by the same member while it works. */
  readonly sticky?: string
  /** A chain of so many different members, in place of one. */
  readonly length?: number
  /** Milliseconds that a member is avoided after its first failure; default {@link POOL_BACK_OFF_MS}. */
  readonly backOffMs?: number
  /** Default {@link POOL_BACK_OFF_MAX_MS}. */
  readonly backOffMaxMs?: number
}

/** Through one of them, by the strategy; the next one is tried when a proxy fails. All failing is an error. */
export function pool(members: readonly RouteInput[], options: PoolOptions = {}): PoolRoute {
  const { strategy = 'failover', length = 1 } = options
  const { backOffMs = POOL_BACK_OFF_MS, backOffMaxMs = POOL_BACK_OFF_MAX_MS } = options
  if (!STRATEGIES.includes(strategy)) throw invalid(`a pool's strategy is one of ${STRATEGIES.join(', ')}`)
  if (members.length === 0) throw invalid('a pool needs a proxy')
  if (!Number.isInteger(length) || length < 1 || length > members.length) {
    throw invalid('the length is at least 1, and at most the number of members')
  }
  const { weights, sticky } = options
  if (weights !== undefined) checkWeights(weights, members.length, sticky === undefined ? strategy : 'sticky')
  if (!(backOffMs >= 0 && backOffMaxMs >= backOffMs)) throw invalid('a back-off is a number of milliseconds')
  const made = Object.freeze(members.map(toLink))
  return Object.freeze({
    kind: 'pool',
    members: made,
    strategy,
    length,
    backOffMs,
    backOffMaxMs,
    ...(weights && { weights: Object.freeze([...weights]) }),
    ...(sticky !== undefined && { sticky }),
  })
}

function checkWeights(weights: readonly number[], members: number, strategy: PoolStrategy | 'sticky'): void {
  if (strategy === 'failover' || strategy === 'least-latency') throw invalid(`${strategy} knows no weights`)
  const isRight = (weight: number): boolean => Number.isInteger(weight) && weight >= 1 && weight <= POOL_WEIGHT_MAX
  if (weights.length === members && weights.every(isRight)) return
  throw invalid(`a pool has one weight for each member, from 1 to ${POOL_WEIGHT_MAX}`)
}

const STRATEGIES: readonly PoolStrategy[] = ['failover', 'round-robin', 'random', 'least-latency']

/** One rule in words. */
export interface RuleInput {
  /** See {@link parseHostPattern}; any of them. */
  readonly hosts?: readonly string[]
  /** Ports or ranges; any of them. */
  readonly ports?: readonly (number | readonly [first: number, last: number])[]
  /** Schemes of URLs such as `"https"`; a connection without a URL has none. */
  readonly schemes?: readonly string[]
  readonly via: RouteInput
}

/**
 * By the first rule that applies. The last one must apply always, so that nobody has to know what happens otherwise.
 *
 * ```ts
 * const route = rules([
 *   { hosts: ['*.corp.example', '10.0.0.0/8'], via: 'direct' },
 *   { ports: [25], via: 'block' },
 *   { via: 'socks5h://127.0.0.1:1080' },
 * ])
 * ```
 */
export function rules(inputs: readonly RuleInput[]): RulesRoute {
  const made = inputs.map(input =>
    Object.freeze({
      via: toRoute(input.via),
      ...(input.hosts && { hosts: Object.freeze(input.hosts.map(parseHostPattern)) }),
      ...(input.ports && { ports: Object.freeze(input.ports.map(toPortRange)) }),
      ...(input.schemes && { schemes: Object.freeze([...input.schemes]) }),
    }),
  )
  const last = made.at(-1)
  if (!last || 'hosts' in last || 'ports' in last || 'schemes' in last) {
    throw invalid('the last rule must apply to everything: { via: ... } alone')
  }
  return Object.freeze({ kind: 'rules', rules: Object.freeze(made) })
}

function toLink(input: RouteInput): ChainRoute['links'][number] {
  const route = toRoute(input)
  if (route.kind === 'proxy' || route.kind === 'chain' || route.kind === 'pool') return route
  throw invalid(`a chain and a pool are made of proxies, not of "${route.kind}"`)
}
