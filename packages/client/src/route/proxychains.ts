/**
 * Reads a proxychains.conf (proxychains-ng 4) as a route. A line that would change where connections go and that is not
 * understood is an error with its number; lines about the tool itself (its output, its made-up addresses) mean nothing here.
 */
import type { PhaseTimeouts } from '../dial/limits.ts'
import { SocksError, invalid } from '../socks-error.ts'
import { chain, pool } from './make.ts'
import { isPort, parseHostPattern, toPortRange } from './pattern.ts'
import { proxyFromOptions } from './proxy.ts'
import { type ProxyRoute, type Route, type RouteRule, direct } from './route.ts'

/** What such a file says. */
export interface ImportedRoute {
  readonly route: Route
  /** Its time limits, for `connect({ timeouts })`. */
  readonly timeouts: PhaseTimeouts
}

type ChainKind = 'strict_chain' | 'dynamic_chain' | 'random_chain' | 'round_robin_chain'

interface Reading {
  kind: ChainKind
  chainLength: number
  resolve: 'here' | 'there'
  isInList: boolean
  readonly timeouts: { connect?: number; request?: number }
  readonly rules: RouteRule[]
  readonly proxies: (readonly string[])[]
}

/**
 * The route of the file's text. Without `proxy_dns` names are resolved by this machine, as the tool does.
 *
 * ```ts
 * const { route, timeouts } = routeFromProxychains(await readFile('/etc/proxychains4.conf', 'utf8'))
 * ```
 */
export function routeFromProxychains(text: string): ImportedRoute {
  const reading: Reading = {
    kind: 'strict_chain',
    chainLength: 1,
    resolve: 'here',
    isInList: false,
    timeouts: {},
    rules: [],
    proxies: [],
  }
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    const words = line.replace(/#.*/, '').trim().split(/\s+/)
    if (words[0] === '') continue
    try {
      readLine(words, reading)
    } catch (error) {
      throw error instanceof SocksError ? invalid(`line ${index + 1}: ${error.detail}`) : error
    }
  }
  const hops = reading.proxies.map(words => proxyOf(words, reading.resolve))
  const through = wayThrough(hops, reading)
  const { timeouts, rules } = reading
  if (rules.length === 0) return { route: through, timeouts }
  const made = Object.freeze([...rules, Object.freeze({ via: through })])
  return { route: Object.freeze({ kind: 'rules', rules: made }), timeouts }
}

function readLine(words: readonly string[], reading: Reading): void {
  if (reading.isInList) {
    // Judged now, for its number in the error; made later, when `proxy_dns` is known.
    proxyOf(words, 'there')
    reading.proxies.push(words)
    return
  }
  const [name = '', value = ''] = words.filter(word => word !== '=').flatMap(word => word.split('='))
  switch (name) {
    case '[ProxyList]':
      reading.isInList = true
      return
    case 'strict_chain':
    case 'dynamic_chain':
    case 'random_chain':
    case 'round_robin_chain':
      reading.kind = name
      return
    case 'chain_len':
      reading.chainLength = numberOf(value)
      return
    case 'proxy_dns':
    case 'proxy_dns_old':
    case 'proxy_dns_daemon':
      reading.resolve = 'there'
      return
    case 'tcp_connect_time_out':
      reading.timeouts.connect = numberOf(value)
      return
    case 'tcp_read_time_out':
      reading.timeouts.request = numberOf(value)
      return
    case 'localnet':
      reading.rules.push(localnet(value))
      return
    case 'quiet_mode':
    case 'remote_dns_subnet':
      return
    default:
      throw invalid(`"${name}" is not supported`)
  }
}

function wayThrough(hops: readonly ProxyRoute[], { kind, chainLength: length }: Reading): Route {
  if (hops.length === 0) throw invalid('no proxy behind [ProxyList]')
  switch (kind) {
    case 'strict_chain':
      return chain(hops)
    case 'dynamic_chain':
      return chain(hops, { skipDead: true })
    case 'random_chain':
      return pool(hops, { strategy: 'random', length })
    case 'round_robin_chain':
      return pool(hops, { strategy: 'round-robin', length })
  }
}

function proxyOf(
  [type, host = '', port, username, password, ...more]: readonly string[],
  resolve: 'here' | 'there',
): ProxyRoute {
  if (more.length > 0) throw invalid('a proxy has type, host, port, user and password')
  if (type !== 'socks4' && type !== 'socks5' && type !== 'http')
    throw invalid(`no proxy of type "${type}" is supported`)
  const protocol = type === 'socks4' ? (resolve === 'here' ? 'socks4' : 'socks4a') : type
  return proxyFromOptions({
    protocol,
    host,
    port: numberOf(port ?? ''),
    resolve,
    ...(username !== undefined && { username }),
    // SOCKS4 has no field for it, and the tool sends none.
    ...(password !== undefined && type !== 'socks4' && { password }),
  })
}

/** `10.0.0.0/255.0.0.0`, `10.0.0.0:80/8`, `[::1]:80/128`: these connections are direct. */
function localnet(text: string): RouteRule {
  const match = /^(\[[^\]]+\]|[^:/]+|[0-9a-fA-F:]+?)(?::([0-9]+))?\/([0-9.]+)$/.exec(text)
  if (match === null) throw invalid('localnet wants an address, perhaps a port, and a mask')
  const [, host = '', port, mask = ''] = match
  const pattern = parseHostPattern(`${host}/${mask.includes('.') ? bitsOf(mask) : mask}`)
  if (port !== undefined && !isPort(Number(port))) throw invalid('localnet has no such port')
  const ports = port === undefined ? {} : { ports: Object.freeze([toPortRange(Number(port))]) }
  return Object.freeze({ hosts: Object.freeze([pattern]), ...ports, via: direct })
}

function bitsOf(mask: string): number {
  const bits = mask
    .split('.')
    .map(part => Number(part).toString(2).padStart(8, '0'))
    .join('')
  if (!/^1*0*$/.test(bits) || bits.length !== 32) throw invalid('a mask is ones and then zeros')
  return bits.indexOf('0') === -1 ? 32 : bits.indexOf('0')
}

function numberOf(text: string): number {
  if (!/^[0-9]{1,9}$/.test(text)) throw invalid('a number is missing')
  return Number(text)
}
