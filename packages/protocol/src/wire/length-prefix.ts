/** Octet strings behind a length field. Knows no message; a value too long for its field is a bug of the caller. */
import { concat, uint16 } from '../octets.ts'

/** LEN(1) and the octets. Throws a RangeError above 255 octets. */
export function withLength8(octets: Uint8Array): Uint8Array {
  return prefixed([octets.length], octets, 0xff)
}

/** LEN(2) and the octets. Throws a RangeError above 65,535 octets. */
export function withLength16(octets: Uint8Array): Uint8Array {
  return prefixed(uint16(octets.length), octets, 0xffff)
}

function prefixed(length: readonly number[], octets: Uint8Array, most: number): Uint8Array {
  if (octets.length > most) throw new RangeError(`${octets.length} octets do not fit a field of at most ${most}`)
  return concat([Uint8Array.from(length), octets])
}
