/** What every stream of the simulation carries: octets that are known by their place, so that each can be checked. */
import { Random } from './random.ts'

/** A prime: no buffer size divides it, so a shift by a whole buffer shows. */
const PERIOD = 65_521

const TABLE = makeTable()

function makeTable(): Buffer {
  const random = new Random(1)
  const period = Uint8Array.from({ length: PERIOD }, () => random.between(0, 255))
  return Buffer.concat([period, period])
}

/** The octets of stream `key` from `offset` on; `length` is below the period. They are the caller's. */
export function patternOctets(key: number, offset: number, length: number): Uint8Array {
  const start = (key * 7_919 + offset) % PERIOD
  return new Uint8Array(TABLE.subarray(start, start + length))
}

/** Index of the first octet that is not what belongs there; -1 when all are. */
export function firstWrong(key: number, offset: number, octets: Uint8Array): number {
  const start = (key * 7_919 + offset) % PERIOD
  if (TABLE.compare(octets, 0, octets.length, start, start + octets.length) === 0) return -1
  for (let i = 0; i < octets.length; i++) if (octets[i] !== TABLE[start + i]) return i
  return -1
}

/** Pieces of a chunk of any length, whose first octet is the one at `offset`, that are not what belongs there. */
export function wrongPieces(key: number, offset: number, chunk: Uint8Array): number {
  let wrong = 0
  for (let at = 0; at < chunk.length; at += PIECE_OCTETS_MAX) {
    if (firstWrong(key, offset + at, chunk.subarray(at, at + PIECE_OCTETS_MAX)) !== -1) wrong++
  }
  return wrong
}

/** A write is at most this long: the pattern is looked at in one piece. */
export const PIECE_OCTETS_MAX = 60_000
