/** What a way out is, as whoever embeds the server describes it. Plain values; chooses and opens nothing. */
import type { Route } from '@socksmith/client/route'
import type { DnsGround } from './dns/ground.ts'
import type { Resolver, SocketOptions } from '@socksmith/engine'
import type { Network } from '@socksmith/policy'

/** A way out. */
export interface Way extends Pick<SocketOptions, 'interface' | 'mark'> {
  /** Through which proxies, or `block`. Default: straight. */
  readonly route?: Route
  /** The addresses to leave by. Default: the kernel's choice. */
  readonly source?: SourceOptions
  /** Who turns the names of targets into addresses. Default: the last proxy where its URL says so, otherwise we. */
  readonly names?: 'here' | 'proxy'
  /** Resolves what is resolved here; it may go along the way itself. Default: the server's resolver. */
  readonly resolver?: (ground: DnsGround) => Resolver
  /** Names that are resolved here whatever the last proxy could do: those with an address of their own. */
  readonly knows?: (name: string) => boolean
  /** Which addresses of a name to use, or to try first. */
  readonly family?: FamilyPreference
  /** Asks the proxies of its pools whether they work. */
  readonly check?: HealthCheck
}

export type FamilyPreference = 'ipv4' | 'ipv6' | 'ipv4-only' | 'ipv6-only'

export interface SourceOptions {
  /**
   * Addresses and whole prefixes. Those of the target's family are used, and nothing else: a family without one is not
   * reachable by this way.
   */
  readonly from: readonly Network[]
  /** The trait that decides (`user`, `client`, or a credential parameter). Default: each connection takes the next one. */
  readonly sticky?: string
}

export interface HealthCheck {
  /** Milliseconds between two questions to a proxy that works. */
  readonly everyMs: number
  /** The longest pause between two questions to one that does not; it doubles until then. */
  readonly backOffMaxMs: number
  /** Milliseconds for an answer. */
  readonly timeoutMs: number
  /** What the proxies are asked to connect to. Default: it is enough that they accept a connection. */
  readonly to?: { readonly host: string; readonly port: number }
}

/** Ways by the names that rules use. */
export type Ways = ReadonlyMap<string, Way>
