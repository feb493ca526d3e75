/** From the configuration of ways to those of the server. A way whose configuration has not changed stays the same object. */
import type { Engine } from '@socksmith/engine'
import { DEFAULT_WAY, DIRECT_WAY } from '@socksmith/policy'
import { comparableName } from '@socksmith/protocol'
import { type HealthCheck, type Network, type Way, type Ways, parseNetwork } from '@socksmith/server'
import type { DnsConfig, WayConfig, WayDnsConfig, WaysConfig } from '../config/config.ts'
import { parseDuration } from '../config/quantities.ts'
import { parseTarget } from '../reach/target-text.ts'
import type { NameCaches } from '../dns/name-caches.ts'
import { wayResolver, withHosts } from '../dns/resolvers.ts'
import { dnsOfWay, hostsOf } from '../dns/way-dns.ts'
import { referencesOf, routeOfWay, wayMap } from './way-route.ts'

export interface WayMakerOptions {
  /** What holds for all ways. */
  readonly dns: DnsConfig
  readonly engine: Engine
  /** Threads that share the process's few threads for look-ups. */
  readonly threads: number
  /** Where the resolvers of ways are known. */
  readonly names: NameCaches
}

/** Makes ways, and remembers what it made: health and turns of a pool live with the object. */
export class WayMaker {
  readonly #options: WayMakerOptions
  #made = new Map<string, { readonly text: string; readonly way: Way }>()

  constructor(options: WayMakerOptions) {
    this.#options = options
  }

  make(ways: WaysConfig): Ways {
    const before = this.#made
    this.#made = new Map(
      Object.entries(ways).map(([name, given]) => {
        const text = textOf(given, ways)
        const known = before.get(name)
        return [name, known?.text === text ? known : { text, way: this.#way(name, ways) }]
      }),
    )
    for (const name of before.keys()) if (!this.#made.has(name)) this.#options.names.forget(name)
    const { dns } = this.#options
    // The look-ups of these are the server's; only what else `dns` says is theirs.
    const usual = lookingUp(dns, hostsOf(dns.hosts))
    const named = [...this.#made].map(([name, { way }]): [string, Way] => [name, way])
    return new Map([[DEFAULT_WAY, usual], [DIRECT_WAY, usual], ...named])
  }

  #way(name: string, ways: WaysConfig): Way {
    const { engine, threads, names, dns: common } = this.#options
    const config = wayMap(ways[name] ?? {})
    const route = routeOfWay(name, ways)
    const from = sourcesOf(config)
    const dns = dnsOfWay(config)
    const hosts = hostsOf(common.hosts, dns.hosts)
    names.forget(name)
    return {
      ...(route && { route }),
      ...(from.length > 0 && { source: { from, ...(config.sticky !== undefined && { sticky: config.sticky }) } }),
      ...(config.interface !== undefined && { interface: config.interface }),
      ...(config.mark !== undefined && { mark: config.mark }),
      ...(config.check && { check: checkOf(config.check) }),
      ...lookingUp({ ...dns, ...(dns.prefer === undefined && common.prefer && { prefer: common.prefer }) }, hosts),
      resolver(ground) {
        const own = wayResolver(dns, ground, engine, threads)
        if (own !== undefined) names.set(name, own)
        return withHosts(own ?? ground.resolver, hosts)
      },
    }
  }
}

// Long enough for a slow proxy at the other end of the world.
const CHECK_TIMEOUT_MS = 5_000
// A proxy that is down for hours is found again within minutes.
const CHECK_BACK_OFF_MAX_MS = 300_000

function checkOf({ every, to, timeout, 'back-off-max': longest }: NonNullable<WayConfig['check']>): HealthCheck {
  const target = to === undefined ? undefined : parseTarget(to)
  return {
    everyMs: Math.max(1, parseDuration(every) ?? 0),
    timeoutMs: (timeout === undefined ? undefined : parseDuration(timeout)) ?? CHECK_TIMEOUT_MS,
    backOffMaxMs: (longest === undefined ? undefined : parseDuration(longest)) ?? CHECK_BACK_OFF_MAX_MS,
    ...(target && { to: target }),
  }
}

/** Who resolves, what is known here, and which addresses are wanted. */
function lookingUp(
  { names, servers = [], https, prefer }: WayDnsConfig,
  hosts: ReadonlyMap<string, unknown>,
): Pick<Way, 'names' | 'knows' | 'family'> {
  const isHere = names === 'system' || https !== undefined || servers.length > 0
  return {
    ...(names === 'proxy' && { names }),
    ...(isHere && { names: 'here' as const }),
    ...(prefer !== undefined && { family: prefer }),
    ...(hosts.size > 0 && { knows: (name: string) => hosts.has(comparableName(name)) }),
  }
}

/** What the way depends on. */
function textOf(given: WaysConfig[string], ways: WaysConfig): string {
  const isAlone = referencesOf(wayMap(given)).length === 0
  return JSON.stringify(isAlone ? given : [given, ways])
}

/** The addresses and prefixes that a way leaves by. */
export function sourcesOf({ source = [] }: WayConfig): readonly Network[] {
  return (typeof source === 'string' ? [source] : source).flatMap(text => parseNetwork(text) ?? [])
}
