/** Makes the resolvers that a configuration asks for: the system's, given servers, DNS over HTTPS, hosts. */
import { readFileSync } from 'node:fs'
import {
  type CachingResolver,
  type Engine,
  type Lookup,
  type Resolver,
  createCachingResolver,
  serverLookup,
  systemClock,
  systemLookup,
} from '@socksmith/engine'
import { type IpAddress, comparableName } from '@socksmith/protocol'
import { type DnsGround, httpsExchange, messageLookup, tcpExchange, udpExchange } from '@socksmith/server'
import type { DnsConfig, WayDnsConfig } from '../config/config.ts'
import { parseEndpoint } from '../config/place-text.ts'

// The system's look-up holds one of libuv's four threads each, and password hashing needs two of them.
const SYSTEM_LOOKUPS_AT_ONCE = 2
// DNS by ourselves costs no thread, only a socket and memory.
const SERVER_LOOKUPS_AT_ONCE = 256
// Neither Node's nor the system's way tells the record's own time to live; a minute is what dynamic names commonly ask for.
const NAMES_KEPT_MS = 60_000
// Where it is told it counts, up to this: a server that means a day may have been wrong for as long.
const TOLD_NAMES_KEPT_MS = 3_600_000
// A name that was mistyped is asked for again at once; one that appears must not stay hidden.
const FAILURES_KEPT_MS = 5_000
// About 200 octets each.
const NAMES_KEPT_MAX = 10_000
// Under the usual time for a dial, so that a client gets a reply.
const LOOKUP_MS = 10_000

/** What everybody uses who has nothing of his own. */
export function usualResolver(
  { servers = [], https, ca }: DnsConfig,
  engine: Engine,
  threads: number,
): CachingResolver {
  const system = systemResolver(threads)
  if (https !== undefined) return caching(httpsLookup({ engine, resolver: system }, https, ca), TOLD_NAMES_KEPT_MS)
  return servers.length > 0 ? caching(serverLookup(servers), NAMES_KEPT_MS) : system
}

/** What a way has of its own; `undefined` when it has nothing. `ground` goes along the way, `engine` does not. */
export function wayResolver(
  { names, servers, https, ca, over }: WayDnsConfig,
  ground: DnsGround,
  engine: Engine,
  threads: number,
): CachingResolver | undefined {
  if (https !== undefined) {
    const { resolver } = ground
    return caching(httpsLookup(over === undefined ? { engine, resolver } : ground, https, ca), TOLD_NAMES_KEPT_MS)
  }
  if (servers !== undefined) {
    if (over === undefined) return caching(serverLookup(servers), NAMES_KEPT_MS)
    const endpoints = servers.flatMap(text => parseEndpoint(text, 53) ?? [])
    const exchange = over === 'tcp' ? tcpExchange(ground, endpoints) : udpExchange(ground, endpoints)
    return caching(messageLookup(exchange), TOLD_NAMES_KEPT_MS)
  }
  return names === 'system' ? systemResolver(threads) : undefined
}

/** The same with some names that have their addresses here. */
export function withHosts(resolver: Resolver, hosts: ReadonlyMap<string, readonly IpAddress[]>): Resolver {
  if (hosts.size === 0) return resolver
  return {
    resolve(name) {
      const addresses = hosts.get(comparableName(name))
      return addresses === undefined ? resolver.resolve(name) : Promise.resolve(addresses)
    },
  }
}

function httpsLookup(ground: DnsGround, url: string, ca: string | undefined): Lookup {
  const authorities = ca === undefined ? {} : { authorities: readFileSync(ca, 'utf8') }
  return messageLookup(httpsExchange(ground, { url: new URL(url), ...authorities }))
}

function systemResolver(threads: number): CachingResolver {
  return caching(systemLookup, NAMES_KEPT_MS, Math.max(1, Math.floor(SYSTEM_LOOKUPS_AT_ONCE / threads)))
}

function caching(
  lookup: Lookup,
  positiveTtlMs: number,
  concurrentMax: number = SERVER_LOOKUPS_AT_ONCE,
): CachingResolver {
  return createCachingResolver({
    lookup,
    clock: systemClock,
    positiveTtlMs,
    negativeTtlMs: FAILURES_KEPT_MS,
    entriesMax: NAMES_KEPT_MAX,
    concurrentMax,
    timeoutMs: LOOKUP_MS,
  })
}
