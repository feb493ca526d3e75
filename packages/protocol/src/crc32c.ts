/** CRC32C (Castagnoli), as the PROXY protocol uses it. */

const POLYNOMIAL = 0x82f63b78

const TABLE = Uint32Array.from({ length: 256 }, (_, octet) => {
  let value = octet
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ POLYNOMIAL : value >>> 1
  return value
})

/** The checksum as an unsigned 32-bit number. */
export function crc32c(octets: Uint8Array): number {
  let value = 0xffffffff
  for (const octet of octets) value = (value >>> 8) ^ (TABLE[(value ^ octet) & 0xff] as number)
  return (value ^ 0xffffffff) >>> 0
}
