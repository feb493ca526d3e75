/** The heads of HTTP CONNECT, request and response (RFC 9110 section 9.3.6, RFC 9112): strict lines, bounded. */
import { type Destination, formatDestination, parseIp, parseIpv6 } from '../address.ts'
import { base64Octets, base64Text } from '../base64.ts'
import { type Decoded, type Malformed, NEED_MORE, malformed, whole } from '../decoded.ts'
import type { Blame } from '../failure.ts'
import { failure } from '../failure.ts'
import { checkNameText } from '../name.ts'
import { concat } from '../octets.ts'
import { latin1Octets, latin1Text, utf8Octets } from '../text.ts'

/** What common servers take for a request line or a field; the head of a tunnel holds a few hundred octets. */
export const HTTP_HEAD_OCTETS_MAX = 8_192
export const HTTP_FIELDS_MAX = 100

/** Name in lower case, and value. */
export type HttpField = readonly [name: string, value: string]

export interface HttpConnectRequest {
  readonly destination: Destination
  readonly headers: readonly HttpField[]
}

export interface HttpConnectResponse {
  readonly status: number
}

interface Head {
  readonly startLine: string
  readonly headers: readonly HttpField[]
}

export function decodeHttpConnectRequest(octets: Uint8Array): Decoded<HttpConnectRequest> {
  const head = decodeHead(octets, 'client')
  if (head.kind !== 'whole') return head
  const line = /^CONNECT ([!-~]+) HTTP\/1\.[01]$/.exec(head.value.startLine)
  if (line === null) return malformed('bad_syntax', 'client', 'not a CONNECT request line')
  const destination = parseAuthority(line[1] as string)
  if (destination === undefined) return malformed('bad_target', 'client', 'CONNECT needs host:port')
  return whole({ destination, headers: head.value.headers }, head.consumed)
}

/** With credentials, as `Proxy-Authorization: Basic` (RFC 7617). */
export function encodeHttpConnectRequest(request: {
  readonly destination: Destination
  readonly credentials?: { readonly username: Uint8Array; readonly password: Uint8Array }
  readonly headers?: readonly HttpField[]
}): Uint8Array {
  const authority = formatDestination(request.destination)
  const lines = [`CONNECT ${authority} HTTP/1.1`]
  const fields = request.headers ?? [['Host', authority] as const]
  for (const [name, value] of fields) lines.push(`${name}: ${value}`)
  if (request.credentials !== undefined) {
    const { username, password } = request.credentials
    lines.push(`Proxy-Authorization: Basic ${base64Text(concat([username, latin1Octets(':'), password]))}`)
  }
  return utf8Octets(`${lines.join('\r\n')}\r\n\r\n`)
}

/** Any status; Content-Length and Transfer-Encoding are ignored: octets behind the head belong to the tunnel. */
export function decodeHttpResponseHead(octets: Uint8Array): Decoded<HttpConnectResponse> {
  const head = decodeHead(octets, 'server')
  if (head.kind !== 'whole') return head
  const line = /^HTTP\/1\.[01] ([1-5][0-9]{2})(?: [\t -~\u0080-\u00ff]*)?$/.exec(head.value.startLine)
  if (line === null) return malformed('bad_syntax', 'server', 'not an HTTP status line')
  return whole({ status: Number(line[1]) }, head.consumed)
}

/** What a client makes of a response: a tunnel for any 2xx, a failure otherwise. */
export function decodeHttpConnectResponse(octets: Uint8Array): Decoded<HttpConnectResponse> {
  const head = decodeHttpResponseHead(octets)
  if (head.kind !== 'whole' || (head.value.status >= 200 && head.value.status < 300)) return head
  const { status } = head.value
  return { kind: 'malformed', failure: { ...failure('http_status', 'server', `the proxy answers ${status}`), status } }
}

/** User name and password of the first `Proxy-Authorization: Basic` field; `undefined` without a valid one. */
export function basicCredentials(
  headers: readonly HttpField[],
): { readonly username: Uint8Array; readonly password: Uint8Array } | undefined {
  const value = headers.find(([name]) => name === 'proxy-authorization')?.[1]
  const match = /^basic +([A-Za-z0-9+/=]+)$/i.exec(value ?? '')
  const octets = match === null ? undefined : base64Octets(match[1] as string)
  const colon = octets?.indexOf(0x3a) ?? -1
  if (octets === undefined || colon === -1) return undefined
  return { username: octets.slice(0, colon), password: octets.slice(colon + 1) }
}

/** `host:port` or `[v6]:port`; the port is mandatory and 1 to 65535. */
function parseAuthority(text: string): Destination | undefined {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+)):([0-9]{1,5})$/.exec(text)
  if (match === null) return undefined
  const [, literal, host, portText] = match
  const port = Number(portText)
  if (port === 0 || port > 65_535) return undefined
  if (literal !== undefined) {
    const address = parseIpv6(literal)
    return address && { address, port }
  }
  const name = host as string
  const ip = parseIp(name)
  if (ip !== undefined) return { address: ip, port }
  return checkNameText(name).ok ? { address: { type: 'domain', name }, port } : undefined
}

function decodeHead(octets: Uint8Array, blame: Blame): Decoded<Head> {
  const impossible = impossibleStart(octets, blame)
  if (impossible !== undefined) return impossible
  const lines: string[] = []
  let start = 0
  for (;;) {
    const end = octets.indexOf(0x0a, start)
    if (end === -1) break
    if (end >= HTTP_HEAD_OCTETS_MAX) return tooLarge(blame)
    if (end === start || octets[end - 1] !== 0x0d) return malformed('bad_syntax', blame, 'a line ends without CR LF')
    const line = latin1Text(octets.subarray(start, end - 1))
    start = end + 1
    if (line === '') return finishHead(lines, start, blame)
    lines.push(line)
    if (lines.length > HTTP_FIELDS_MAX + 1) return tooLarge(blame)
  }
  if (octets.length >= HTTP_HEAD_OCTETS_MAX) return tooLarge(blame)
  return NEED_MORE
}

// A server that speaks another protocol would otherwise be waited for until the time limit. Asked first, so that the
// answer does not depend on how many octets came at once.
function impossibleStart(octets: Uint8Array, blame: Blame): Malformed | undefined {
  const start = latin1Octets(blame === 'client' ? 'CONNECT ' : 'HTTP/1.')
  const known = Math.min(start.length, octets.length)
  for (let i = 0; i < known; i++) if (octets[i] !== start[i]) return malformed('bad_syntax', blame, 'not HTTP')
  return undefined
}

function finishHead(lines: readonly string[], consumed: number, blame: Blame): Decoded<Head> {
  const [startLine, ...rest] = lines
  if (startLine === undefined) return malformed('bad_syntax', blame, 'no start line')
  const headers: HttpField[] = []
  for (const line of rest) {
    const match = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*(.*?)[ \t]*$/.exec(line)
    if (match === null || /[^\t -~\u0080-\u00ff]/.test(line))
      return malformed('bad_syntax', blame, 'not a header field')
    headers.push([(match[1] as string).toLowerCase(), match[2] as string])
  }
  return whole({ startLine, headers }, consumed)
}

function tooLarge(blame: Blame): Malformed {
  return malformed('header_too_large', blame, `the head is larger than ${HTTP_HEAD_OCTETS_MAX} octets`)
}
