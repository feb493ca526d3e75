/** From a failure of the protocol or the engine to the failure of a route: who failed, and how far it had come. */
import { type Failure, failure } from '@socksmith/protocol'
import type { ProxyHop } from '../route/hop.ts'
import type { Phase, RouteFailure, SocksErrorCode } from '../socks-error.ts'

/** Where on the way something happened. */
export interface Spot {
  readonly hop: number
  readonly proxy: ProxyHop
}

/** The failure of a route; without a spot it concerns the target alone. */
export function routeFailure(code: SocksErrorCode, why: Failure, phase: Phase, spot?: Spot): RouteFailure {
  const base = { code, failure: why, phase }
  return spot === undefined ? base : { ...base, hop: spot.hop, proxy: spot.proxy.label }
}

/** The caller gave up. */
export function aborted(phase: Phase, spot?: Spot): RouteFailure {
  return routeFailure('SOCKS_ABORTED', failure('aborted', 'us'), phase, spot)
}

/** The route leads nowhere. */
export function blocked(): RouteFailure {
  return routeFailure('SOCKS_BLOCKED', failure('not_allowed', 'policy'), 'route')
}

/** One of our limits. */
export function timedOut(phase: Phase, ms: number, spot?: Spot): RouteFailure {
  return routeFailure('SOCKS_TIMED_OUT', failure('timed_out', 'us', `limit of ${ms} ms`), phase, spot)
}

/** A dial that did not succeed, to a proxy or straight to the target. */
export function dialFailure(why: Failure, spot?: Spot): RouteFailure {
  if (why.code === 'timed_out' && why.errno === undefined) return routeFailure('SOCKS_TIMED_OUT', why, 'connect', spot)
  if (spot !== undefined) return routeFailure('SOCKS_PROXY_UNREACHABLE', why, 'connect', spot)
  return routeFailure(TARGET_CODES[why.code] ?? 'SOCKS_GENERAL_FAILURE', why, 'connect')
}

/** A name that was not resolved here. */
export function resolveFailure(why: Failure, spot?: Spot): RouteFailure {
  if (why.code === 'name_timed_out') return routeFailure('SOCKS_TIMED_OUT', why, 'resolve', spot)
  if (why.code === 'too_busy') return routeFailure('SOCKS_TOO_BUSY', why, 'resolve', spot)
  return routeFailure('SOCKS_NAME_NOT_FOUND', why, 'resolve', spot)
}

/** What a handshake came to. */
export function handshakeFailure(why: Failure, phase: Phase, spot: Spot): RouteFailure {
  return routeFailure(handshakeCode(why), why, phase, spot)
}

/** True when the proxy itself is at fault, and another one may do better. */
export function isProxyFault({ code, hop }: RouteFailure): boolean {
  return hop !== undefined && PROXY_FAULTS.has(code)
}

const PROXY_FAULTS: ReadonlySet<SocksErrorCode> = new Set([
  'SOCKS_TIMED_OUT',
  'SOCKS_PROXY_UNREACHABLE',
  'SOCKS_PROXY_CLOSED',
  'SOCKS_TLS_FAILED',
  'SOCKS_HOST_KEY_REJECTED',
  'SOCKS_MALFORMED_REPLY',
  'SOCKS_NO_ACCEPTABLE_METHOD',
  'SOCKS_AUTH_REJECTED',
  'SOCKS_TOO_BUSY',
])

const TARGET_CODES: { readonly [code: string]: SocksErrorCode } = {
  general_failure: 'SOCKS_GENERAL_FAILURE',
  not_allowed: 'SOCKS_NOT_ALLOWED',
  network_unreachable: 'SOCKS_NETWORK_UNREACHABLE',
  host_unreachable: 'SOCKS_HOST_UNREACHABLE',
  name_not_found: 'SOCKS_NAME_NOT_FOUND',
  connection_refused: 'SOCKS_CONNECTION_REFUSED',
  timed_out: 'SOCKS_TTL_EXPIRED',
  command_not_supported: 'SOCKS_COMMAND_NOT_SUPPORTED',
  address_type_not_supported: 'SOCKS_ADDRESS_TYPE_NOT_SUPPORTED',
  too_busy: 'SOCKS_TOO_BUSY',
}

function handshakeCode(why: Failure): SocksErrorCode {
  switch (why.code) {
    case 'request_failed':
      return REPLY_CODES[why.rep ?? 0] ?? 'SOCKS_GENERAL_FAILURE'
    case 'http_status':
      return STATUS_CODES[why.status ?? 0] ?? 'SOCKS_GENERAL_FAILURE'
    case 'rejected':
    case 'rejected_unknown':
      return 'SOCKS_GENERAL_FAILURE'
    case 'identd_mismatch':
    case 'identd_unreachable':
      return 'SOCKS_NOT_ALLOWED'
    case 'no_acceptable_methods':
      return 'SOCKS_NO_ACCEPTABLE_METHOD'
    case 'auth_rejected':
      return 'SOCKS_AUTH_REJECTED'
    case 'truncated':
      return 'SOCKS_PROXY_CLOSED'
    case 'timed_out':
      return 'SOCKS_TIMED_OUT'
    case 'aborted':
      return why.blame === 'us' ? 'SOCKS_ABORTED' : 'SOCKS_PROXY_CLOSED'
    default:
      return why.blame === 'us' ? 'SOCKS_BAD_ARGUMENT' : 'SOCKS_MALFORMED_REPLY'
  }
}

/** RFC 1928 section 6, and the replies of Tor (socks-extensions, ExtendedErrors). */
const REPLY_CODES: { readonly [rep: number]: SocksErrorCode } = {
  0x01: 'SOCKS_GENERAL_FAILURE',
  0x02: 'SOCKS_NOT_ALLOWED',
  0x03: 'SOCKS_NETWORK_UNREACHABLE',
  0x04: 'SOCKS_HOST_UNREACHABLE',
  0x05: 'SOCKS_CONNECTION_REFUSED',
  0x06: 'SOCKS_TTL_EXPIRED',
  0x07: 'SOCKS_COMMAND_NOT_SUPPORTED',
  0x08: 'SOCKS_ADDRESS_TYPE_NOT_SUPPORTED',
  0xf0: 'SOCKS_HOST_UNREACHABLE',
  0xf1: 'SOCKS_HOST_UNREACHABLE',
  0xf2: 'SOCKS_HOST_UNREACHABLE',
  0xf3: 'SOCKS_HOST_UNREACHABLE',
  0xf4: 'SOCKS_NOT_ALLOWED',
  0xf5: 'SOCKS_NOT_ALLOWED',
  0xf6: 'SOCKS_NAME_NOT_FOUND',
  0xf7: 'SOCKS_TTL_EXPIRED',
}

const STATUS_CODES: { readonly [status: number]: SocksErrorCode } = {
  401: 'SOCKS_NOT_ALLOWED',
  403: 'SOCKS_NOT_ALLOWED',
  405: 'SOCKS_COMMAND_NOT_SUPPORTED',
  407: 'SOCKS_AUTH_REJECTED',
  429: 'SOCKS_TOO_BUSY',
  501: 'SOCKS_COMMAND_NOT_SUPPORTED',
  502: 'SOCKS_HOST_UNREACHABLE',
  503: 'SOCKS_TOO_BUSY',
  504: 'SOCKS_TTL_EXPIRED',
}
