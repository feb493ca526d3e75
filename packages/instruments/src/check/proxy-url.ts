/** The server under test, as a URL names it. Opens nothing. */

export interface ProxyPlace {
  readonly host: string
  readonly port: number
  readonly isTls: boolean
  readonly username?: Uint8Array
  readonly password?: Uint8Array
  /** `socks5://127.0.0.1:1080`: what may be shown, without user and password. */
  readonly label: string
}

/** As a proxy listens by custom (IANA: socks). */
const SOCKS_PORT = 1080
const SCHEMES = new Set(['socks', 'socks4', 'socks4a', 'socks5', 'socks5h'])
/** RFC 1929: one octet tells the length of each. */
const CREDENTIAL_OCTETS_MAX = 255

/**
 * Reads `socks5://[USER:PASSWORD@]HOST[:PORT]`; `+tls` behind the scheme for SOCKS inside TLS. The suite asks for all
 * versions whatever the scheme says. A string is what is wrong with the text; it holds no password.
 *
 * @example parseProxyUrl('socks5://alice:secret@127.0.0.1:1080')
 */
export function parseProxyUrl(text: string): ProxyPlace | string {
  const match = /^([a-z0-9]+)(\+tls)?:\/\/(.*)$/i.exec(text)
  const scheme = match?.[1]?.toLowerCase()
  if (match === null || scheme === undefined || !SCHEMES.has(scheme)) {
    return 'expected socks5://[USER:PASSWORD@]HOST[:PORT]'
  }
  // A scheme that URL knows, so that host and port are read by its rules.
  const parsed = URL.parse(`http://${match[3]}`)
  if (parsed === null || parsed.hostname === '') return 'the host or the port is not right'
  const host = parsed.hostname.replace(/^\[(.*)\]$/, '$1')
  const hasPort = /:\d+\/?$/.test(match[3] ?? '')
  const port = hasPort ? Number(parsed.port === '' ? 80 : parsed.port) : SOCKS_PORT
  const credentials = credentialsOf(parsed)
  if (typeof credentials === 'string') return credentials
  const isTls = match[2] !== undefined
  const shown = host.includes(':') ? `[${host}]` : host
  return { host, port, isTls, ...credentials, label: `${scheme}${isTls ? '+tls' : ''}://${shown}:${port}` }
}

function credentialsOf({ username, password }: URL): { username: Uint8Array; password: Uint8Array } | string | object {
  if (username === '') return password === '' ? {} : 'there is a password without a user'
  try {
    const both = { username: octetsOf(username), password: octetsOf(password) }
    const tooLong = Math.max(both.username.length, both.password.length) > CREDENTIAL_OCTETS_MAX
    return tooLong ? 'user and password have at most 255 octets each' : both
  } catch {
    return 'user or password is not percent-encoded rightly'
  }
}

function octetsOf(text: string): Uint8Array {
  return Buffer.from(decodeURIComponent(text))
}
