/** How a command ends when its way did not work: one exit code for each kind of failure. Decides by codes only. */
import type { SocksError, SocksErrorCode } from '@socksmith/client'
import { EXIT, type Outcome, trouble } from '../exit.ts'

/** What to tell about the error, and how to exit. */
export function routeTrouble(error: SocksError): Outcome<never> {
  const causes = error.causes.map(cause => `\n  ${cause.message}`)
  return trouble(exitCodeOf(error), error.message + causes.join(''))
}

function exitCodeOf({ code, hop }: SocksError): number {
  // Not the words are wrong then, but the proxy that they are for.
  return code === 'SOCKS_BAD_ARGUMENT' && hop !== undefined ? EXIT.PROTOCOL : EXIT_CODES[code]
}

const EXIT_CODES: { readonly [C in SocksErrorCode]: number } = {
  SOCKS_BAD_ARGUMENT: EXIT.USAGE,
  SOCKS_AUTH_REJECTED: EXIT.NO_USER,
  SOCKS_NO_ACCEPTABLE_METHOD: EXIT.NO_USER,
  SOCKS_NAME_NOT_FOUND: EXIT.NO_HOST,
  SOCKS_HOST_UNREACHABLE: EXIT.NO_HOST,
  SOCKS_NETWORK_UNREACHABLE: EXIT.NO_HOST,
  SOCKS_CONNECTION_REFUSED: EXIT.UNAVAILABLE,
  SOCKS_GENERAL_FAILURE: EXIT.UNAVAILABLE,
  SOCKS_PROXY_UNREACHABLE: EXIT.NO_PROXY,
  SOCKS_PROXY_CLOSED: EXIT.NO_PROXY,
  SOCKS_POOL_DEAD: EXIT.NO_PROXY,
  SOCKS_TIMED_OUT: EXIT.TRY_LATER,
  SOCKS_TTL_EXPIRED: EXIT.TRY_LATER,
  SOCKS_TOO_BUSY: EXIT.TRY_LATER,
  SOCKS_MALFORMED_REPLY: EXIT.PROTOCOL,
  SOCKS_TLS_FAILED: EXIT.PROTOCOL,
  SOCKS_HOST_KEY_REJECTED: EXIT.PROTOCOL,
  SOCKS_COMMAND_NOT_SUPPORTED: EXIT.PROTOCOL,
  SOCKS_ADDRESS_TYPE_NOT_SUPPORTED: EXIT.PROTOCOL,
  SOCKS_NOT_ALLOWED: EXIT.REFUSED,
  SOCKS_BLOCKED: EXIT.REFUSED,
  SOCKS_ABORTED: EXIT.INTERRUPTED,
}
