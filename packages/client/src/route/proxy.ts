/**
 * One proxy from what people write: a URL or an object of options. Strict: an unknown scheme, a part of a URL that
 * would be ignored, a password that the protocol cannot carry are errors. The text of a URL never gets into an error.
 */
import { type Method, checkNameText, parseIp } from '@socksmith/protocol'
import { invalid } from '../socks-error.ts'
import { Credentials } from './credentials.ts'
import type { AskCredentials, HopPlace, HopProtocol, HopSsh, HopTls, ProxyHop } from './hop.ts'
import { hostNameOf, labelOf } from './hop.ts'
import { isPort } from './pattern.ts'
import type { ProxyRoute } from './route.ts'

/** One proxy in words; what a URL cannot say can be said here. */
export interface ProxyOptions {
  /** As the scheme of a URL; `socks5` resolves names here, `socks5h` there, `socks` is `socks5h`. */
  readonly protocol: ProxyScheme
  readonly host?: string
  /** Default 1080, and for http 80, https 443, ssh 22. */
  readonly port?: number
  /** Path of a Unix socket, in place of host and port. */
  readonly path?: string
  readonly username?: string
  readonly password?: string
  /** Asked for each connection, in place of `username` and `password`. */
  readonly credentials?: AskCredentials
  /** TLS towards the proxy. */
  readonly tls?: boolean | HopTls
  /** Who resolves names; by default the scheme says it. */
  readonly resolve?: 'here' | 'there'
  /** SOCKS5 methods to offer, in this order, in place of none and user/password. */
  readonly methods?: readonly Method[]
  /** Answers the questions of a method that asks the person (CRAM). */
  readonly prompt?: (text: Uint8Array, proxy: string) => Promise<Uint8Array>
  /** Keys for ssh. */
  readonly ssh?: HopSsh
}

interface SchemeTraits {
  readonly protocol: HopProtocol
  readonly resolve: 'here' | 'there'
  readonly port: number
  readonly tls?: true
  readonly unix?: true
}

// As curl reads them; `socks` alone is what desktops export, and its users expect names to be resolved there.
const SCHEMES: { readonly [S in ProxyScheme]: SchemeTraits } = {
  socks: { protocol: 'socks5', resolve: 'there', port: 1080 },
  socks4: { protocol: 'socks4', resolve: 'here', port: 1080 },
  socks4a: { protocol: 'socks4a', resolve: 'there', port: 1080 },
  socks5: { protocol: 'socks5', resolve: 'here', port: 1080 },
  socks5h: { protocol: 'socks5', resolve: 'there', port: 1080 },
  'socks5+tls': { protocol: 'socks5', resolve: 'there', port: 1080, tls: true },
  'socks5h+tls': { protocol: 'socks5', resolve: 'there', port: 1080, tls: true },
  'socks5+unix': { protocol: 'socks5', resolve: 'there', port: 0, unix: true },
  'socks5h+unix': { protocol: 'socks5', resolve: 'there', port: 0, unix: true },
  http: { protocol: 'http', resolve: 'there', port: 80 },
  https: { protocol: 'http', resolve: 'there', port: 443, tls: true },
  ssh: { protocol: 'ssh', resolve: 'there', port: 22 },
}

/** The schemes of proxies. */
export type ProxyScheme =
  | 'socks'
  | 'socks4'
  | 'socks4a'
  | 'socks5'
  | 'socks5h'
  | 'socks5+tls'
  | 'socks5h+tls'
  | 'socks5+unix'
  | 'socks5h+unix'
  | 'http'
  | 'https'
  | 'ssh'

/** RFC 1929: each of the two fields has a length octet. */
const FIELD_OCTETS_MAX = 255

/** A route through this proxy. Throws `SOCKS_BAD_ARGUMENT`. */
export function proxyFromOptions(options: ProxyOptions): ProxyRoute {
  const scheme = traitsOf(options.protocol)
  const { protocol, resolve } = scheme
  const place = placeOf(options, scheme)
  const credentials = credentialsOf(options, protocol)
  const tls = options.tls === true || (options.tls === undefined && scheme.tls) ? {} : options.tls || undefined
  if (options.methods !== undefined && (protocol !== 'socks5' || options.methods.length === 0)) {
    throw invalid('methods are for SOCKS5, and at least one is needed')
  }
  if (options.ssh !== undefined && protocol !== 'ssh') throw invalid('the ssh options are for ssh')
  if (tls !== undefined && protocol === 'ssh') throw invalid('ssh is encrypted by itself')
  const hop: ProxyHop = {
    protocol,
    place,
    resolve: options.resolve ?? resolve,
    label: labelOf(options.protocol.replace(/\+unix$/, ''), place),
    ...(tls && { tls: Object.freeze({ ...tls }) }),
    ...(credentials && { credentials }),
    ...(options.methods && { methods: Object.freeze([...options.methods]) }),
    ...(options.prompt && { prompt: options.prompt }),
    ...(options.ssh && { ssh: hidden(options.ssh) }),
  }
  if (hop.resolve !== 'here' && hop.resolve !== 'there') throw invalid('names are resolved "here" or "there"')
  if (protocol === 'socks4' && hop.resolve === 'there') throw invalid('socks4 carries no names; socks4a does')
  if (tls?.serverName === undefined && tls && hostNameOf(place) === '') throw invalid('TLS needs a server name')
  return Object.freeze({ kind: 'proxy', hop: Object.freeze(hop) })
}

/** A route through the proxy of this URL: `socks5h://user:password@host:port`. Throws `SOCKS_BAD_ARGUMENT`. */
export function proxyFromUrl(input: string | URL): ProxyRoute {
  return proxyFromOptions(optionsOfUrl(input))
}

/** What the URL of a proxy says, as options. Throws `SOCKS_BAD_ARGUMENT` for what is no such URL. */
export function optionsOfUrl(input: string | URL): ProxyOptions {
  const url = typeof input === 'string' ? parseUrl(input) : input
  const protocol = schemeOf(url.protocol.slice(0, -1))
  const { unix } = traitsOf(protocol)
  if (url.search !== '' || url.hash !== '') throw invalid('the URL of a proxy has no query and no fragment')
  const path = decoded(url.pathname)
  if (unix !== true && path !== '' && path !== '/') throw invalid('the URL of a proxy has no path')
  const [username, password] = [decoded(url.username), decoded(url.password)]
  const isNamed = url.username !== '' || url.password !== ''
  return {
    protocol,
    ...(unix ? { path } : { host: decoded(url.hostname) }),
    ...(url.port !== '' && { port: Number(url.port) }),
    ...(isNamed && { username, ...((url.password !== '' || protocol !== 'ssh') && { password }) }),
  }
}

function parseUrl(text: string): URL {
  const url = URL.parse(text)
  // Not the text: it may hold a password.
  if (url === null || !text.includes('://')) throw invalid('not the URL of a proxy, such as socks5h://host:1080')
  return url
}

function schemeOf(text: string): ProxyScheme {
  if (Object.hasOwn(SCHEMES, text)) return text as ProxyScheme
  throw invalid(`unknown scheme of a proxy "${text}"; there are ${Object.keys(SCHEMES).join(', ')}`)
}

function traitsOf(scheme: ProxyScheme): SchemeTraits {
  return SCHEMES[schemeOf(scheme)]
}

function placeOf(options: ProxyOptions, scheme: SchemeTraits): HopPlace {
  const { path, host, port = scheme.port } = options
  if (path !== undefined) {
    if (host !== undefined || path === '' || path.includes('\0')) throw invalid('a proxy has a path or a host')
    return Object.freeze({ kind: 'unix', path })
  }
  if (!host) throw invalid('a proxy needs a host')
  if (!isPort(port)) throw invalid('the port of a proxy is 1 to 65535')
  const text = /^\[(.*)\]$/.exec(host)?.[1] ?? host
  const literal = parseIp(text)
  if (literal === undefined && !checkNameText(text).ok) throw invalid('the host of the proxy is no host name')
  const address = literal ?? { type: 'domain', name: text }
  return Object.freeze({ kind: 'host', destination: Object.freeze({ address, port }) })
}

function credentialsOf(options: ProxyOptions, protocol: HopProtocol): Credentials | AskCredentials | undefined {
  const { username, password, credentials } = options
  if (credentials !== undefined) {
    if (username !== undefined || password !== undefined) throw invalid('a user name, or a function that gives one')
    return credentials
  }
  if (username === undefined && password === undefined) return undefined
  const made = new Credentials(username ?? '', password ?? '')
  checkCredentials(made, protocol)
  return made
}

/** Throws when the protocol cannot carry these. */
export function checkCredentials(credentials: Credentials, protocol: HopProtocol): void {
  const { username, password } = credentials.reveal()
  if (protocol === 'socks5' && (username.length > FIELD_OCTETS_MAX || password.length > FIELD_OCTETS_MAX)) {
    throw invalid(`a user name and a password have at most ${FIELD_OCTETS_MAX} octets each`)
  }
  if ((protocol === 'socks4' || protocol === 'socks4a') && password.length > 0) {
    throw invalid('SOCKS4 carries a user id and no password')
  }
  if (protocol === 'http' && username.includes(0x3a)) throw invalid('the user name of an HTTP proxy has no colon')
}

function hidden(ssh: HopSsh): HopSsh {
  // Keys must not show when a route is printed.
  const shown: HopSsh = {}
  for (const [name, value] of Object.entries(ssh)) Object.defineProperty(shown, name, { value })
  return Object.freeze(shown)
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw invalid('a part of the URL of a proxy is badly percent-encoded')
  }
}
