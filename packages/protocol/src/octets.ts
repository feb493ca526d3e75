/** Plain octet strings: join, compare, write as hex. Knows nothing of any protocol, nor of Node's Buffer. */

/** The shared empty octet string; it has no octets to change. */
export const NO_OCTETS: Uint8Array = new Uint8Array(0)

/** One octet string made of the given ones, in order. Copies, also when there is only one. */
export function concat(parts: readonly Uint8Array[]): Uint8Array {
  let length = 0
  for (const part of parts) length += part.length
  const joined = new Uint8Array(length)
  let at = 0
  for (const part of parts) {
    joined.set(part, at)
    at += part.length
  }
  return joined
}

/** True when both hold the same octets. Not constant-time: never use it on secrets. */
export function sameOctets(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}

/** The octet at `index`, which the caller has already shown to exist. */
export function octetAt(octets: Uint8Array, index: number): number {
  return octets[index] as number
}

/** The 16-bit number in network order at `index`. */
export function uint16At(octets: Uint8Array, index: number): number {
  return (octetAt(octets, index) << 8) | octetAt(octets, index + 1)
}

/** The 32-bit unsigned number in network order at `index`. */
export function uint32At(octets: Uint8Array, index: number): number {
  return ((uint16At(octets, index) << 16) | uint16At(octets, index + 2)) >>> 0
}

/** Two octets in network order. */
export function uint16(value: number): [number, number] {
  return [(value >>> 8) & 0xff, value & 0xff]
}

/** Four octets in network order. */
export function uint32(value: number): [number, number, number, number] {
  return [(value >>> 24) & 0xff, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff]
}

/** Lower-case hex without separators, as in the vectors: `05 01 00` is `"050100"`. */
export function toHex(octets: Uint8Array): string {
  let text = ''
  for (const octet of octets) text += octet.toString(16).padStart(2, '0')
  return text
}

/** The octets of a hex text; `undefined` when it is not one. */
export function fromHex(text: string): Uint8Array | undefined {
  if (text.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(text)) return undefined
  const octets = new Uint8Array(text.length / 2)
  for (let i = 0; i < octets.length; i++) octets[i] = Number.parseInt(text.slice(i * 2, i * 2 + 2), 16)
  return octets
}
