/** The mechanism that the vectors call mockGss: 57, the octet conf, the plain octets. Protects nothing. */
import { concat, octetAt } from '../../src/octets.ts'
import type { GssapiContext } from '../../src/wire/gssapi-frame.ts'

export const mockGssapi: GssapiContext = {
  wrap: (plain, confidential) => concat([Uint8Array.of(0x57, confidential ? 1 : 0), plain]),
  unwrap(token) {
    if (token[0] !== 0x57 || token.length < 2 || octetAt(token, 1) > 1) return undefined
    return { plain: token.slice(2), confidential: token[1] === 1 }
  },
}
