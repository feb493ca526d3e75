/**
 * A `net.Socket` that is made first and connected later, by a driver that knows nothing of proxies: its `connect` goes
 * along the route.
 */
import type { Socket } from 'node:net'
import { type ViaOptions, dialOptions, errorOf, handOut, noteDetails, routeOf, untilAborted } from '../connect.ts'
import { defaultContext } from '../context.ts'
import { toDestination } from '../destination.ts'
import { type RouteDialing, dialRoute } from '../dial/dial-route.ts'
import { invalid } from '../socks-error.ts'
import type { Route } from '../route/route.ts'
import { DuplexSocket } from './duplex-socket.ts'

export interface SocksSocketOptions extends ViaOptions {
  /** As in `net.Socket`. Default false. */
  readonly allowHalfOpen?: boolean
}

interface Where {
  readonly port?: number | string
  readonly host?: string
  readonly path?: string
}

/**
 * Give one to a driver that calls `connect(port, host)` itself.
 *
 * ```ts
 * const client = new pg.Client({ host: 'db.internal', stream: () => new SocksSocket({ via: 'socks5h://127.0.0.1:1080' }) })
 * ```
 */
export class SocksSocket extends DuplexSocket {
  readonly #options: SocksSocketOptions
  readonly #route: Route
  #dialing: RouteDialing | undefined

  /** Throws `SOCKS_BAD_ARGUMENT` for a route that cannot be followed. */
  constructor(options: SocksSocketOptions = {}) {
    super({ allowHalfOpen: options.allowHalfOpen ?? false })
    this.#options = options
    this.#route = routeOf(options.via)
  }

  /** As `net.Socket.connect`, in all its forms but the path of a Unix socket. */
  override connect(...args: readonly unknown[]): this {
    const callback = args.findLast(argument => typeof argument === 'function') as (() => void) | undefined
    if (callback !== undefined) this.once('connect', callback)
    if (this.carrier !== undefined || this.#dialing !== undefined) throw invalid('this socket was connected already')
    setConnecting(this, true)
    // A driver adds its listeners after this call.
    this.#start(whereOf(args)).catch((error: unknown) => this.destroy(error as Error))
    return this
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#dialing?.cancel()
    super._destroy(error, done)
  }

  async #start(where: Where): Promise<void> {
    if (where.path !== undefined) throw invalid('a Unix socket is not reached by a route')
    const destination = toDestination(where.host ?? 'localhost', Number(where.port))
    const { engine, resolver } = defaultContext()
    const { signal } = this.#options
    this.#dialing = dialRoute(engine, this.#route, destination, { resolver, ...dialOptions(this.#options) })
    const dialled = await untilAborted(this.#dialing, signal)
    if ('code' in dialled) throw errorOf(dialled, signal)
    if (this.destroyed) {
      dialled.connection.destroy()
      return
    }
    noteDetails(this, dialled)
    this.adopt(handOut(dialled, true))
    setConnecting(this, false)
    this.emit('connect')
    this.emit('ready')
  }
}

/** What the forms of `net.Socket.connect` say: (options), (path), (port, host). */
function whereOf([first, second]: readonly unknown[]): Where {
  if (typeof first === 'object' && first !== null) return first
  if (typeof first === 'string' && !/^\d+$/.test(first)) return { path: first }
  return { port: first as number | string, ...(typeof second === 'string' && { host: second }) }
}

function setConnecting(socket: Socket, connecting: boolean): void {
  ;(socket as { connecting: boolean }).connecting = connecting
}
