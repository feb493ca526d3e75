/** From the configuration of ways to routes of proxies: names are followed, and what is wrong is said without any URL. */
import { type Route, SocksError, chain, pool, toRoute } from '@socksmith/client/route'
import { proxyWithPlaces } from './proxy-login.ts'
import { parseDuration } from '../config/quantities.ts'
import type { PoolMember, WayConfig, WaysConfig } from '../config/config.ts'
import type { Path } from '../config/problem.ts'

/** What is wrong with one way, and where in its map. */
export class WayFault extends Error {
  readonly path: Path

  constructor(path: Path, message: string) {
    super(message)
    this.path = path
  }
}

/** One way as a map; a text is a chain of one proxy, or nowhere. */
export function wayMap(way: string | WayConfig): WayConfig {
  if (typeof way !== 'string') return way
  if (way === 'block') return { block: true }
  return way === 'direct' ? {} : { chain: [way] }
}

/** The route of a way; `undefined` is straight. Throws a {@link WayFault}. */
export function routeOfWay(name: string, ways: WaysConfig): Route | undefined {
  return routeOf(name, ways, [])
}

/** The names of other ways that a way leads through. */
export function referencesOf(way: WayConfig): readonly string[] {
  return [...(way.chain ?? []), ...(way.pool ?? []).map(textOf)].filter(text => !isUrl(text))
}

type Link = Exclude<Route, { kind: 'direct' | 'block' | 'rules' }>

function routeOf(name: string, ways: WaysConfig, within: readonly string[]): Route | undefined {
  const given = ways[name]
  if (given === undefined) throw new Error('a way that is not there')
  const way = wayMap(given)
  const at = typeof given === 'string' ? [] : undefined
  if (way.block === true) return toRoute('block')
  if (way.chain !== undefined) {
    const links = way.chain.map((text, index) => linkOf(text, at ?? ['chain', index], ways, [...within, name]))
    return checked(at ?? ['chain'], () => (links.length === 1 ? (links[0] as Link) : chain(links)))
  }
  if (way.pool === undefined) return undefined
  const members = way.pool.map((member, index) => linkOf(textOf(member), ['pool', index], ways, [...within, name]))
  const weights = way.pool.map(weightOf)
  return checked(['pool'], () =>
    pool(members, {
      ...(way.strategy !== undefined && { strategy: way.strategy }),
      ...(weights.some(weight => weight !== 1) && { weights }),
      ...(way.sticky !== undefined && { sticky: way.sticky }),
      ...durationOf('backOffMs', way['back-off']),
      ...durationOf('backOffMaxMs', way['back-off-max']),
    }),
  )
}

function linkOf(text: string, path: Path, ways: WaysConfig, within: readonly string[]): Link {
  if (isUrl(text)) return checked(path, () => toRoute(proxyWithPlaces(text)) as Link)
  if (within.includes(text)) throw new WayFault(path, `the way ${text} leads through itself`)
  if (!Object.hasOwn(ways, text)) {
    throw new WayFault(
      path,
      `expected the URL of a proxy, or the name of another way; there is none named "${nameOf(text)}"`,
    )
  }
  const route = at(path, () => routeOf(text, ways, within))
  if (route?.kind === 'proxy' || route?.kind === 'chain' || route?.kind === 'pool') return route
  throw new WayFault(path, `the way ${text} leads through no proxy`)
}

// What is wrong behind a name is told where the name stands.
function at<T>(path: Path, make: () => T): T {
  try {
    return make()
  } catch (error) {
    throw error instanceof WayFault ? new WayFault(path, error.message) : error
  }
}

// A URL that was mistyped may hold a password.
function nameOf(text: string): string {
  return /^[\w.-]{1,64}$/.test(text) ? text : '...'
}

function checked<T>(path: Path, make: () => T): T {
  try {
    return make()
  } catch (error) {
    if (error instanceof SocksError) throw new WayFault(path, error.detail ?? error.message)
    throw error
  }
}

function durationOf<K extends string>(key: K, text: string | number | undefined): { readonly [P in K]?: number } {
  const ms = text === undefined ? undefined : parseDuration(text)
  return ms === undefined ? {} : ({ [key]: ms } as { readonly [P in K]?: number })
}

export function isUrl(text: string): boolean {
  return text.includes('://')
}

function textOf(member: PoolMember): string {
  return typeof member === 'string' ? member : member.to
}

function weightOf(member: PoolMember): number {
  return typeof member === 'string' ? 1 : member.weight
}
