/** The SOCKS5 reply (RFC 1928 section 6): VER REP RSV ATYP BND.ADDR BND.PORT. */
import { type Destination, NO_ENDPOINT } from '../address.ts'
import { type Decoded, NEED_MORE, malformed, whole } from '../decoded.ts'
import { type Failure, failure } from '../failure.ts'
import { octetAt } from '../octets.ts'
import { decodeSocks5Address, encodeSocks5Address } from './socks5-address.ts'
import { SOCKS5_VERSION } from './socks5-greeting.ts'

export const REP_SUCCEEDED = 0x00

export interface Socks5Reply {
  readonly rep: number
  readonly reserved: number
  readonly bound: Destination
}

/** Reads the layout, also of a failure. A client wants {@link decodeSocks5Answer}, which does not wait for a failure's address. */
export function decodeSocks5Reply(octets: Uint8Array): Decoded<Socks5Reply> {
  if (octets.length === 0) return NEED_MORE
  if (octets[0] !== SOCKS5_VERSION) return malformed('bad_version', 'server', `version ${octetAt(octets, 0)}`)
  if (octets.length < 4) return NEED_MORE
  const address = decodeSocks5Address(octets, 3, 'server')
  if (address.kind !== 'whole') return address
  return whole({ rep: octetAt(octets, 1), reserved: octetAt(octets, 2), bound: address.value }, 3 + address.consumed)
}

/**
 * What a client makes of a reply: a success with BND, or the failure as soon as REP is known, since servers send short
 * or odd failures (digest section 4).
 */
export function decodeSocks5Answer(octets: Uint8Array): Decoded<Socks5Reply> {
  const [version, rep] = octets
  if (version === SOCKS5_VERSION && rep !== undefined && rep !== REP_SUCCEEDED) {
    return { kind: 'malformed', failure: requestFailed(rep) }
  }
  return decodeSocks5Reply(octets)
}

export function encodeSocks5Reply(reply: Socks5Reply): Uint8Array {
  return encodeSocks5Address(reply.bound, [SOCKS5_VERSION, reply.rep, reply.reserved])
}

/** A success with BND.ADDR and BND.PORT. */
export function encodeSocks5Success(bound: Destination): Uint8Array {
  return encodeSocks5Reply({ rep: REP_SUCCEEDED, reserved: 0, bound })
}

/** A failure with this REP, in the form 05 REP 00 01 and zeros. */
export function encodeSocks5Failure(rep: number): Uint8Array {
  return encodeSocks5Reply({ rep, reserved: 0, bound: NO_ENDPOINT })
}

const REP_TEXT: { readonly [rep: number]: string } = {
  0x01: 'general SOCKS server failure',
  0x02: 'connection not allowed by ruleset',
  0x03: 'network unreachable',
  0x04: 'host unreachable',
  0x05: 'connection refused',
  0x06: 'TTL expired or timed out',
  0x07: 'command not supported',
  0x08: 'address type not supported',
}

function requestFailed(rep: number): Failure {
  const text = REP_TEXT[rep] ?? `unassigned reply 0x${rep.toString(16).padStart(2, '0')}`
  return { ...failure('request_failed', 'server', text), rep }
}
