/**
 * What `socks` takes, checked, and the error that its users expect. The names are theirs. No password gets into an
 * error. Opens nothing.
 */
import type { Socket, SocketConnectOpts } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Failure } from '@socksmith/protocol'
import type { SocksErrorCode } from '../socks-error.ts'

export type SocksCommandOption = 'connect' | 'bind' | 'associate'
export type SocksProxyType = 4 | 5

export interface SocksProxy {
  /** Like `host`, which comes first. */
  ipaddress?: string
  host?: string
  port: number
  type: SocksProxyType
  userId?: string
  password?: string
  /** A SOCKS5 method of one request and one response: its number, 128 to 254. */
  custom_auth_method?: number
  custom_auth_request_handler?: () => Promise<Buffer>
  custom_auth_response_size?: number
  custom_auth_response_handler?: (data: Buffer) => Promise<boolean>
}

export interface SocksRemoteHost {
  host: string
  port: number
}

export interface SocksClientOptions {
  command: SocksCommandOption
  destination: SocksRemoteHost
  proxy: SocksProxy
  /** Milliseconds until the connection must be established; default 30,000. */
  timeout?: number
  /** A connected stream to the proxy, in place of a new socket. */
  existing_socket?: Duplex
  set_tcp_nodelay?: boolean
  socket_options?: SocketConnectOpts
}

export interface SocksClientChainOptions {
  command: 'connect'
  destination: SocksRemoteHost
  proxies: SocksProxy[]
  /** Milliseconds for the whole chain; default 30,000. */
  timeout?: number
  randomizeChain?: boolean
}

export interface SocksClientEstablishedEvent {
  socket: Socket
  remoteHost?: SocksRemoteHost
}

export type SocksClientBoundEvent = SocksClientEstablishedEvent

/** As in `socks`: when no time limit is given. */
export const DEFAULT_TIMEOUT = 30_000

/** Why there is no connection. `options` are those that were given, without secrets. */
export class SocksClientError extends Error {
  override readonly name: string = 'SocksClientError'
  readonly options: SocksClientOptions | SocksClientChainOptions
  /** As in `SocksError`; `undefined` for an error of the socket, whose own code is in `cause`. */
  readonly code: SocksErrorCode | undefined
  /** REP or CD, when the proxy sent one. */
  readonly reply: number | undefined

  constructor(message: string, options: SocksClientOptions | SocksClientChainOptions, why: ErrorDetails = {}) {
    super(message, why.cause === undefined ? undefined : { cause: why.cause })
    this.options = withoutSecrets(options)
    this.code = why.code
    this.reply = why.failure?.rep
  }
}

interface ErrorDetails {
  readonly code?: SocksErrorCode
  readonly failure?: Failure
  readonly cause?: unknown
}

/** Throws a {@link SocksClientError} for what cannot be asked. */
export function checkOptions(options: SocksClientOptions, commands: readonly SocksCommandOption[] = COMMANDS): void {
  const wrong = (message: string): never => {
    throw new SocksClientError(message, options, { code: 'SOCKS_BAD_ARGUMENT' })
  }
  if (!commands.includes(options.command)) wrong(`the command is one of ${commands.join(', ')}`)
  const { destination, proxy, timeout, existing_socket: existing } = options
  if (!isPlace(destination?.host, destination?.port)) wrong('the destination is a host and a port from 0 to 65535')
  checkProxy(proxy, wrong)
  if (options.command === 'associate' && proxy.type === 4) wrong('SOCKS4 has no UDP')
  if (timeout !== undefined && !(Number.isFinite(timeout) && timeout > 0)) wrong('timeout is a number of milliseconds')
  if (existing !== undefined && typeof existing?.pipe !== 'function') wrong('existing_socket is a Duplex')
}

/** As {@link checkOptions}, for a chain. */
export function checkChainOptions(options: SocksClientChainOptions): void {
  const wrong = (message: string): never => {
    throw new SocksClientError(message, options, { code: 'SOCKS_BAD_ARGUMENT' })
  }
  if (options.command !== 'connect') wrong('a chain can only connect')
  const { destination, proxies } = options
  if (!isPlace(destination?.host, destination?.port)) wrong('the destination is a host and a port from 0 to 65535')
  if (!Array.isArray(proxies) || proxies.length < 2) wrong('a chain has two proxies or more')
  for (const proxy of proxies) checkProxy(proxy, wrong)
}

const COMMANDS: readonly SocksCommandOption[] = ['connect', 'bind', 'associate']
/** IANA keeps 80 to FE for private methods. */
const CUSTOM_METHOD = { first: 0x80, last: 0xfe }
/** The length octets of RFC 1929. */
const FIELD_OCTETS_MAX = 255

function checkProxy(proxy: SocksProxy, wrong: (message: string) => never): void {
  if (!isPlace(proxy?.host ?? proxy?.ipaddress, proxy?.port)) wrong('the proxy is a host and a port from 0 to 65535')
  if (proxy.type !== 4 && proxy.type !== 5) wrong('the type of a proxy is 4 or 5')
  for (const field of [proxy.userId, proxy.password]) {
    if (field !== undefined && Buffer.byteLength(field) > FIELD_OCTETS_MAX) {
      wrong(`user id and password have at most ${FIELD_OCTETS_MAX} octets`)
    }
  }
  const number = proxy.custom_auth_method
  if (number === undefined) return
  if (!(number >= CUSTOM_METHOD.first && number <= CUSTOM_METHOD.last))
    wrong('a custom method is a number from 128 to 254')
  const handlers = [proxy.custom_auth_request_handler, proxy.custom_auth_response_handler]
  if (handlers.some(handler => typeof handler !== 'function') || !(Number(proxy.custom_auth_response_size) >= 0)) {
    wrong('a custom method needs a request handler, a response size and a response handler')
  }
}

function isPlace(host: unknown, port: unknown): boolean {
  return (
    typeof host === 'string' && host !== '' && Number.isInteger(port) && Number(port) >= 0 && Number(port) <= 65_535
  )
}

function withoutSecrets(
  given: SocksClientOptions | SocksClientChainOptions,
): SocksClientOptions | SocksClientChainOptions {
  if ('proxies' in given) {
    return { ...given, proxies: Array.isArray(given.proxies) ? given.proxies.map(publicPart) : [] }
  }
  const { existing_socket: _, socket_options: __, ...rest } = given
  return { ...rest, proxy: publicPart(given.proxy) }
}

function publicPart(proxy: SocksProxy): SocksProxy {
  const { host, ipaddress, port, type } = proxy ?? {}
  return { ...(host !== undefined && { host }), ...(ipaddress !== undefined && { ipaddress }), port, type }
}
