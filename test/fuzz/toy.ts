/** A program with a fault that chance alone finds once in four thousand million inputs. For the fuzzer's own test. */

export function readToy(octets: Uint8Array): string {
  if (octets[0] !== 0x53) return 'no toy'
  if (octets[1] !== 0x4f) return 'nearly'
  if (octets[2] !== 0x43) return 'more nearly'
  if (octets[3] !== 0x4b) return 'most nearly'
  throw new Error('the planted fault')
}
