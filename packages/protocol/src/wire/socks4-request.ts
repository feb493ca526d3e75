/** The SOCKS4 and 4a request: VN CD PORT IPv4 USERID NUL, and with 4a HOST NUL. Both strings have no length, so they have limits. */
import { type Destination, ANY_IPV4, isUnspecified, plainAddress } from '../address.ts'
import { type Decoded, NEED_MORE, malformed, whole } from '../decoded.ts'
import type { Failure } from '../failure.ts'
import { checkName } from '../name.ts'
import { concat, octetAt, uint16, uint16At } from '../octets.ts'
import { utf8Octets } from '../text.ts'
import { SOCKS4_REJECTED, encodeSocks4Reply } from './socks4-reply.ts'

export const SOCKS4_VERSION = 0x04
/** What other servers allow as well (digest section 8). */
export const SOCKS4_USERID_OCTETS_MAX = 255
/** The host field before the rule for names applies. */
export const SOCKS4_HOST_OCTETS_MAX = 255

const USERID_AT = 8

export interface Socks4Request {
  readonly command: number
  readonly userid: Uint8Array
  /** The octets of the address field: 0.0.0.x with x not 0 in the 4a form. */
  readonly ip: Uint8Array
  /** `domain` only in the 4a form, also for an address written as text. */
  readonly destination: Destination
}

export interface Socks4RequestOptions {
  /** Served commands. Default CONNECT and BIND. */
  readonly commands?: readonly number[]
  /** BIND for 0.0.0.0, that is for any peer, is let through. */
  readonly anyPeer?: boolean
}

/** Commands that need neither an address nor a port of use. */
const TOR_RESOLVE = 0xf0

export function decodeSocks4Request(octets: Uint8Array, options: Socks4RequestOptions = {}): Decoded<Socks4Request> {
  if (octets.length === 0) return NEED_MORE
  if (octets[0] !== SOCKS4_VERSION) return malformed('bad_version', 'client', `version ${octetAt(octets, 0)}`)
  if (octets.length <= USERID_AT) return NEED_MORE
  const useridEnd = octets.indexOf(0, USERID_AT)
  if (tooLong(octets, USERID_AT, useridEnd, SOCKS4_USERID_OCTETS_MAX)) return malformed('userid_too_long', 'client')
  if (useridEnd === -1) return NEED_MORE
  const base = {
    command: octetAt(octets, 1),
    userid: octets.slice(USERID_AT, useridEnd),
    ip: octets.slice(4, 8),
  }
  const port = uint16At(octets, 2)
  if (!isForm4a(base.ip)) {
    const request = { ...base, destination: { address: { type: 'ipv4', octets: base.ip }, port } as const }
    return checked(request, useridEnd + 1, options)
  }
  const hostAt = useridEnd + 1
  const hostEnd = octets.indexOf(0, hostAt)
  if (tooLong(octets, hostAt, hostEnd, SOCKS4_HOST_OCTETS_MAX)) return malformed('name_too_long', 'client')
  if (hostEnd === -1) return NEED_MORE
  const name = checkName(octets.subarray(hostAt, hostEnd))
  if (!name.ok) return malformed(name.code, 'client')
  const request = { ...base, destination: { address: { type: 'domain', name: name.name }, port } as const }
  return checked(request, hostEnd + 1, options)
}

/** Writes the form that the destination asks for; an IPv6 address cannot be written but as a name. */
export function encodeSocks4Request(request: Socks4Request): Uint8Array {
  const { command, userid, destination, ip } = request
  const head = Uint8Array.of(SOCKS4_VERSION, command, ...uint16(destination.port), ...ip)
  const parts = [head, userid, Uint8Array.of(0)]
  if (destination.address.type === 'domain') parts.push(utf8Octets(destination.address.name), Uint8Array.of(0))
  return concat(parts)
}

/** Every malformed request but a wrong version is answered with 91. */
export function refusalOfSocks4Request(cause: Failure): Uint8Array | undefined {
  if (cause.code === 'bad_version') return undefined
  return encodeSocks4Reply({ version: 0, code: SOCKS4_REJECTED, bound: { address: ANY_IPV4, port: 0 } })
}

function isForm4a(ip: Uint8Array): boolean {
  return ip[0] === 0 && ip[1] === 0 && ip[2] === 0 && ip[3] !== 0
}

function tooLong(octets: Uint8Array, start: number, end: number, most: number): boolean {
  return (end === -1 ? octets.length : end) - start > most
}

function checked(request: Socks4Request, consumed: number, options: Socks4RequestOptions): Decoded<Socks4Request> {
  const { command, destination } = request
  if (!(options.commands ?? [1, 2]).includes(command)) return malformed('bad_command', 'client', `command ${command}`)
  if (command === TOR_RESOLVE) return whole(request, consumed)
  const anyPeer = command === 2 && options.anyPeer === true
  if (isUnspecified(plainAddress(destination.address)) && !anyPeer) return malformed('bad_address', 'client')
  if (command === 1 && destination.port === 0) return malformed('port_zero', 'client', 'the port is 0')
  return whole(request, consumed)
}
