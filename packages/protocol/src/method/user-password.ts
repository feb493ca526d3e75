/** Method 02, user name and password (RFC 1929), at both ends. Judges no password: it asks. */
import type { Failure } from '../failure.ts'
import { failure } from '../failure.ts'
import {
  USER_PASSWORD_ACCEPTED,
  USER_PASSWORD_REJECTED,
  decodeUserPasswordReply,
  decodeUserPasswordRequest,
  encodeUserPasswordRequest,
  userPasswordFault,
} from '../wire/rfc1929.ts'
import { METHOD } from '../wire/socks5-selection.ts'
import type { Exchange, ExchangeStep, Method, Verdict } from './exchange.ts'

/** The server's end. */
export const userPasswordServer: Method = { number: METHOD.userPassword, begin: () => new ServerExchange() }

/** The client's end. Each field is 0 to 255 octets: the caller has refused longer ones. */
export function userPasswordClient(credentials: {
  readonly username: Uint8Array
  readonly password: Uint8Array
}): Method {
  const octets = encodeUserPasswordRequest(credentials)
  return {
    number: METHOD.userPassword,
    begin: () => ({
      begin: () => ({ kind: 'continue', consumed: 0, send: octets }),
      read: readReply,
    }),
  }
}

class ServerExchange implements Exchange {
  read(octets: Uint8Array): ExchangeStep {
    const decoded = decodeUserPasswordRequest(octets)
    if (decoded.kind === 'need-more') return decoded
    if (decoded.kind === 'malformed') return rejected(decoded.failure)
    return { kind: 'ask', consumed: decoded.consumed, claim: { kind: 'password', ...decoded.value } }
  }

  answer(verdict: Verdict): ExchangeStep {
    if (verdict.kind !== 'accepted') {
      return rejected(failure('auth_rejected', 'client', 'wrong user name or password'))
    }
    return { kind: 'done', consumed: 0, send: USER_PASSWORD_ACCEPTED, user: verdict.user }
  }
}

function rejected(cause: Failure): ExchangeStep {
  return { kind: 'failed', send: USER_PASSWORD_REJECTED, failure: cause }
}

function readReply(octets: Uint8Array): ExchangeStep {
  const decoded = decodeUserPasswordReply(octets)
  if (decoded.kind === 'need-more') return decoded
  if (decoded.kind === 'malformed') return { kind: 'failed', failure: decoded.failure }
  const fault = userPasswordFault(decoded.value)
  return fault === undefined ? { kind: 'done', consumed: decoded.consumed } : { kind: 'failed', failure: fault }
}
