/** What a client is told when a route failed: of the target what the last proxy said, of the proxies that they failed. */
import type { RouteFailure, SocksErrorCode } from '@socksmith/client/route'
import { type Failure, type RequestFailureCode, failure } from '@socksmith/protocol'

/** The failure for the reply and the record. Its detail names the proxy at fault, without user name and password. */
export function failureOfRoute({ code, phase, proxy, failure: why }: RouteFailure): Failure {
  const cause = why.detail ?? why.errno ?? why.code.replaceAll('_', ' ')
  const where = proxy === undefined ? '' : `${proxy}: `
  if (code === 'SOCKS_BLOCKED') return failure('not_allowed', 'policy', 'the route forbids it')
  const told = why.code === 'name_timed_out' ? why.code : (CODES[code] ?? 'general_failure')
  return failure(told, 'target', `${where}${phase}: ${cause}`)
}

/** True when the proxy speaks of the one address it was asked for, and another one of the same name may do better. */
export function concernsAddress({ code, phase }: RouteFailure): boolean {
  return phase === 'request' && ABOUT_ADDRESS.has(code)
}

// Of a proxy that failed the client can know no more than that: its own request was right, and so was the target.
const CODES: { readonly [C in SocksErrorCode]?: RequestFailureCode } = {
  SOCKS_CONNECTION_REFUSED: 'connection_refused',
  SOCKS_HOST_UNREACHABLE: 'host_unreachable',
  SOCKS_NETWORK_UNREACHABLE: 'network_unreachable',
  SOCKS_NAME_NOT_FOUND: 'name_not_found',
  SOCKS_TTL_EXPIRED: 'timed_out',
  SOCKS_TIMED_OUT: 'timed_out',
  SOCKS_NOT_ALLOWED: 'not_allowed',
  SOCKS_COMMAND_NOT_SUPPORTED: 'command_not_supported',
  SOCKS_ADDRESS_TYPE_NOT_SUPPORTED: 'address_type_not_supported',
  SOCKS_TOO_BUSY: 'too_busy',
}

const ABOUT_ADDRESS: ReadonlySet<SocksErrorCode> = new Set([
  'SOCKS_GENERAL_FAILURE',
  'SOCKS_NETWORK_UNREACHABLE',
  'SOCKS_HOST_UNREACHABLE',
  'SOCKS_CONNECTION_REFUSED',
  'SOCKS_TTL_EXPIRED',
  'SOCKS_ADDRESS_TYPE_NOT_SUPPORTED',
])
