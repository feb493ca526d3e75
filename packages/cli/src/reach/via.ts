/** Routes as they are written behind `--via`: each one is a link of the chain, and several in one are a pool. Opens nothing. */
import { type PoolStrategy, type Route, SocksError, chain, pool, toRoute } from '@socksmith/client/route'

/**
 * The route of one or several `--via`. Throws a `SocksError` with code `SOCKS_BAD_ARGUMENT`, which never holds the text.
 *
 * ```ts
 * routeOfVia(['socks5h://gate.example:1080', 'round-robin:socks5h://a.example:1080,socks5h://b.example:1080'])
 * ```
 */
export function routeOfVia(texts: readonly string[]): Route {
  const [first, ...others] = texts.map(linkOf)
  if (first === undefined) throw new Error('a route of nothing')
  return others.length === 0 ? first : chain([first, ...others])
}

// A comma is part of a URL unless another URL begins behind it.
const BETWEEN_URLS = /,\s*(?=[a-z][a-z0-9+.-]*:\/\/)/i
const STRATEGY = /^(failover|round-robin|random|least-latency):(?=[a-z][a-z0-9+.-]*:\/\/)/

function linkOf(text: string): Route {
  const strategy = STRATEGY.exec(text)?.[1] as PoolStrategy | undefined
  const urls = text.slice(strategy === undefined ? 0 : strategy.length + 1).split(BETWEEN_URLS)
  const [only = '', ...others] = urls
  return others.length === 0 && strategy === undefined ? toRoute(only) : pool(urls, strategy && { strategy })
}

/** What is wrong with one text, without the text; `undefined` when it is a proxy or a pool. */
export function viaFault(text: string): string | undefined {
  try {
    const { kind } = linkOf(text)
    return kind === 'proxy' || kind === 'pool' ? undefined : `"${kind}" is no proxy`
  } catch (error) {
    if (error instanceof SocksError) return error.detail ?? error.message
    throw error
  }
}

/** A text that is right, with stars for its passwords. */
export function starredVia(text: string): string {
  const [, strategy = ''] = /^([a-z-]+:)(?=[a-z][a-z0-9+.-]*:\/\/)/i.exec(text) ?? []
  const urls = text.slice(strategy.length).split(BETWEEN_URLS)
  return strategy + urls.map(url => url.replace(LOGIN, STARRED_LOGIN)).join(',')
}

// A URL ends its login at the last @ of its authority; a stray / in a password has been refused.
const LOGIN = /^([^:]+:\/\/[^:@]*):[^/]*@/
const STARRED_LOGIN = '$1:********@'

/** Any line that may hold the URL of a proxy, right or wrong: what stands before an @ is starred, and nothing moves. */
export function withoutLogins(line: string): string {
  return line.replace(/(?<=:\/\/).*@|(?<![^\s"'])[^\s"':]*:[^\s/]*@/g, login => `${'*'.repeat(login.length - 1)}@`)
}
