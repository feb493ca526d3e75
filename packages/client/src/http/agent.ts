/**
 * An agent for `http:` and `https:` alike, whose connections go over a route. Keep-alive, limits, TLS options and
 * sessions are those of `node:https`, from which it descends. Knows no proxy and no handshake.
 */
import { type ClientRequest, Agent as HttpAgent, type RequestOptions } from 'node:http'
import { Agent as HttpsAgent, type AgentOptions } from 'node:https'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { RouteInput } from '../route/make.ts'
import { invalid } from '../socks-error.ts'
import {
  type AgentConnectOptions,
  type AgentRequestOptions,
  type EndingRequest,
  type OpenAgent,
  REQUEST,
  type SocketCallback,
  isSecure,
  openAgentSocket,
} from './agent-socket.ts'
import { knownRoute } from './known-route.ts'
import { lazySocket } from './lazy-socket.ts'

/** What a route may be chosen by. */
export interface AgentTarget {
  readonly host: string
  readonly port: number
  readonly secure: boolean
}

/** A route for all requests, or for each. */
export type AgentRoute = RouteInput | ((target: AgentTarget, request?: ClientRequest) => RouteInput)

/** Those of `https.Agent` (`timeout` is also the limit of making a connection), and limits of each phase. */
export interface SocksAgentOptions extends AgentOptions, AgentConnectOptions {
  /** Fixed for the few programs that read it; by default both `http:` and `https:` are served. */
  readonly protocol?: 'http:' | 'https:'
}

/** Options of a request that goes through a {@link SocksAgent}: `via` overrides the agent's route. */
export interface SocksRequestOptions extends RequestOptions {
  readonly via?: RouteInput
}

/**
 * Stands for "no port was named". `node:http` puts the port into the header `Host` unless it equals the agent's default,
 * and asks the agent for that default without saying whether the request is of `http:` or of `https:`.
 */
const NO_PORT = Infinity

const PORTS = { http: 80, https: 443 } as const

/**
 * One agent for `http.request`, `https.request` and everything built on them.
 *
 * ```ts
 * const agent = new SocksAgent('socks5h://127.0.0.1:1080', { keepAlive: true })
 * https.get('https://example.com/', { agent }, response => response.pipe(process.stdout))
 * ```
 *
 * Without a route it is the environment's. Requests fail with {@link SocksError}; one to a Unix socket is refused.
 */
export class SocksAgent extends HttpsAgent {
  readonly #via: AgentRoute
  readonly #connecting: AgentConnectOptions

  constructor(via?: AgentRoute, options: SocksAgentOptions = {}) {
    super(options)
    // Fails now and not at the first request.
    if (typeof via !== 'function') knownRoute(via)
    this.#via = via ?? knownRoute().route
    this.#connecting = options.timeouts === undefined ? {} : { timeouts: options.timeouts }
    const open = this as unknown as OpenAgent
    if (options.protocol === undefined) {
      delete open.protocol
      open.defaultPort = NO_PORT
    } else {
      open.protocol = options.protocol
      open.defaultPort = options.protocol === 'https:' ? PORTS.https : PORTS.http
    }
  }

  /** The key of the pool: target, TLS options, and the route without its secrets. */
  override getName(options: SocksRequestOptions & { secure?: boolean } = {}): string {
    const base =
      options.secure === true ? super.getName(options) : PLAIN.getName.call(this as unknown as OpenAgent, options)
    return options.via === undefined ? base : `${base}:via${knownRoute(options.via).id}`
  }

  /** Called by `node:http` for each request. */
  addRequest(request: ClientRequest, options: AgentRequestOptions & SocksRequestOptions): void {
    const secure = isSecure(request)
    const target = { host: options.host, port: portOf(request, options), secure }
    try {
      if (options.socketPath) throw invalid('a Unix socket cannot be reached by a route')
      const via = options.via ?? (typeof this.#via === 'function' ? this.#via(target, request) : this.#via)
      OPEN.addRequest.call(this as unknown as OpenAgent, request, {
        ...options,
        ...target,
        via: knownRoute(via).route,
      } as never)
    } catch (error) {
      // As a socket that fails: `node:http` does not expect an agent to throw.
      ;(request as unknown as EndingRequest).onSocket(null, error)
    }
  }

  /** Called by `node:http` when no idle connection fits. */
  createSocket(request: ClientRequest, options: AgentRequestOptions, callback: SocketCallback): void {
    OPEN.createSocket.call(this as unknown as OpenAgent, request, { ...options, [REQUEST]: request }, callback)
  }

  /**
   * Called by `node:http`, which takes the connection from the callback. Whoever else calls it gets a socket at once,
   * with TLS when the `protocol` of the options or of the agent is `https:`.
   */
  override createConnection(
    options: SocksRequestOptions,
    callback?: (error: Error | null, stream: Duplex) => void,
  ): Duplex | null {
    const prepared = options as unknown as AgentRequestOptions
    const request = prepared[REQUEST]
    if (request === undefined) return this.#socketAtOnce(prepared, options)
    const register = callback as SocketCallback
    // The pool keeps these options as long as the connection; the request need not live so long.
    delete prepared[REQUEST]
    const { route } = knownRoute(options.via)
    openAgentSocket(this as unknown as OpenAgent, request, prepared, route, this.#connecting, (error, socket) => {
      if (socket !== undefined) this.onConnection(request, socket)
      register(error, socket)
    })
    return null
  }

  #socketAtOnce(prepared: AgentRequestOptions, { via, protocol }: SocksRequestOptions): Socket {
    const secure = (protocol ?? (this as unknown as OpenAgent).protocol) === 'https:'
    const port = prepared.port ?? (secure ? PORTS.https : PORTS.http)
    const route =
      typeof this.#via === 'function' ? this.#via({ host: prepared.host, port: Number(port), secure }) : this.#via
    return lazySocket(knownRoute(via ?? route).route, { ...prepared, port }, secure)
  }

  /** For descendants: a connection stands, and the request has not seen it yet. */
  protected onConnection(_request: ClientRequest, _socket: Socket): void {}
}

/** What `node:https` has and its types leave out. */
const OPEN = HttpsAgent.prototype as unknown as OpenAgent
const PLAIN = HttpAgent.prototype as unknown as OpenAgent

function portOf(request: ClientRequest, { host, port }: AgentRequestOptions): number {
  const defaultPort = isSecure(request) ? PORTS.https : PORTS.http
  if (port === NO_PORT) return defaultPort
  // The port was named, and `node:http` did not know that it need not be.
  const header = request.getHeader('host')
  if (Number(port) === defaultPort && header === `${host}:${port}` && !request.headersSent)
    request.setHeader('host', host)
  return Number(port)
}
