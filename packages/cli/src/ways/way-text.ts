/** A way as a person reads it, without user names and passwords. */
import { type Route, labelsOf } from '@socksmith/client/route'
import { BLOCK_WAY, DEFAULT_WAY, DIRECT_WAY } from '@socksmith/policy'
import type { WayConfig, WaysConfig } from '../config/config.ts'
import { starredVia } from '../reach/via.ts'
import { routeOfWay, wayMap } from './way-route.ts'

/** `paris (socks5h://a.example:1080 > http://b.example:3128)`; the name alone where nothing else is known. */
export function wayDescription(name: string, ways: WaysConfig, usual: Route | undefined): string {
  if (name === DIRECT_WAY || name === BLOCK_WAY) return name
  if (name === DEFAULT_WAY) return usual === undefined ? DIRECT_WAY : `${name} (${routeText(usual)})`
  const way = ways[name]
  return way === undefined ? name : `${name} (${describe(wayMap(way), routeOfWay(name, ways))})`
}

function describe(way: WayConfig, route: Route | undefined): string {
  const { source = [], interface: device, mark, sticky } = way
  const from = typeof source === 'string' ? [source] : source
  return [
    route === undefined ? 'straight' : routeText(route),
    ...(from.length === 0 ? [] : [`from ${from.join(', ')}`]),
    ...(device === undefined ? [] : [`by the interface ${device}`]),
    ...(mark === undefined ? [] : [`with the mark ${mark}`]),
    ...(sticky === undefined ? [] : [`the same for each ${sticky}`]),
  ].join(', ')
}

function routeText(route: Route): string {
  switch (route.kind) {
    case 'direct':
    case 'block':
    case 'rules':
      return route.kind
    case 'proxy':
      return labelsOf(route).join('')
    case 'chain':
      return route.links.map(routeText).join(' > ')
    case 'pool':
      return `one of ${route.members.map(routeText).join(', ')}; ${route.strategy}`
  }
}

/** The same configuration with stars for its passwords. */
export function starredWays(ways: WaysConfig): WaysConfig {
  return Object.fromEntries(Object.entries(ways).map(([name, way]) => [name, starredWay(way)]))
}

function starredWay(way: string | WayConfig): string | WayConfig {
  if (typeof way === 'string') return starredVia(way)
  const { chain, pool } = way
  return {
    ...way,
    ...(chain && { chain: chain.map(starredVia) }),
    ...(pool && {
      pool: pool.map(member =>
        typeof member === 'string' ? starredVia(member) : { ...member, to: starredVia(member.to) },
      ),
    }),
  }
}
