/**
 * `SocksClient` with the shape that `socks` has, on our own handshake: octets behind the reply stay in the socket, the
 * time limit holds for chains too, and no error carries a password.
 */
import { EventEmitter } from 'node:events'
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { type Destination, type Failure, formatAddress, isUnspecified } from '@socksmith/protocol'
import { handshakeFailure } from '../dial/route-failure.ts'
import type { SocksErrorCode } from '../socks-error.ts'
import { handshakeOptionsOf, runHandshake } from './socks-handshake.ts'
import {
  DEFAULT_TIMEOUT,
  type SocksClientBoundEvent,
  type SocksClientChainOptions,
  SocksClientError,
  type SocksClientEstablishedEvent,
  type SocksClientOptions,
  type SocksProxy,
  type SocksRemoteHost,
  checkChainOptions,
  checkOptions,
} from './socks-options.ts'
import { type SocksUDPFrameDetails, createUDPFrame, parseUDPFrame } from './socks-udp-frame.ts'

/** Events of a {@link SocksClient}. */
export interface SocksClientEvents {
  /** First reply to BIND: where the proxy listens. */
  bound: [info: SocksClientBoundEvent]
  established: [info: SocksClientEstablishedEvent]
  error: [error: SocksClientError]
}

type Callback = (error: Error | null, info?: SocksClientEstablishedEvent) => void

/**
 * One request to one proxy.
 *
 * ```ts
 * const { socket } = await SocksClient.createConnection({
 *   command: 'connect',
 *   proxy: { host: '127.0.0.1', port: 1080, type: 5 },
 *   destination: { host: 'example.com', port: 80 },
 * })
 * ```
 */
export class SocksClient extends EventEmitter<SocksClientEvents> {
  readonly #options: SocksClientOptions
  #state: 'created' | 'connecting' | 'bound' | 'over' = 'created'
  #socket: Duplex | undefined
  #timer: NodeJS.Timeout | undefined
  #stopHandshake: (() => void) | undefined

  constructor(options: SocksClientOptions) {
    super()
    checkOptions(options)
    this.#options = { ...options }
  }

  /** CONNECT. With a callback the promise never rejects, as in `socks`. */
  static createConnection(options: SocksClientOptions, callback?: Callback): Promise<SocksClientEstablishedEvent> {
    return settle(establish(options, ['connect']), callback)
  }

  /** CONNECT through two proxies or more; the last one connects to the destination. */
  static createConnectionChain(
    options: SocksClientChainOptions,
    callback?: Callback,
  ): Promise<SocksClientEstablishedEvent> {
    return settle(establishChain(options), callback)
  }

  /** The header of RFC 1928 section 7, and the data. */
  static createUDPFrame(options: SocksUDPFrameDetails): Buffer {
    return createUDPFrame(options)
  }

  /** Throws for what is no frame. */
  static parseUDPFrame(data: Buffer): SocksUDPFrameDetails {
    return parseUDPFrame(data)
  }

  get socksClientOptions(): SocksClientOptions {
    return { ...this.#options }
  }

  /** Starts. Tells by events. `existingSocket` is connected to the proxy already. */
  connect(existingSocket: Duplex | undefined = this.#options.existing_socket): void {
    if (this.#state !== 'created') return
    this.#state = 'connecting'
    const { timeout = DEFAULT_TIMEOUT } = this.#options
    this.#timer = setTimeout(() => this.#fail(`no answer in ${timeout} ms`, { code: 'SOCKS_TIMED_OUT' }), timeout)
    this.#timer.unref()
    const socket = existingSocket ?? this.#open()
    this.#socket = socket
    socket.on('error', this.#onError).on('close', this.#onClose)
    if (socket instanceof Socket && socket.connecting) socket.once('connect', () => void this.#shakeHands(socket))
    else void this.#shakeHands(socket)
  }

  #open(): Socket {
    const { proxy, socket_options: options, set_tcp_nodelay: noDelay } = this.#options
    const socket = new Socket()
    socket.connect({ ...options, host: (proxy.host ?? proxy.ipaddress) as string, port: proxy.port })
    if (noDelay !== undefined) socket.setNoDelay(noDelay)
    return socket
  }

  async #shakeHands(socket: Duplex): Promise<void> {
    try {
      const options = await handshakeOptionsOf(this.#options)
      if (this.#state !== 'connecting') return
      this.#stopHandshake = runHandshake(socket, options, this.#options.proxy, {
        onListening: bound => this.#onListening(bound),
        onEstablished: bound => this.#onEstablished(bound),
        onFailure: failure => this.#onFailure(failure),
      })
    } catch (cause) {
      this.#fail('the handler of the custom method failed', { cause })
    }
  }

  #onListening(bound: Destination): void {
    // The peer may take its time.
    clearTimeout(this.#timer)
    this.#state = 'bound'
    this.emit('bound', this.#eventOf(bound))
  }

  #onEstablished(bound: Destination): void {
    this.#state = 'over'
    clearTimeout(this.#timer)
    this.#socket?.off('error', this.#onError).off('close', this.#onClose)
    this.emit('established', this.#eventOf(bound))
  }

  #eventOf(bound: Destination): SocksClientEstablishedEvent {
    return { socket: this.#socket as Socket, remoteHost: this.#remoteHostOf(bound) }
  }

  /** An unspecified address in a reply means the proxy's own. */
  #remoteHostOf({ address, port }: Destination): SocksRemoteHost {
    const proxyAddress = this.#socket instanceof Socket ? this.#socket.remoteAddress : undefined
    const isOwn = isUnspecified(address) && this.#options.command !== 'connect' && proxyAddress !== undefined
    return { host: isOwn ? proxyAddress : formatAddress(address), port }
  }

  #onFailure(why: Failure): void {
    const spot = { hop: 0, proxy: { label: '' } } as Parameters<typeof handshakeFailure>[2]
    const { code } = handshakeFailure(why, 'request', spot)
    const reply = why.rep === undefined ? '' : ` (reply ${why.rep})`
    this.#fail(`${why.detail ?? why.code}${reply}`, { code, failure: why })
  }

  readonly #onError = (cause: Error): void => {
    this.#fail(cause.message, { code: this.#stopHandshake ? 'SOCKS_PROXY_CLOSED' : 'SOCKS_PROXY_UNREACHABLE', cause })
  }

  readonly #onClose = (): void => this.#fail('the proxy hung up', { code: 'SOCKS_PROXY_CLOSED' })

  #fail(message: string, why: { code?: SocksErrorCode; failure?: Failure; cause?: unknown }): void {
    if (this.#state === 'over') return
    this.#state = 'over'
    clearTimeout(this.#timer)
    this.#stopHandshake?.()
    this.#socket?.off('close', this.#onClose).destroy()
    this.emit('error', new SocksClientError(message, this.#options, why))
  }
}

function establish(options: SocksClientOptions, commands: readonly ['connect']): Promise<SocksClientEstablishedEvent> {
  return new Promise((resolve, reject) => {
    checkOptions(options, commands)
    const client = new SocksClient(options)
    client.once('established', resolve).once('error', reject)
    client.connect()
  })
}

async function establishChain(options: SocksClientChainOptions): Promise<SocksClientEstablishedEvent> {
  checkChainOptions(options)
  const { timeout = DEFAULT_TIMEOUT, destination } = options
  const untilMs = performance.now() + timeout
  const proxies = options.randomizeChain === true ? shuffled(options.proxies) : options.proxies
  let socket: Socket | undefined
  for (const [index, proxy] of proxies.entries()) {
    const next = proxies[index + 1]
    const established = await establish(
      {
        command: 'connect',
        proxy,
        destination: next === undefined ? destination : hostOf(next),
        timeout: Math.max(1, untilMs - performance.now()),
        ...(socket !== undefined && { existing_socket: socket }),
      },
      ['connect'],
    )
    socket = established.socket
  }
  return { socket: socket as Socket }
}

function hostOf({ host, ipaddress, port }: SocksProxy): SocksRemoteHost {
  return { host: (host ?? ipaddress) as string, port }
}

/** Fisher and Yates; the caller's array stays as it is. */
function shuffled<T>(items: readonly T[]): readonly T[] {
  const left = [...items]
  return items.map(() => left.splice(Math.floor(Math.random() * left.length), 1)[0] as T)
}

async function settle(
  promise: Promise<SocksClientEstablishedEvent>,
  callback?: Callback,
): Promise<SocksClientEstablishedEvent> {
  if (callback === undefined) return promise
  try {
    const info = await promise
    callback(null, info)
    return info
  } catch (error) {
    callback(error as Error)
    return error as never
  }
}
