/**
 * The door `@socksmith/client/socks-proxy-agent`: what programs import from the package `socks-proxy-agent`, on our own
 * agent. Knows no handshake.
 */
import type { ClientRequest } from 'node:http'
import type { Socket, TcpNetConnectOpts } from 'node:net'
import { SocksAgent, type SocksAgentOptions } from '../http/agent.ts'
import { type ProxyScheme, proxyFromUrl } from '../route/proxy.ts'
import type { SocksProxyType } from './socks-options.ts'

/** Options of {@link SocksProxyAgent}; `timeout` is also the limit of making a connection. */
export interface SocksProxyAgentOptions extends SocksAgentOptions {
  /** Of these, `localAddress` is used. */
  readonly socketOptions?: Omit<TcpNetConnectOpts, 'port' | 'host'>
}

/** The proxy as `socks-proxy-agent` shows it, without user and password. */
export interface ShownProxy {
  readonly host: string
  readonly port: number
  readonly type: SocksProxyType
}

const PROTOCOLS = ['socks', 'socks4', 'socks4a', 'socks5', 'socks5h'] as const
const DEFAULT_PORT = 1080

/**
 * An agent for `http:` and `https:`.
 *
 * ```ts
 * const agent = new SocksProxyAgent('socks5h://127.0.0.1:1080')
 * https.get('https://example.com/', { agent }, response => response.pipe(process.stdout))
 * ```
 *
 * Emits `proxy` on each request that makes a connection, with `{ proxy, socket }`.
 */
export class SocksProxyAgent extends SocksAgent {
  static readonly protocols: typeof PROTOCOLS = PROTOCOLS
  /** Names are resolved here, and not by the proxy. */
  readonly shouldLookup: boolean
  readonly proxy: ShownProxy
  /** Without user name and password. */
  readonly proxyUrl: string
  readonly timeout: number | null
  readonly socketOptions: SocksProxyAgentOptions['socketOptions'] | null

  constructor(uri: string | URL, options: SocksProxyAgentOptions = {}) {
    const url = new URL(uri)
    const scheme = url.protocol.slice(0, -1)
    if (!(PROTOCOLS as readonly string[]).includes(scheme)) throw new TypeError(`not a SOCKS proxy: ${url.protocol}`)
    const { socketOptions, ...rest } = options
    const route = proxyFromUrl(url)
    super(route, { ...rest, ...(socketOptions?.localAddress && { localAddress: socketOptions.localAddress }) })
    this.shouldLookup = route.hop.resolve === 'here'
    this.proxy = {
      host: url.hostname.replace(/^\[|\]$/g, ''),
      port: url.port === '' ? DEFAULT_PORT : Number(url.port),
      type: (scheme as ProxyScheme).startsWith('socks4') ? 4 : 5,
    }
    this.proxyUrl = `${scheme}://${url.hostname}:${this.proxy.port}`
    this.timeout = options.timeout ?? null
    this.socketOptions = socketOptions ?? null
  }

  protected override onConnection(request: ClientRequest, socket: Socket): void {
    request.emit('proxy', { proxy: this.proxyUrl, socket })
  }
}
