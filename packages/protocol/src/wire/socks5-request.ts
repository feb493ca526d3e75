/** The SOCKS5 request (RFC 1928 section 4): VER CMD RSV ATYP DST.ADDR DST.PORT, in the digest's order of checks. */
import { type Destination, isUnspecified, plainAddress } from '../address.ts'
import { type Decoded, NEED_MORE, malformed, whole } from '../decoded.ts'
import { type Failure, failure, mappingOf } from '../failure.ts'
import { checkName } from '../name.ts'
import { octetAt } from '../octets.ts'
import { decodeSocks5Address, encodeSocks5Address, nameOctets } from './socks5-address.ts'
import { SOCKS5_VERSION } from './socks5-greeting.ts'
import { encodeSocks5Failure } from './socks5-reply.ts'
import { uotVersion } from './uot.ts'

export const COMMAND = { connect: 0x01, bind: 0x02, udpAssociate: 0x03 } as const

/** The commands of RFC 1928. */
export const RFC1928_COMMANDS: readonly number[] = [COMMAND.connect, COMMAND.bind, COMMAND.udpAssociate]

export interface Socks5Request {
  readonly command: number
  readonly reserved: number
  readonly destination: Destination
}

export interface Socks5RequestOptions {
  /** The commands that are served. Default: those of the RFC. */
  readonly commands?: readonly number[]
  /** A RSV that is not zero is an error. Default false: it is ignored, as most servers do. */
  readonly strict?: boolean
  /** A CONNECT to a magic name of UDP over TCP may have port 0, which is usual there. Default false. */
  readonly udpOverTcp?: boolean
}

export function decodeSocks5Request(octets: Uint8Array, options: Socks5RequestOptions = {}): Decoded<Socks5Request> {
  if (octets.length === 0) return NEED_MORE
  if (octets[0] !== SOCKS5_VERSION) return malformed('bad_version', 'client', `version ${octetAt(octets, 0)}`)
  if (octets.length < 3) return NEED_MORE
  const [command, reserved] = [octetAt(octets, 1), octetAt(octets, 2)]
  if (options.strict === true && reserved !== 0) return malformed('bad_reserved', 'client', `RSV ${reserved}`)
  const known = (options.commands ?? RFC1928_COMMANDS).includes(command)
  const address = decodeSocks5Address(octets, 3, 'client')
  if (!known) return unknownCommand(command, address)
  if (address.kind !== 'whole') return address
  const request = { command, reserved, destination: address.value }
  const fault = requestFault(request, options)
  return fault === undefined ? whole(request, 3 + address.consumed) : { kind: 'malformed', failure: fault }
}

export function encodeSocks5Request(request: Socks5Request): Uint8Array {
  return encodeSocks5Address(request.destination, [SOCKS5_VERSION, request.command, request.reserved])
}

/** The reply that refuses a malformed request (digest section 13). */
export function refusalOfSocks5Request(cause: Failure): Uint8Array {
  switch (cause.code) {
    case 'bad_command':
      return encodeSocks5Failure(mappingOf('command_not_supported').rep)
    case 'bad_atyp':
      return encodeSocks5Failure(mappingOf('address_type_not_supported').rep)
    case 'not_allowed':
      return encodeSocks5Failure(mappingOf('not_allowed').rep)
    default:
      return encodeSocks5Failure(mappingOf('general_failure').rep)
  }
}

// REP 07 leaves after the whole request has arrived, as far as it can be framed: the client is still writing it.
function unknownCommand(command: number, address: Decoded<Destination>): Decoded<Socks5Request> {
  if (address.kind === 'need-more') return NEED_MORE
  return malformed('bad_command', 'client', `command ${command}`)
}

// UDP ASSOCIATE may carry zeros and an unresolved name; the other commands name something to reach.
function requestFault(request: Socks5Request, options: Socks5RequestOptions): Failure | undefined {
  const { address, port } = request.destination
  if (address.type === 'domain') {
    const name = checkName(nameOctets(address.name))
    if (!name.ok) return failure(name.code, 'client', 'DST.ADDR is not a host name')
  }
  if (request.command !== COMMAND.connect) return undefined
  // Linux would reach the proxy's own host through 0.0.0.0 and ::.
  if (isUnspecified(plainAddress(address))) return failure('not_allowed', 'client', 'DST.ADDR is unspecified')
  const isUdpOverTcp =
    options.udpOverTcp === true && address.type === 'domain' && uotVersion(address.name) !== undefined
  if (port === 0 && !isUdpOverTcp) return failure('port_zero', 'client', 'DST.PORT is 0')
  return undefined
}
