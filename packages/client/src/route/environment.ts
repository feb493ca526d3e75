/**
 * The route that the environment describes: `ALL_PROXY`, `HTTPS_PROXY`, `HTTP_PROXY` and every other `<SCHEME>_PROXY`,
 * `SOCKS_PROXY`, `NO_PROXY`; the lower case of a name comes first, as with curl. No variable of these is ignored.
 */
import { SocksError, invalid } from '../socks-error.ts'
import { toRoute } from './make.ts'
import type { HostPattern, PortRange } from './pattern.ts'
import { isPort, parseHostPattern } from './pattern.ts'
import { type Route, type RouteRule, direct } from './route.ts'

/** Variables by name, such as `process.env`. */
export type Environment = { readonly [name: string]: string | undefined }

/**
 * Reads the route. Throws `SOCKS_BAD_ARGUMENT`, with the name of the variable, for a value that it does not understand.
 * Without any of the variables the route is direct.
 *
 * - A connection for a URL goes by the variable of its scheme, otherwise by `ALL_PROXY` or `SOCKS_PROXY`.
 * - Every other connection goes by `ALL_PROXY` or `SOCKS_PROXY`.
 * - Where that leaves nothing, a variable of another scheme (`HTTPS_PROXY`, then `HTTP_PROXY`) is used: never direct
 *   while a proxy is named. Say in `NO_PROXY` what shall be direct.
 */
export function routeFromEnvironment(environment: Environment = process.env): Route {
  const read = readerOf(environment)
  const schemes = SCHEMES.flatMap(scheme => {
    const via = read(`${scheme}_proxy`)
    return via === undefined ? [] : [{ scheme, via }]
  })
  const rest =
    read('all_proxy') ?? read('socks_proxy') ?? schemes.find(one => one.scheme === 'https')?.via ?? schemes.at(-1)?.via
  if (rest === undefined) return direct
  const exceptions = textOf(environment, 'no_proxy')
  const made: RouteRule[] = [
    ...noProxyRules(exceptions?.text ?? '', exceptions?.name ?? 'no_proxy'),
    ...schemes.map(({ scheme, via }) => Object.freeze({ schemes: withSockets(scheme), via })),
    Object.freeze({ via: rest }),
  ]
  return made.length === 1 ? rest : Object.freeze({ kind: 'rules', rules: Object.freeze(made) })
}

// In the order of their rules: what is only for WebSockets comes before what is for all of HTTP.
const SCHEMES = ['ws', 'wss', 'ftp', 'https', 'http'] as const

// A WebSocket begins as a request of HTTP, and goes where that goes.
function withSockets(scheme: string): readonly string[] {
  return scheme === 'http' ? ['http', 'ws'] : scheme === 'https' ? ['https', 'wss'] : [scheme]
}

function textOf(environment: Environment, name: string): { readonly name: string; readonly text: string } | undefined {
  // Under CGI a request's header "Proxy" arrives as HTTP_PROXY: whoever asks could choose the proxy (httpoxy).
  const isForged = name === 'http_proxy' && environment['REQUEST_METHOD'] !== undefined
  for (const one of isForged ? [name] : [name, name.toUpperCase()]) {
    const text = environment[one]?.trim()
    if (text) return { name: one, text }
  }
  return undefined
}

function readerOf(environment: Environment): (name: string) => Route | undefined {
  return name => {
    const found = textOf(environment, name)
    if (found === undefined) return undefined
    try {
      // Without a scheme it is an HTTP proxy, as everywhere; SOCKS_PROXY says SOCKS by its name.
      const bare = name === 'socks_proxy' ? 'socks5h' : 'http'
      return toRoute(/^[a-z][a-z0-9+.-]*:\/\//i.test(found.text) ? found.text : `${bare}://${found.text}`)
    } catch (error) {
      throw error instanceof SocksError ? invalid(`${found.name}: ${error.detail}`) : error
    }
  }
}

/** The rules of a NO_PROXY text: names with what is below them, networks, each perhaps with a port; `*` is everything. */
export function noProxyRules(text: string, variable: string): readonly RouteRule[] {
  return text
    .split(/[\s,]+/)
    .filter(entry => entry !== '')
    .map(entry => {
      try {
        return noProxyRule(entry)
      } catch {
        throw invalid(`${variable}: not a host, a suffix or a network: ${entry}`)
      }
    })
}

function noProxyRule(entry: string): RouteRule {
  const { host, port } = splitPort(entry)
  const pattern = parseHostPattern(host)
  // In NO_PROXY a name means itself and everything below, with or without a dot in front.
  const hosts: readonly HostPattern[] =
    pattern.kind === 'name' ? [Object.freeze({ ...pattern, itself: true, below: true })] : [pattern]
  return Object.freeze({ hosts: Object.freeze(hosts), ...(port && { ports: [port] }), via: direct })
}

function splitPort(entry: string): { readonly host: string; readonly port?: PortRange } {
  const match = /^(\[[^\]]*\]|[^:]*):([0-9]{1,5})$/.exec(entry)
  if (match === null) return { host: entry }
  const port = Number(match[2])
  if (!isPort(port)) throw invalid('no port')
  return { host: match[1] as string, port: Object.freeze({ first: port, last: port }) }
}
