/** The client's greeting (RFC 1928 section 3): VER, NMETHODS, METHODS; and which of them a server takes. */
import { type Decoded, NEED_MORE, malformed, whole } from '../decoded.ts'
import { octetAt } from '../octets.ts'

export const SOCKS5_VERSION = 0x05

export interface Socks5Greeting {
  /** In the client's order; duplicates stay. */
  readonly methods: readonly number[]
}

export function decodeSocks5Greeting(octets: Uint8Array): Decoded<Socks5Greeting> {
  if (octets.length === 0) return NEED_MORE
  if (octets[0] !== SOCKS5_VERSION) return malformed('bad_version', 'client', `version ${octetAt(octets, 0)}`)
  if (octets.length < 2) return NEED_MORE
  const count = octetAt(octets, 1)
  if (count === 0) return malformed('empty_method_list', 'client', 'the greeting offers no method')
  if (octets.length < 2 + count) return NEED_MORE
  const methods: number[] = []
  for (let i = 2; i < 2 + count; i++) methods.push(octetAt(octets, i))
  return whole({ methods }, 2 + count)
}

export function encodeSocks5Greeting(greeting: Socks5Greeting): Uint8Array {
  return Uint8Array.of(SOCKS5_VERSION, greeting.methods.length, ...greeting.methods)
}
