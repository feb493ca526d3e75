/** The proxy to load, as a URL names it. Opens nothing and resolves nothing. */

export type ProxyProtocol = 'socks4' | 'socks5' | 'http'

export interface ProxyUrl {
  readonly protocol: ProxyProtocol
  /** A name, or an address without brackets. */
  readonly host: string
  readonly port: number
  /** The target is named to the proxy, which resolves it: `socks5h` and `socks4a`. */
  readonly namesTarget: boolean
  readonly credentials?: { readonly username: Uint8Array; readonly password: Uint8Array }
  /** What may be shown: the URL without user and password. */
  readonly label: string
}

interface Scheme {
  readonly protocol: ProxyProtocol
  readonly namesTarget: boolean
  readonly port: number
}

const SCHEMES: ReadonlyMap<string, Scheme> = new Map([
  ['socks4', { protocol: 'socks4', namesTarget: false, port: 1080 }],
  ['socks4a', { protocol: 'socks4', namesTarget: true, port: 1080 }],
  ['socks5', { protocol: 'socks5', namesTarget: false, port: 1080 }],
  ['socks5h', { protocol: 'socks5', namesTarget: true, port: 1080 }],
  ['http', { protocol: 'http', namesTarget: false, port: 80 }],
])

const EXPECTED = `expected ${[...SCHEMES.keys()].join('://, ')}://[USER:PASSWORD@]HOST[:PORT]`

/** RFC 1929 section 2: one octet tells the length of each. */
const CREDENTIAL_OCTETS_MAX = 255

/**
 * Reads the URL. A string is what is wrong with it; it holds no password.
 *
 * @example parseProxyUrl('socks5://alice:secret@127.0.0.1:1080')
 */
export function parseProxyUrl(text: string): ProxyUrl | string {
  const [, name = '', rest = ''] = /^([a-z0-9]+):\/\/([^/]+)\/?$/i.exec(text) ?? []
  const scheme = SCHEMES.get(name.toLowerCase())
  if (scheme === undefined) return EXPECTED
  // A scheme without a port of its own, so that `:80` is not taken away.
  const url = URL.parse(`x://${rest}`)
  if (url === null || url.hostname === '') return 'the host or the port of the URL is not right'
  const credentials = credentialsOf(url, scheme.protocol)
  if (typeof credentials === 'string') return credentials
  const port = url.port === '' ? scheme.port : Number(url.port)
  if (port === 0) return 'the port of the URL is 0'
  return {
    protocol: scheme.protocol,
    namesTarget: scheme.namesTarget,
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port,
    ...(credentials === undefined ? {} : { credentials }),
    label: `${name.toLowerCase()}://${url.hostname}:${port}`,
  }
}

function credentialsOf({ username, password }: URL, protocol: ProxyProtocol): ProxyUrl['credentials'] | string {
  if (username === '') return password === '' ? undefined : 'the URL has a password without a user'
  // SOCKS4 carries a USERID and nothing that proves it.
  if (protocol === 'socks4' && password !== '') return 'SOCKS4 carries no password'
  try {
    const both = { username: octetsOf(username), password: octetsOf(password) }
    const tooLong = Math.max(both.username.length, both.password.length) > CREDENTIAL_OCTETS_MAX
    return tooLong ? `user and password have at most ${CREDENTIAL_OCTETS_MAX} octets each` : both
  } catch {
    return 'user or password is not percent-encoded rightly'
  }
}

function octetsOf(text: string): Uint8Array {
  return Buffer.from(decodeURIComponent(text))
}
