/** Why a proxy could not be loaded, in words that name the way out. Holds no password. */
import type { ProxyPlace } from '@socksmith/instruments/bench'
import { type Failure, mappingOf } from '@socksmith/protocol'
import { EXIT, type Outcome, trouble } from '../exit.ts'

/** The exit code and the sentence for a failure of the load. */
export function benchTrouble(cause: Failure, proxy: ProxyPlace): Outcome<never> {
  const exitCode = isAboutPassword(cause) ? EXIT.DATA : EXIT.UNAVAILABLE
  return trouble(exitCode, `${proxy.label}: ${sentenceOf(cause, proxy)}`)
}

/** HTTP's way to ask for a password (RFC 9110 section 15.5.8). */
const PROXY_AUTHENTICATION_REQUIRED = 407

function isAboutPassword({ code, status }: Failure): boolean {
  return code === 'auth_rejected' || code === 'no_acceptable_methods' || status === PROXY_AUTHENTICATION_REQUIRED
}

function sentenceOf(cause: Failure, { credentials }: ProxyPlace): string {
  if (isAboutPassword(cause)) {
    if (credentials === undefined)
      return 'it wants to know who you are; say so in the URL, as in socks5://USER:PASSWORD@HOST'
    return cause.code === 'no_acceptable_methods'
      ? 'it takes no user name and password; leave them out of the URL'
      : 'it refuses this user name and password'
  }
  if (cause.rep === mappingOf('not_allowed').rep || cause.status === mappingOf('not_allowed').httpStatus) {
    return 'its rules do not let this client reach the target; allow that, or see --target-on'
  }
  return cause.detail ?? cause.errno ?? cause.code
}
