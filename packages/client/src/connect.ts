/** Connects a Node program to a target along a route, and hands out the real socket of Node. */
import type { Socket } from 'node:net'
import { isIP } from 'node:net'
import { type ConnectionOptions, type TLSSocket, connect as tlsConnect } from 'node:tls'
import { ConnectionDuplex, type Resolver, socketOf } from '@socksmith/engine'
import { type Destination, type Failure, type IpAddress, formatAddress } from '@socksmith/protocol'
import { defaultContext } from './context.ts'
import { toDestination, toIp } from './destination.ts'
import { type DialRouteOptions, type RouteConnection, type RouteDialing, dialRoute } from './dial/dial-route.ts'
import { type PhaseTimeouts, TIMEOUT_MS } from './dial/limits.ts'
import { routeFailure } from './dial/route-failure.ts'
import { Scope, type Step } from './dial/scope.ts'
import type { HopTrace } from './dial/trace.ts'
import { routeFromEnvironment } from './route/environment.ts'
import { type RouteInput, toRoute } from './route/make.ts'
import type { Route } from './route/route.ts'
import { DuplexSocket } from './socket/duplex-socket.ts'
import { type RouteFailure, SocksError, invalid } from './socks-error.ts'

/** What every operation along a route takes. */
export interface ViaOptions {
  /** The route; without it the environment's ({@link routeFromEnvironment}). */
  readonly via?: RouteInput
  /** Gives everything up at once, in whatever phase it is; a connection that was handed out lives on. */
  readonly signal?: AbortSignal
  /** Milliseconds for everything together; default 60,000. `Infinity` is never. */
  readonly timeout?: number
  /** Milliseconds for each phase. */
  readonly timeouts?: PhaseTimeouts
  /** The address of this machine to leave by; a proxy or target of the other family is then out of reach. */
  readonly localAddress?: string
  /** For names that this machine resolves; default: as the system does. */
  readonly resolver?: Resolver
}

export interface ConnectOptions extends ViaOptions {
  /** Name or address; IPv6 with or without brackets. */
  readonly host: string
  /** 1 to 65535. */
  readonly port: number
  /** Of the URL that is asked for, such as `"https"`; rules and the environment look at it. */
  readonly scheme?: string
  /** Speak TLS with the target. `true` checks its certificate against `host`. */
  readonly tls?: boolean | ConnectionOptions
  /** Octets to send at once, without waiting for the proxy's reply where that is possible. */
  readonly earlyData?: Uint8Array
  /** As in `net.connect`: do not end our direction when the other end ends its own. Default false. */
  readonly allowHalfOpen?: boolean
}

/**
 * Connects, and answers with a socket that is connected and not yet read; nothing that came early is lost. Rejects with
 * a {@link SocksError}.
 *
 * ```ts
 * const socket = await connect({ host: 'example.com', port: 443, tls: true, via: 'socks5h://127.0.0.1:1080' })
 * ```
 */
export function connect(options: ConnectOptions & { readonly tls: true | ConnectionOptions }): Promise<TLSSocket>
export function connect(options: ConnectOptions): Promise<Socket>
export async function connect(options: ConnectOptions): Promise<Socket> {
  const destination = toDestination(options.host, options.port)
  const { clock } = defaultContext().engine
  const startedMs = clock.monotonicMs()
  // With TLS the first octets for the target belong inside it.
  const inside = options.tls ? undefined : options.earlyData
  const dialled = await dialVia(options, destination, {
    // As every socket of `net`; who wants probes calls `setKeepAlive`.
    keepAlive: false,
    ...(inside && { earlyData: inside }),
    ...(options.scheme !== undefined && { scheme: options.scheme }),
  })
  const { allowHalfOpen = false } = options
  if (!options.tls) return handOut(dialled, allowHalfOpen)
  const leftMs = (options.timeout ?? TIMEOUT_MS) - (clock.monotonicMs() - startedMs)
  const scope = new Scope(clock, leftMs, options.timeouts ?? {})
  const socket = await secure(handOut(dialled, allowHalfOpen), destination, options, scope)
  noteDetails(socket, dialled)
  if (options.earlyData !== undefined) socket.write(options.earlyData)
  return socket
}

/** As {@link connect} without TLS, as something that can be given up without a signal. Throws for what is no destination. */
export function startConnect(options: Pick<ConnectOptions, 'host' | 'port' | 'scheme'> & ViaOptions): Step<Socket> {
  const { scheme } = options
  const dialling = startDial(options, toDestination(options.host, options.port), {
    keepAlive: false,
    ...(scheme !== undefined && { scheme }),
  })
  return { result: handedOut(dialling.result), cancel: () => dialling.cancel() }
}

async function handedOut(result: RouteDialing['result']): Promise<Socket> {
  const dialled = await result
  if ('code' in dialled) throw errorOf(dialled)
  return handOut(dialled, false)
}

/** How a socket of {@link connect} came about. */
export interface ConnectionDetails {
  /** The proxies that were passed, with the milliseconds of each phase; empty for a direct connection. */
  readonly hops: readonly HopTrace[]
  /** BND of the last proxy: the address that the target sees, where the proxy tells it. */
  readonly bound: { readonly host: string; readonly port: number }
}

/** Kept at the socket itself: a weak map of all connections would cost each of them. */
const DETAILS: unique symbol = Symbol('socksmith:details')

interface NotedSocket extends Socket {
  [DETAILS]?: Pick<RouteConnection, 'hops' | 'bound'>
}

/** What is known about a socket of this library; `undefined` for any other. */
export function connectionDetails(socket: Socket): ConnectionDetails | undefined {
  const known = (socket as NotedSocket)[DETAILS]
  if (known === undefined) return undefined
  const { hops, bound } = known
  return { hops, bound: { host: formatAddress(bound.address), port: bound.port } }
}

/** Notes how the socket came about; it is put into words only for who asks. */
export function noteDetails(socket: Socket, dialled: RouteConnection): void {
  const { hops, bound } = dialled
  ;(socket as NotedSocket)[DETAILS] = { hops, bound }
}

/** Dials for an operation of this library; rejects with a {@link SocksError}. */
export async function dialVia(
  options: ViaOptions,
  destination: Destination,
  more: Pick<DialRouteOptions, 'earlyData' | 'scheme' | 'command' | 'keepAlive'> = {},
): Promise<RouteConnection> {
  const { signal } = options
  const dialled = await untilAborted(startDial(options, destination, more), signal)
  if ('code' in dialled) throw errorOf(dialled, signal)
  return dialled
}

function startDial(
  options: ViaOptions,
  destination: Destination,
  more: Pick<DialRouteOptions, 'earlyData' | 'scheme' | 'command' | 'keepAlive'>,
): RouteDialing {
  const { engine, resolver } = defaultContext()
  return dialRoute(engine, routeOf(options.via), destination, { resolver, ...dialOptions(options), ...more })
}

/** The route of an option. */
export function routeOf(via: RouteInput | undefined): Route {
  return via === undefined ? routeFromEnvironment() : toRoute(via)
}

/** The step's result; an abort gives it up in the same turn. */
export function untilAborted<T>(step: Step<T>, signal: AbortSignal | undefined): Promise<T> {
  return signal === undefined ? step.result : whileAbortable(step, signal)
}

async function whileAbortable<T>(step: Step<T>, signal: AbortSignal): Promise<T> {
  const abort = (): void => step.cancel()
  if (signal.aborted) abort()
  signal.addEventListener('abort', abort, { once: true })
  try {
    return await step.result
  } finally {
    signal.removeEventListener('abort', abort)
  }
}

/** The error to reject with; an abort carries the reason of its signal as `cause`. */
export function errorOf(why: RouteFailure, signal?: AbortSignal): SocksError {
  return new SocksError(why, why.code === 'SOCKS_ABORTED' ? signal?.reason : undefined)
}

/** What a dial takes from the options of a person. */
export function dialOptions(options: ViaOptions): Partial<DialRouteOptions> {
  const { timeout, timeouts, localAddress, resolver } = options
  if (timeout !== undefined && !(timeout > 0)) throw invalid('a time limit is a positive number of milliseconds')
  const local = localAddress === undefined ? undefined : toIp(localAddress)
  return {
    ...(timeout !== undefined && { timeoutMs: timeout }),
    ...(timeouts && { timeouts }),
    ...(resolver && { resolver }),
    ...(local && { localAddressFor: (): IpAddress => local }),
  }
}

/** The socket below a connection, with the early octets back in it. */
export function handOut(dialled: RouteConnection, allowHalfOpen: boolean): Socket {
  const { connection, early } = dialled
  const real = socketOf(connection)
  const socket = real ?? new DuplexSocket({ allowHalfOpen }).adopt(new ConnectionDuplex(connection, early))
  if (real !== undefined) {
    if (early.length > 0) real.unshift(early)
    real.allowHalfOpen = allowHalfOpen
    // It was paused by us. Now it is as a fresh one: whoever adds a listener starts it.
    ;(real as { readableFlowing: boolean | null }).readableFlowing = null
  }
  noteDetails(socket, dialled)
  return socket
}

async function secure(
  carrier: Socket,
  destination: Destination,
  options: ConnectOptions,
  scope: Scope,
): Promise<TLSSocket> {
  const { signal } = options
  scope.enter('target-tls')
  const running = scope.during(handshake(carrier, destination, options)).finally(() => scope.finish())
  const securing = await untilAborted({ result: running, cancel: () => scope.cancel() }, signal)
  if ('socket' in securing) return securing.socket
  if ('failure' in securing) throw errorOf(securing, signal)
  throw new SocksError(routeFailure('SOCKS_TLS_FAILED', securing.why, 'target-tls'), securing.error)
}

type Handshake = { readonly socket: TLSSocket } | { readonly why: Failure; readonly error?: Error }

function handshake(carrier: Socket, { address }: Destination, { tls }: ConnectOptions): Step<Handshake> {
  const { promise: result, resolve } = Promise.withResolvers<Handshake>()
  const host = formatAddress(address)
  const given = typeof tls === 'object' ? tls : {}
  const socket = tlsConnect({ host, ...(isIP(host) === 0 && { servername: host }), ...given, socket: carrier })
  // What happens to it is told by the TLS socket.
  carrier.on('error', () => {})
  const onError = (error: Error & { readonly code?: string }): void => {
    const { code: errno } = error
    carrier.destroy()
    resolve({ why: { code: 'not_allowed', blame: 'target', ...(errno !== undefined && { errno }) }, error })
  }
  const onClose = (): void => resolve({ why: { code: 'truncated', blame: 'target', errno: 'ECONNRESET' } })
  socket.once('error', onError).once('close', onClose)
  socket.once('secureConnect', () => {
    socket.off('error', onError).off('close', onClose)
    resolve({ socket })
  })
  const cancel = (): void => {
    socket.on('error', () => {}).destroy()
    carrier.destroy()
  }
  return { result, cancel }
}
