/** A tunnel to an echo that says octets of a pattern and looks at what comes back. Knows no proxy. */
import type { Socket } from 'node:net'
import { PIECE_OCTETS_MAX, patternOctets, wrongPieces } from '../simulation/world/pattern.ts'

/** All that was said has come back. */
export interface Answered {
  /** Milliseconds since the first of it was said. */
  readonly tookMs: number
  /** Pieces of it that were not what was said. */
  readonly wrong: number
}

export class EchoTunnel {
  readonly #socket: Socket
  readonly #key: number
  /** What is to be said in all, and how much of it the socket has got. */
  #asked = 0
  #sent = 0
  #received = 0
  #wrong = 0
  #askedAtMs = 0

  constructor(socket: Socket, key: number, onAnswer: (answered: Answered) => void) {
    this.#socket = socket
    this.#key = key
    socket.on('drain', () => this.#pour())
    socket.on('data', (chunk: Buffer) => {
      this.#wrong += wrongPieces(this.#key, this.#received, chunk)
      this.#received += chunk.length
      if (!this.isAnswered) return
      onAnswer({ tookMs: performance.now() - this.#askedAtMs, wrong: this.#wrong })
      this.#wrong = 0
    })
  }

  get received(): number {
    return this.#received
  }

  get isAnswered(): boolean {
    return this.#received === this.#asked
  }

  /** Says so many octets more, as soon as the socket takes them. */
  say(octets: number): void {
    if (this.isAnswered) this.#askedAtMs = performance.now()
    this.#asked += octets
    this.#pour()
  }

  #pour(): void {
    while (this.#sent < this.#asked && !this.#socket.destroyed && !this.#socket.writableNeedDrain) {
      const piece = patternOctets(this.#key, this.#sent, Math.min(PIECE_OCTETS_MAX, this.#asked - this.#sent))
      this.#sent += piece.length
      this.#socket.write(piece)
    }
  }
}
