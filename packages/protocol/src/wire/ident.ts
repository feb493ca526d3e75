/** The query and the reply of the ident protocol (RFC 1413), which stands behind the SOCKS4 codes 92 and 93. */
import { type Decoded, type Malformed, NEED_MORE, malformed, whole } from '../decoded.ts'
import { octetAt, sameOctets } from '../octets.ts'
import { latin1Octets, latin1Text } from '../text.ts'

/** RFC 1413 section 4 lets a querier hang up after 1000 octets without an end of line. */
export const IDENT_LINE_OCTETS_MAX = 1000
/** RFC 1413 section 6: octet-string. */
export const IDENT_USER_ID_OCTETS_MAX = 512

/** The pair of ports that names a connection. */
export interface IdentPorts {
  /** On the host that is asked: the client's source port. */
  readonly portOnIdentHost: number
  /** On the host that asks: the port of the SOCKS server. */
  readonly portOnQuerier: number
}

export type IdentReply =
  | (IdentPorts & {
      readonly type: 'USERID'
      readonly opsys: string
      readonly charset: string
      /** Everything behind the third colon. Most daemons put a blank there that does not belong to the name. */
      readonly userId: Uint8Array
    })
  | (IdentPorts & { readonly type: 'ERROR'; readonly error: string })

const DEFAULT_CHARSET = 'US-ASCII'
const ERRORS: ReadonlySet<string> = new Set(['INVALID-PORT', 'NO-USER', 'HIDDEN-USER', 'UNKNOWN-ERROR'])

export function decodeIdentQuery(octets: Uint8Array): Decoded<IdentPorts> {
  const line = decodeLine(octets, 'server')
  if (line.kind !== 'whole') return line
  const ports = parsePorts(line.value, 'server')
  return 'kind' in ports ? ports : whole(ports, line.consumed)
}

export function encodeIdentQuery(ports: IdentPorts): Uint8Array {
  return latin1Octets(`${portsText(ports)}\r\n`)
}

/** Blame is the client: the daemon runs on its host. With `asked`, a reply about another pair is a failure. */
export function decodeIdentReply(
  octets: Uint8Array,
  options: { readonly asked?: IdentPorts } = {},
): Decoded<IdentReply> {
  const line = decodeLine(octets, 'client')
  if (line.kind !== 'whole') return line
  const [portsField, type, field, ...rest] = line.value.split(':')
  const ports = parsePorts(portsField ?? '', 'client')
  if ('kind' in ports) return ports
  if (options.asked !== undefined && !samePorts(ports, options.asked)) return malformed('port_mismatch', 'client')
  const token = trimmed(field ?? '')
  switch (trimmed(type ?? '')) {
    case 'USERID': {
      // The user id may itself hold colons.
      const userId = latin1Octets(rest.join(':'))
      const [opsys, charset] = token.split(',', 2).map(trimmed)
      if (!opsys || charset === '' || userId.length === 0) return malformed('bad_syntax', 'client')
      if (userId.length > IDENT_USER_ID_OCTETS_MAX) return malformed('userid_too_long', 'client')
      return whole({ ...ports, type: 'USERID', opsys, charset: charset ?? DEFAULT_CHARSET, userId }, line.consumed)
    }
    case 'ERROR':
      if (rest.length > 0 || !isErrorToken(token)) return malformed('bad_syntax', 'client')
      return whole({ ...ports, type: 'ERROR', error: token }, line.consumed)
    default:
      return malformed('bad_syntax', 'client', 'neither USERID nor ERROR')
  }
}

export function encodeIdentReply(reply: IdentReply): Uint8Array {
  if (reply.type === 'ERROR') return latin1Octets(`${portsText(reply)} : ERROR : ${reply.error}\r\n`)
  const system = reply.charset === DEFAULT_CHARSET ? reply.opsys : `${reply.opsys},${reply.charset}`
  return latin1Octets(`${portsText(reply)} : USERID : ${system} :${latin1Text(reply.userId)}\r\n`)
}

/** True when the reply names exactly this user, with or without the one blank that daemons put in front. */
export function identNames(reply: IdentReply, userId: Uint8Array): boolean {
  if (reply.type === 'ERROR') return false
  return sameOctets(reply.userId, userId) || sameOctets(withoutOneBlank(reply.userId), userId)
}

/** The user id without the one blank that most daemons put in front of it. */
export function withoutOneBlank(userId: Uint8Array): Uint8Array {
  return userId[0] === 0x20 ? userId.subarray(1) : userId
}

function decodeLine(octets: Uint8Array, sender: 'client' | 'server'): Decoded<string> {
  const limit = Math.min(octets.length, IDENT_LINE_OCTETS_MAX)
  for (let at = 0; at < limit; at++) {
    const octet = octetAt(octets, at)
    if (octet === 0x0d && at + 1 === octets.length) break
    if (octet === 0x0d && octets[at + 1] === 0x0a) return whole(latin1Text(octets.subarray(0, at)), at + 2)
    // Section 6: NUL, CR and LF stand in no field.
    if (octet === 0x0d || octet === 0x0a || octet === 0x00) return malformed('bad_syntax', sender, `octet ${octet}`)
  }
  if (octets.length > IDENT_LINE_OCTETS_MAX) return malformed('line_too_long', sender)
  return NEED_MORE
}

function parsePorts(text: string, sender: 'client' | 'server'): IdentPorts | Malformed {
  const match = /^[ \t]*([0-9]{1,5})[ \t]*,[ \t]*([0-9]{1,5})[ \t]*$/.exec(text)
  if (match === null) return malformed('bad_syntax', sender, 'no pair of ports')
  const ports = { portOnIdentHost: Number(match[1]), portOnQuerier: Number(match[2]) }
  return isPort(ports.portOnIdentHost) && isPort(ports.portOnQuerier) ? ports : malformed('bad_port', sender)
}

function portsText(ports: IdentPorts): string {
  return `${ports.portOnIdentHost}, ${ports.portOnQuerier}`
}

function samePorts(a: IdentPorts, b: IdentPorts): boolean {
  return a.portOnIdentHost === b.portOnIdentHost && a.portOnQuerier === b.portOnQuerier
}

function isPort(port: number): boolean {
  return port >= 1 && port <= 65_535
}

// Tokens that begin with X are private ones.
function isErrorToken(token: string): boolean {
  return ERRORS.has(token) || /^X[!-~]*$/.test(token)
}

function trimmed(text: string): string {
  return text.replace(/^[ \t]+/, '').replace(/[ \t]+$/, '')
}
