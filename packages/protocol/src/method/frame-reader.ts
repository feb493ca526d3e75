/** Frames out of a stream that comes in any pieces. Knows no frame: the decoder is handed in, and bounds what is kept. */
import type { Decoded } from '../decoded.ts'
import type { Failure } from '../failure.ts'
import { NO_OCTETS, concat } from '../octets.ts'

/** The decoder answers need-more only below the longest frame, so that never more than one frame is kept. */
export class FrameReader<T> {
  readonly #decode: (octets: Uint8Array) => Decoded<T>
  #rest: Uint8Array = NO_OCTETS

  constructor(decode: (octets: Uint8Array) => Decoded<T>) {
    this.#decode = decode
  }

  /** The frames that are complete now, in order. A failure is final: the caller reads no further. */
  read(octets: Uint8Array): readonly T[] | Failure {
    let inbox = this.#rest.length === 0 ? octets : concat([this.#rest, octets])
    const frames: T[] = []
    for (;;) {
      const decoded = this.#decode(inbox)
      if (decoded.kind === 'malformed') return decoded.failure
      if (decoded.kind === 'need-more') break
      frames.push(decoded.value)
      inbox = inbox.subarray(decoded.consumed)
    }
    // Copied: the caller may use its buffer again.
    this.#rest = new Uint8Array(inbox)
    return frames
  }
}
