/** BIND: asks a proxy to listen for one peer, tells the address, and waits for the peer to come. */
import type { Socket } from 'node:net'
import { ANY_IPV4, type Destination, formatAddress, isUnspecified, plainAddress } from '@socksmith/protocol'
import { type ViaOptions, dialVia, errorOf, handOut, routeOf, untilAborted } from './connect.ts'
import { defaultContext } from './context.ts'
import { toAddress } from './destination.ts'
import type { RouteConnection } from './dial/dial-route.ts'
import type { HandshakeRun } from './dial/handshake-run.ts'
import { handshakeFailure } from './dial/route-failure.ts'
import { Scope } from './dial/scope.ts'
import type { Route } from './route/route.ts'
import { SocksError, invalid } from './socks-error.ts'

export interface ListenOptions extends ViaOptions {
  /** The peer that is expected; a proxy may refuse everybody else. Default: anybody. */
  readonly host?: string
  /** Its port; most proxies ignore it. */
  readonly port?: number
  /** As in `net.connect`. Default false. */
  readonly allowHalfOpen?: boolean
}

/** How long to wait for the peer. */
export interface AcceptOptions {
  readonly signal?: AbortSignal
  /** Milliseconds; default: the `accept` of `timeouts`, otherwise for ever. */
  readonly timeout?: number
}

/**
 * Asks the last proxy of the route to listen.
 *
 * ```ts
 * const listener = await listen({ via: 'socks5h://127.0.0.1:1080', host: '192.0.2.7' })
 * tellPeer(listener.address)
 * const socket = await listener.accept()
 * ```
 */
export async function listen(options: ListenOptions = {}): Promise<SocksListener> {
  return open(routeOf(options.via), options)
}

async function open(route: Route, options: ListenOptions): Promise<SocksListener> {
  const expected = expectedOf(options)
  const dialled = await dialVia({ ...options, via: route }, expected, { command: 'bind' })
  return new SocksListener(dialled, route, options)
}

/** One BIND: one address, one peer. Made by {@link listen}. */
export class SocksListener implements AsyncDisposable {
  /** What to tell the peer; where the proxy does not know its own address, that of the proxy. */
  readonly address: { readonly host: string; readonly port: number }
  readonly #dialled: RouteConnection
  readonly #run: HandshakeRun
  readonly #route: Route
  readonly #options: ListenOptions
  #isTaken = false

  constructor(dialled: RouteConnection, route: Route, options: ListenOptions) {
    if (dialled.listening === undefined) throw new Error('the route answered without listening')
    this.#dialled = dialled
    this.#run = dialled.listening
    this.#route = route
    this.#options = options
    this.address = addressOf(dialled)
  }

  /**
   * Waits for the peer, whose address is then `connectionDetails(socket).bound`. BIND is for one: a second call rejects;
   * {@link SocksListener.again} asks for the next.
   */
  async accept(options: AcceptOptions = {}): Promise<Socket> {
    if (this.#isTaken) throw invalid('BIND is for one peer; again() asks for the next')
    this.#isTaken = true
    const { accept = Infinity } = this.#options.timeouts ?? {}
    const scope = new Scope(defaultContext().engine.clock, options.timeout ?? accept, {})
    const { hops, lastHop } = this.#dialled
    const spot = lastHop && { hop: hops.length - 1, proxy: lastHop }
    scope.enter('accept', spot)
    const running = scope.during(this.#run.goOn()).finally(() => scope.finish())
    const outcome = await untilAborted({ result: running, cancel: () => scope.cancel() }, options.signal)
    if ('code' in outcome) throw errorOf(outcome, options.signal)
    if (outcome.kind === 'granted') {
      return handOut({ ...this.#dialled, ...outcome }, this.#options.allowHalfOpen === true)
    }
    if (outcome.kind === 'refused' && spot) throw new SocksError(handshakeFailure(outcome.failure, 'accept', spot))
    throw new Error('a third reply to BIND')
  }

  /** Asks the same once more, for the next peer; the address is mostly another one. */
  again(): Promise<SocksListener> {
    return open(this.#route, this.#options)
  }

  /** Stops listening; a socket that was accepted lives on. */
  close(): void {
    if (!this.#isTaken) this.#run.cancel()
    this.#isTaken = true
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.close()
    return Promise.resolve()
  }
}

function expectedOf({ host, port = 0 }: ListenOptions): Destination {
  if (!Number.isInteger(port) || port < 0 || port > 65_535) throw invalid('a port is a number from 0 to 65535')
  return { address: host === undefined ? ANY_IPV4 : toAddress(host), port }
}

function addressOf({ bound, connection, lastHop }: RouteConnection): { readonly host: string; readonly port: number } {
  const told = plainAddress(bound.address)
  if (!isUnspecified(told)) return { host: formatAddress(told), port: bound.port }
  // RFC 1928 leaves it open, SOCKS4 says it: zeros are the address of the server itself.
  const isNear = connection.remote.kind === 'ip' && (lastHop === undefined || lastHop.place.kind === 'unix')
  const place = lastHop?.place
  if (!isNear && place?.kind === 'host' && place.destination.address.type !== 'domain') {
    return { host: formatAddress(place.destination.address), port: bound.port }
  }
  const { remote } = connection
  return { host: remote.kind === 'ip' ? formatAddress(remote.endpoint.address) : 'localhost', port: bound.port }
}
