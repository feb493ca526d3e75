/** The answer to a request in the language that the client speaks: SOCKS4, SOCKS5 or HTTP. */
import type { Destination } from '../address.ts'
import { NO_ENDPOINT } from '../address.ts'
import { type FailureCode, mappingOf } from '../failure.ts'
import { encodeSocks4Reply, SOCKS4_GRANTED } from '../wire/socks4-reply.ts'
import { encodeSocks5Failure, encodeSocks5Success } from '../wire/socks5-reply.ts'
import { httpErrorResponse, HTTP_ESTABLISHED } from './http-front.ts'
import type { HandshakeRequest } from './request.ts'

/** The octets of an answer, and its CD, REP or status for records. */
export interface Reply {
  readonly code: number
  readonly octets: Uint8Array
}

export function successReply(request: HandshakeRequest, bound: Destination): Reply {
  switch (request.protocol) {
    case 'socks5':
      return { code: 0, octets: encodeSocks5Success(bound) }
    case 'http':
      return { code: 200, octets: HTTP_ESTABLISHED }
    case 'socks4':
    case 'socks4a':
      return { code: SOCKS4_GRANTED, octets: socks4Reply(SOCKS4_GRANTED, request, bound) }
  }
}

/** The answer for a failure code, or for a REP that a method prescribes. */
export function failureReply(protocol: HandshakeRequest['protocol'], cause: FailureCode | number): Reply {
  if (typeof cause === 'number') return { code: cause, octets: encodeSocks5Failure(cause) }
  const mapping = mappingOf(cause)
  switch (protocol) {
    case 'socks5':
      return { code: mapping.rep, octets: encodeSocks5Failure(mapping.rep) }
    case 'http':
      return { code: mapping.httpStatus, octets: httpErrorResponse(mapping.httpStatus) }
    case 'socks4':
    case 'socks4a':
      return { code: mapping.socks4, octets: socks4Reply(mapping.socks4) }
  }
}

// PORT and IPv4 mean something only in the replies to BIND and RESOLVE; otherwise zeros (digest section 3).
function socks4Reply(code: number, request?: HandshakeRequest, bound?: Destination): Uint8Array {
  const told = request !== undefined && request.command !== 'connect' && bound?.address.type === 'ipv4'
  const endpoint = told ? { address: bound.address, port: bound.port } : NO_ENDPOINT
  const port = request?.command === 'bind' ? (bound?.port ?? 0) : endpoint.port
  return encodeSocks4Reply({ version: 0, code, bound: { address: endpoint.address, port } })
}
