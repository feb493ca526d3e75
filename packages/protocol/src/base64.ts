/** Base64 (RFC 4648 section 4), written here because the ES library of our target has none. Knows no protocol. */
import { octetAt } from './octets.ts'

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'

/** The text of the octets, with padding. */
export function base64Text(octets: Uint8Array): string {
  let text = ''
  for (let i = 0; i < octets.length; i += 3) {
    const bits = (octetAt(octets, i) << 16) | ((octets[i + 1] ?? 0) << 8) | (octets[i + 2] ?? 0)
    const known = Math.min(3, octets.length - i) + 1
    for (let k = 0; k < 4; k++) text += k < known ? ALPHABET[(bits >> (18 - 6 * k)) & 0x3f] : '='
  }
  return text
}

/** The octets of a text with or without padding; `undefined` when it is not base64. */
export function base64Octets(text: string): Uint8Array | undefined {
  const digits = text.replace(/={0,2}$/, '')
  if (!/^[A-Za-z0-9+/]*$/.test(digits) || digits.length % 4 === 1) return undefined
  const octets = new Uint8Array(Math.floor((digits.length * 3) / 4))
  let [bits, held, at] = [0, 0, 0]
  for (const digit of digits) {
    bits = ((bits << 6) | ALPHABET.indexOf(digit)) & 0xffffff
    held += 6
    if (held < 8) continue
    held -= 8
    octets[at++] = (bits >> held) & 0xff
  }
  return octets
}
