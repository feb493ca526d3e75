/** Everything that can be wrong with the ways of a configuration and that no single value shows. Opens nothing. */
import { resolvesNames } from '@socksmith/client/route'
import { BUILT_IN_WAYS } from '@socksmith/policy'
import type { WayConfig, WaysConfig } from '../config/config.ts'
import type { Path } from '../config/problem.ts'
import { dnsOfWay } from '../dns/way-dns.ts'
import { WayFault, routeOfWay, wayMap } from './way-route.ts'

/** Each fault with its path below `ways`. */
export function wayFaults(ways: WaysConfig): readonly WayFault[] {
  return Object.entries(ways).flatMap(([name, way]) => {
    const fault = nameFault(name) ?? shapeFault(wayMap(way)) ?? routeFault(name, ways)
    return fault === undefined ? [] : [new WayFault([name, ...fault.path], fault.message)]
  })
}

function nameFault(name: string): WayFault | undefined {
  if (BUILT_IN_WAYS.includes(name)) return new WayFault([], `the way ${name} is there already; choose another name`)
  if (/^[\w.-]{1,64}$/.test(name)) return undefined
  return new WayFault([], 'expected a name of letters, digits, ".", "_" and "-", at most 64 of them')
}

const POOL_KEYS = ['strategy', 'check', 'back-off', 'back-off-max'] as const

function shapeFault(way: WayConfig): WayFault | undefined {
  const kinds = (['block', 'chain', 'pool'] as const).filter(key => way[key] !== undefined && way[key] !== false)
  const [first, second] = kinds
  if (second !== undefined)
    return new WayFault([second], `expected one of block, chain and pool, and ${first} is there`)
  const lonely = POOL_KEYS.find(key => way[key] !== undefined && way.pool === undefined)
  if (lonely !== undefined) return new WayFault([lonely], 'only a pool has this')
  if (way.sticky !== undefined && way.pool === undefined && way.source === undefined) {
    return new WayFault(['sticky'], 'expected a pool or a source beside it')
  }
  const dns = dnsOfWay(way)
  const isStraight = way.chain === undefined && way.pool === undefined
  if (dns.names === 'proxy' && isStraight) return new WayFault(['dns'], 'there is no proxy that could resolve names')
  const [useless] = way.block === true ? Object.keys(way).filter(key => key !== 'block') : []
  return useless === undefined ? undefined : new WayFault([useless], 'a way that is blocked needs nothing else')
}

function routeFault(name: string, ways: WaysConfig): { readonly path: Path; readonly message: string } | undefined {
  try {
    const route = routeOfWay(name, ways)
    const { names, servers, https, prefer } = dnsOfWay(wayMap(ways[name] ?? {}))
    const isHere = names === 'system' || servers !== undefined || https !== undefined
    if (prefer === undefined || isHere || route === undefined || route.kind === 'rules') return undefined
    if (names !== 'proxy' && resolvesNames(route) === 'here') return undefined
    return new WayFault(['dns'], 'prefer is of no use where the last proxy resolves names; say names: system beside it')
  } catch (error) {
    if (error instanceof WayFault) return error
    throw error
  }
}
