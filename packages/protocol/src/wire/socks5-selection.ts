/** The server's choice of a method (RFC 1928 section 3): VER, METHOD; the method numbers; and who may choose what. */
import { type Decoded, NEED_MORE, malformed, whole } from '../decoded.ts'
import type { Failure } from '../failure.ts'
import { failure } from '../failure.ts'
import { octetAt } from '../octets.ts'
import { SOCKS5_VERSION } from './socks5-greeting.ts'

/** The registry "Socks Methods" of IANA. */
export const METHOD = {
  none: 0x00,
  gssapi: 0x01,
  userPassword: 0x02,
  chap: 0x03,
  cram: 0x05,
  ssl: 0x06,
  maf: 0x08,
  json: 0x09,
  noneAcceptable: 0xff,
} as const

export interface Socks5Selection {
  readonly method: number
}

export function decodeSocks5Selection(octets: Uint8Array): Decoded<Socks5Selection> {
  if (octets.length === 0) return NEED_MORE
  if (octets[0] !== SOCKS5_VERSION) return malformed('bad_version', 'server', `version ${octetAt(octets, 0)}`)
  if (octets.length < 2) return NEED_MORE
  return whole({ method: octetAt(octets, 1) }, 2)
}

export function encodeSocks5Selection(selection: Socks5Selection): Uint8Array {
  const octets = new Uint8Array(2)
  octets[0] = SOCKS5_VERSION
  octets[1] = selection.method
  return octets
}

/** The first of the server's methods, in the server's order, that the client offered; FF is never one of them. */
export function selectMethod(supported: readonly number[], offered: readonly number[]): number | undefined {
  return supported.find(method => method !== METHOD.noneAcceptable && offered.includes(method))
}

/** What is wrong with a selection, seen by the client that offered these methods. */
export function selectionFault(selection: Socks5Selection, offered: readonly number[]): Failure | undefined {
  if (selection.method === METHOD.noneAcceptable) {
    return failure('no_acceptable_methods', 'server', 'the server accepts none of the offered methods')
  }
  if (offered.includes(selection.method)) return undefined
  return failure('method_not_offered', 'server', `the server chose method ${selection.method}, which was not offered`)
}
