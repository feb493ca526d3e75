/** What the handshake needs of HTTP beyond the CONNECT codec: is it CONNECT, and the responses that we send. */
import type { Failure } from '../failure.ts'
import { concat } from '../octets.ts'
import { latin1Octets, utf8Octets } from '../text.ts'

const CONNECT_OCTETS = latin1Octets('CONNECT ')

/** Whether the request line begins with CONNECT; `undefined` while that cannot be said. */
export function isHttpConnect(octets: Uint8Array): boolean | undefined {
  const known = Math.min(octets.length, CONNECT_OCTETS.length)
  for (let i = 0; i < known; i++) if (octets[i] !== CONNECT_OCTETS[i]) return false
  return known === CONNECT_OCTETS.length ? true : undefined
}

/** The answer to CONNECT that opens the tunnel (RFC 9110 section 9.3.6). */
export const HTTP_ESTABLISHED: Uint8Array = latin1Octets('HTTP/1.1 200 Connection established\r\n\r\n')

const STATUS_TEXT: { readonly [status: number]: readonly [reason: string, sentence: string] } = {
  400: ['Bad Request', 'The proxy cannot understand this request.'],
  403: ['Forbidden', 'The rules of this proxy do not allow this target.'],
  407: ['Proxy Authentication Required', 'This proxy wants a user name and a password.'],
  431: ['Request Header Fields Too Large', 'The head of this request is larger than the proxy takes.'],
  501: ['Not Implemented', 'This proxy does not do that.'],
  502: ['Bad Gateway', 'The proxy cannot reach the target.'],
  503: ['Service Unavailable', 'The proxy is at one of its limits. Try again later.'],
  504: ['Gateway Timeout', 'The target did not answer in time.'],
}

/** What a 407 asks for (RFC 7617). */
export const BASIC_CHALLENGE = 'Basic realm="socksmith", charset="UTF-8"'

/** A whole response that refuses, after which the connection is closed. */
export function httpErrorResponse(status: number): Uint8Array {
  const [reason, sentence] = STATUS_TEXT[status] ?? ['Error', 'The proxy cannot do this.']
  const body = utf8Octets(`${sentence}\n`)
  const head = [
    `HTTP/1.1 ${status} ${reason}`,
    'Content-Type: text/plain; charset=utf-8',
    `Content-Length: ${body.length}`,
    ...(status === 407 ? [`Proxy-Authenticate: ${BASIC_CHALLENGE}`] : []),
    'Connection: close',
    'Proxy-Connection: close',
    '',
    '',
  ]
  return concat([latin1Octets(head.join('\r\n')), body])
}

/** The response to a head that is malformed. */
export function refusalOfHttp(cause: Failure): { readonly code: number; readonly octets: Uint8Array } {
  const code = cause.code === 'header_too_large' ? 431 : 400
  return { code, octets: httpErrorResponse(code) }
}
