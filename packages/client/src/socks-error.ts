/**
 * The one error that this library rejects with. Its code is stable and says who failed; programs decide by it and never
 * by the message. No secret is in any of its properties, in its JSON or in its stack. Knows no socket.
 */
import { type Failure, type FailureCode, mappingOf } from '@socksmith/protocol'

/** What went wrong, in the words of the one who asked. */
export type SocksErrorCode =
  /** What was asked for cannot be done or is misspelt; nothing was sent. */
  | 'SOCKS_BAD_ARGUMENT'
  /** The caller gave up. */
  | 'SOCKS_ABORTED'
  /** One of our time limits. */
  | 'SOCKS_TIMED_OUT'
  /** The route is {@link block}, or no rule of it applies. */
  | 'SOCKS_BLOCKED'
  /** Every member of a pool failed; `causes` has each. */
  | 'SOCKS_POOL_DEAD'
  /** There is no connection to a proxy; `errno` says why. */
  | 'SOCKS_PROXY_UNREACHABLE'
  /** A proxy hung up before it had answered, or the connection that held an association or a listener ended. */
  | 'SOCKS_PROXY_CLOSED'
  /** TLS to a proxy, or to the target, came to nothing; `errno` says why. */
  | 'SOCKS_TLS_FAILED'
  /** An ssh server has another host key than expected, or one that is in no `known_hosts`. */
  | 'SOCKS_HOST_KEY_REJECTED'
  /** A proxy answered something that its protocol does not know. */
  | 'SOCKS_MALFORMED_REPLY'
  /** A proxy wants a method that was not offered: mostly a password. */
  | 'SOCKS_NO_ACCEPTABLE_METHOD'
  /** Wrong user name or password. */
  | 'SOCKS_AUTH_REJECTED'
  /** REP 01, CD 91, and every reply without a better name; `reply` has it. */
  | 'SOCKS_GENERAL_FAILURE'
  | 'SOCKS_NOT_ALLOWED'
  | 'SOCKS_NETWORK_UNREACHABLE'
  | 'SOCKS_HOST_UNREACHABLE'
  | 'SOCKS_NAME_NOT_FOUND'
  | 'SOCKS_CONNECTION_REFUSED'
  | 'SOCKS_TTL_EXPIRED'
  | 'SOCKS_COMMAND_NOT_SUPPORTED'
  | 'SOCKS_ADDRESS_TYPE_NOT_SUPPORTED'
  | 'SOCKS_TOO_BUSY'

/** How far it had come. `route`: before anything was opened. */
export type Phase =
  | 'route'
  | 'resolve'
  | 'connect'
  | 'tls'
  | 'greeting'
  | 'authentication'
  | 'request'
  | 'accept'
  | 'relay'
  | 'target-tls'

/** A failure of a route as a value. */
export interface RouteFailure {
  readonly code: SocksErrorCode
  readonly failure: Failure
  readonly phase: Phase
  /** Index of the proxy on the way, from 0; absent when none was concerned. */
  readonly hop?: number
  /** That proxy as a URL without user name and password. */
  readonly proxy?: string
  /** What each attempt came to, when there were several. */
  readonly causes?: readonly RouteFailure[]
}

/** What `JSON.stringify` makes of a {@link SocksError}. */
export interface SocksErrorJson {
  readonly name: string
  readonly code: SocksErrorCode
  readonly message: string
  readonly phase: Phase
  readonly reason: FailureCode
  readonly hop?: number
  readonly proxy?: string
  readonly reply?: number
  readonly errno?: string
  readonly retryable: boolean
}

/**
 * Why something did not work.
 *
 * ```ts
 * const socket = await connect({ host: 'example.com', port: 443, via: 'socks5h://127.0.0.1:1080' }).catch(error => {
 *   if (error instanceof SocksError && error.code === 'SOCKS_CONNECTION_REFUSED') return undefined
 *   throw error
 * })
 * ```
 */
export class SocksError extends Error {
  override readonly name: string = 'SocksError'
  readonly code: SocksErrorCode
  readonly phase: Phase
  /** A sentence more, for people. */
  readonly detail: string | undefined
  /** The finer code of the protocol's table: `"bad_version"`, `"connection_refused"`. */
  readonly reason: FailureCode
  /** Index of the proxy on the way, from 0; `undefined` when none was concerned. */
  readonly hop: number | undefined
  /** That proxy as a URL without user name and password. */
  readonly proxy: string | undefined
  /** REP of SOCKS5, CD of SOCKS4 or the HTTP status, when a proxy sent one. */
  readonly reply: number | undefined
  /** What the system would have said to a direct connection: `"ECONNREFUSED"`. */
  readonly errno: string | undefined
  /** The same may work later or by another way without anybody changing anything. */
  readonly retryable: boolean
  /** What each attempt came to, when there were several. */
  readonly causes: readonly SocksError[]

  constructor(why: RouteFailure, cause?: unknown) {
    super(messageOf(why), cause === undefined ? undefined : { cause })
    this.code = why.code
    this.phase = why.phase
    this.detail = why.failure.detail
    this.reason = why.failure.code
    this.hop = why.hop
    this.proxy = why.proxy
    this.reply = why.failure.rep ?? why.failure.status
    this.errno = errnoOf(why)
    this.retryable = RETRYABLE.has(why.code)
    this.causes = (why.causes ?? []).map(one => new SocksError(one))
  }

  toJSON(): SocksErrorJson {
    const { name, code, message, phase, reason, hop, proxy, reply, errno, retryable } = this
    return {
      name,
      code,
      message,
      phase,
      reason,
      ...(hop !== undefined && { hop }),
      ...(proxy !== undefined && { proxy }),
      ...(reply !== undefined && { reply }),
      ...(errno !== undefined && { errno }),
      retryable,
    }
  }
}

const RETRYABLE: ReadonlySet<SocksErrorCode> = new Set([
  'SOCKS_TIMED_OUT',
  'SOCKS_POOL_DEAD',
  'SOCKS_PROXY_UNREACHABLE',
  'SOCKS_PROXY_CLOSED',
  'SOCKS_GENERAL_FAILURE',
  'SOCKS_NETWORK_UNREACHABLE',
  'SOCKS_HOST_UNREACHABLE',
  'SOCKS_TTL_EXPIRED',
  'SOCKS_TOO_BUSY',
])

/** The failure of an argument: thrown or rejected before anything is opened. */
export function invalid(detail: string): SocksError {
  return new SocksError(invalidRoute(detail))
}

/** As {@link invalid}, as a value. */
export function invalidRoute(detail: string): RouteFailure {
  return { code: 'SOCKS_BAD_ARGUMENT', failure: { code: 'bad_target', blame: 'us', detail }, phase: 'route' }
}

const SENTENCES: { readonly [C in SocksErrorCode]: string } = {
  SOCKS_BAD_ARGUMENT: 'not possible as asked',
  SOCKS_ABORTED: 'given up by the caller',
  SOCKS_TIMED_OUT: 'no answer in time',
  SOCKS_BLOCKED: 'the route forbids this target',
  SOCKS_POOL_DEAD: 'no proxy of the pool works',
  SOCKS_PROXY_UNREACHABLE: 'the proxy cannot be reached',
  SOCKS_PROXY_CLOSED: 'the proxy hung up',
  SOCKS_TLS_FAILED: 'TLS failed',
  SOCKS_HOST_KEY_REJECTED: 'the ssh server is not the one that is expected',
  SOCKS_MALFORMED_REPLY: 'the proxy answered nonsense',
  SOCKS_NO_ACCEPTABLE_METHOD: 'the proxy accepts no method that was offered',
  SOCKS_AUTH_REJECTED: 'the proxy rejected the user name or password',
  SOCKS_GENERAL_FAILURE: 'the request failed',
  SOCKS_NOT_ALLOWED: 'the request is not allowed',
  SOCKS_NETWORK_UNREACHABLE: 'the network of the target cannot be reached',
  SOCKS_HOST_UNREACHABLE: 'the target cannot be reached',
  SOCKS_NAME_NOT_FOUND: 'the name of the target was not found',
  SOCKS_CONNECTION_REFUSED: 'the target refused the connection',
  SOCKS_TTL_EXPIRED: 'the target did not answer in time',
  SOCKS_COMMAND_NOT_SUPPORTED: 'the proxy does not support this command',
  SOCKS_ADDRESS_TYPE_NOT_SUPPORTED: 'the proxy does not support this type of address',
  SOCKS_TOO_BUSY: 'too busy',
}

function messageOf(why: RouteFailure): string {
  const where = why.proxy === undefined ? '' : ` [hop ${why.hop} ${why.proxy}]`
  const detail = why.failure.detail ?? why.failure.errno
  return `${SENTENCES[why.code]} (${why.phase})${where}${detail === undefined ? '' : `: ${detail}`}`
}

// The errno that the same end of a direct connection would have brought.
const ERRNOS: { readonly [C in SocksErrorCode]?: string } = {
  SOCKS_BAD_ARGUMENT: 'EINVAL',
  SOCKS_ABORTED: 'ECANCELED',
  SOCKS_TIMED_OUT: 'ETIMEDOUT',
  SOCKS_BLOCKED: 'EACCES',
  SOCKS_POOL_DEAD: 'ENETUNREACH',
  // Another proxy said so; a failure of our own has its errno.
  SOCKS_PROXY_UNREACHABLE: 'EHOSTUNREACH',
  SOCKS_PROXY_CLOSED: 'ECONNRESET',
  SOCKS_HOST_KEY_REJECTED: 'EACCES',
  SOCKS_MALFORMED_REPLY: 'EPROTO',
  SOCKS_NO_ACCEPTABLE_METHOD: 'EACCES',
  SOCKS_AUTH_REJECTED: 'EACCES',
  SOCKS_GENERAL_FAILURE: 'EIO',
  SOCKS_NOT_ALLOWED: 'EACCES',
  SOCKS_NETWORK_UNREACHABLE: 'ENETUNREACH',
  SOCKS_HOST_UNREACHABLE: 'EHOSTUNREACH',
  SOCKS_NAME_NOT_FOUND: 'ENOTFOUND',
  SOCKS_CONNECTION_REFUSED: 'ECONNREFUSED',
  SOCKS_TTL_EXPIRED: 'ETIMEDOUT',
  SOCKS_COMMAND_NOT_SUPPORTED: 'EOPNOTSUPP',
  SOCKS_ADDRESS_TYPE_NOT_SUPPORTED: 'EAFNOSUPPORT',
  SOCKS_TOO_BUSY: 'EAGAIN',
}

function errnoOf({ code, failure }: RouteFailure): string | undefined {
  return failure.errno ?? ERRNOS[code] ?? mappingOf(failure.code).errno
}
