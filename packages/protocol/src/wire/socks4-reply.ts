/** The SOCKS4 reply: VN CD PORT IPv4, always eight octets. VN is the version of the reply, 0. */
import type { Endpoint } from '../address.ts'
import { type Decoded, NEED_MORE, malformed, whole } from '../decoded.ts'
import { type Failure, failure } from '../failure.ts'
import { concat, octetAt, uint16, uint16At } from '../octets.ts'

export const SOCKS4_GRANTED = 90
export const SOCKS4_REJECTED = 91
const SOCKS4_REPLY_OCTETS = 8

export interface Socks4Reply {
  /** 0, or 4 from servers that confuse it with the request's. */
  readonly version: number
  readonly code: number
  /** Of use only in the replies to BIND and RESOLVE. */
  readonly bound: Endpoint
}

/** Reads the layout, whatever the code says. Without `strict` VN may also be 4. */
export function decodeSocks4Reply(
  octets: Uint8Array,
  options: { readonly strict?: boolean } = {},
): Decoded<Socks4Reply> {
  if (octets.length === 0) return NEED_MORE
  const version = octetAt(octets, 0)
  if (version !== 0 && (version !== 4 || options.strict === true)) {
    return malformed('bad_version', 'server', `version ${version}`)
  }
  if (octets.length < SOCKS4_REPLY_OCTETS) return NEED_MORE
  const bound: Endpoint = { address: { type: 'ipv4', octets: octets.slice(4, 8) }, port: uint16At(octets, 2) }
  return whole({ version, code: octetAt(octets, 1), bound }, SOCKS4_REPLY_OCTETS)
}

/** Eight octets. An address that is not IPv4 has no place in them: zeros stand for it. */
export function encodeSocks4Reply(reply: Socks4Reply): Uint8Array {
  const { address, port } = reply.bound
  const ip = address.type === 'ipv4' ? address.octets : new Uint8Array(4)
  return concat([Uint8Array.of(reply.version, reply.code, ...uint16(port)), ip])
}

/** What a client makes of a reply. */
export function socks4Fault(reply: Socks4Reply): Failure | undefined {
  const { code } = reply
  switch (code) {
    case SOCKS4_GRANTED:
      return undefined
    case SOCKS4_REJECTED:
      return { ...failure('rejected', 'server', 'request rejected or failed'), rep: code }
    case 92:
      return { ...failure('identd_unreachable', 'server', 'the server cannot reach identd on this host'), rep: code }
    case 93:
      return { ...failure('identd_mismatch', 'server', 'identd reports another user'), rep: code }
    default:
      return { ...failure('rejected_unknown', 'server', `unknown reply code ${code}`), rep: code }
  }
}
