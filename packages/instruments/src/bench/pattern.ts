/** What a stream carries: KiB by KiB the number of the KiB, so that octets lost or doubled on the way are seen. */

/** Octets for one send: four times what a socket buffer starts with. The pattern repeats after them. */
export const CHUNK_OCTETS: number = 256 * 1024

/** One period; the stream is this, again and again. Nobody may write to it. */
export const CHUNK: Uint8Array = makeChunk()

function makeChunk(): Uint8Array {
  const chunk = new Uint8Array(CHUNK_OCTETS)
  for (let i = 0; i < chunk.length; i++) chunk[i] = i >>> 10
  return chunk
}

/** Follows one stream. Looks at two octets of each read: enough to see a gap, and no part of what is measured. */
export class PatternReader {
  /** Octets that came. */
  octets = 0

  /** False when these cannot be the next octets of the pattern. */
  take(octets: Uint8Array): boolean {
    const first = this.octets
    this.octets += octets.length
    return octets[0] === at(first) && octets[octets.length - 1] === at(this.octets - 1)
  }
}

function at(position: number): number {
  return (position % CHUNK_OCTETS) >>> 10
}
