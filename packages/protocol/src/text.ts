/**
 * Text and octets: ASCII, Latin-1 and strict UTF-8, written here because the ES library has no TextDecoder.
 * Knows no protocol.
 */
import { octetAt } from './octets.ts'

/** The octets of an ASCII or Latin-1 text; higher characters are cut to their low octet. */
export function latin1Octets(text: string): Uint8Array {
  const octets = new Uint8Array(text.length)
  for (let i = 0; i < text.length; i++) octets[i] = text.charCodeAt(i) & 0xff
  return octets
}

/** One character for each octet, U+0000 to U+00FF. Never fails and can be turned back. */
export function latin1Text(octets: Uint8Array): string {
  let text = ''
  for (const octet of octets) text += String.fromCharCode(octet)
  return text
}

/** The UTF-8 octets of a text. A lone surrogate becomes U+FFFD. */
export function utf8Octets(text: string): Uint8Array {
  const octets: number[] = []
  for (const character of text) {
    let code = character.codePointAt(0) as number
    if (code >= 0xd800 && code <= 0xdfff) code = 0xfffd
    if (code < 0x80) octets.push(code)
    else if (code < 0x800) octets.push(0xc0 | (code >> 6), 0x80 | (code & 0x3f))
    else if (code < 0x10000) octets.push(0xe0 | (code >> 12), 0x80 | ((code >> 6) & 0x3f), 0x80 | (code & 0x3f))
    else {
      octets.push(0xf0 | (code >> 18), 0x80 | ((code >> 12) & 0x3f), 0x80 | ((code >> 6) & 0x3f), 0x80 | (code & 0x3f))
    }
  }
  return Uint8Array.from(octets)
}

/** The text of strict UTF-8 (no overlong forms, no surrogates, at most U+10FFFF); `undefined` when it is not that. */
export function utf8Text(octets: Uint8Array): string | undefined {
  let text = ''
  let at = 0
  while (at < octets.length) {
    const lead = octetAt(octets, at)
    const length = utf8Length(lead)
    if (length === 0 || at + length > octets.length) return undefined
    let code = length === 1 ? lead : lead & (0x7f >> length)
    for (let i = 1; i < length; i++) {
      const next = octetAt(octets, at + i)
      if ((next & 0xc0) !== 0x80) return undefined
      code = (code << 6) | (next & 0x3f)
    }
    if (isOverlong(code, length) || (code >= 0xd800 && code <= 0xdfff) || code > 0x10ffff) return undefined
    text += String.fromCodePoint(code)
    at += length
  }
  return text
}

function utf8Length(lead: number): number {
  if (lead < 0x80) return 1
  if (lead >= 0xc2 && lead < 0xe0) return 2
  if (lead >= 0xe0 && lead < 0xf0) return 3
  if (lead >= 0xf0 && lead < 0xf5) return 4
  return 0
}

function isOverlong(code: number, length: number): boolean {
  return (length === 3 && code < 0x800) || (length === 4 && code < 0x10000)
}
