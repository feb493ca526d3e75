/** Takes octets from a socket by number. Knows no protocol. */
import type { Socket } from 'node:net'

export class Reader {
  /** The handshake is over. */
  isServed = false
  readonly #socket: Socket
  readonly #onData: (octets: Buffer) => void
  #inbox: Buffer = Buffer.alloc(0)
  #isOver = false
  #wake: (() => void) | undefined

  constructor(socket: Socket, ignoresFin: boolean) {
    this.#socket = socket
    this.#onData = octets => {
      this.#inbox = Buffer.concat([this.#inbox, octets])
      this.#wake?.()
    }
    socket.on('data', this.#onData)
    socket.on('close', () => this.#end())
    if (!ignoresFin) socket.on('end', () => this.#end())
  }

  /** Octets that are left where they are; `undefined` when the end comes first. */
  async peek(count: number): Promise<Buffer | undefined> {
    while (this.#inbox.length < count) {
      if (this.#isOver) return undefined
      await new Promise<void>(resolve => {
        this.#wake = resolve
      })
    }
    return this.#inbox.subarray(0, count)
  }

  async take(count: number): Promise<Buffer | undefined> {
    const octets = await this.peek(count)
    if (octets !== undefined) this.#inbox = this.#inbox.subarray(count)
    return octets
  }

  /** Up to NUL, which is taken too; `tooLong` beyond the limit. */
  async takeToNul(limit: number): Promise<Buffer | 'too long' | undefined> {
    for (let count = 1; ; count++) {
      if (count > limit + 1) return 'too long'
      const octets = await this.peek(count)
      if (octets === undefined) return undefined
      if (octets[count - 1] === 0) return (await this.take(count))?.subarray(0, -1)
    }
  }

  get buffered(): number {
    return this.#inbox.length
  }

  /** Throws away what has come. */
  drop(): void {
    this.#inbox = Buffer.alloc(0)
  }

  /** What has come and was not taken; from now on somebody else reads. */
  release(): Buffer {
    this.#socket.off('data', this.#onData)
    this.#socket.pause()
    const rest = this.#inbox
    this.#inbox = Buffer.alloc(0)
    return rest
  }

  #end(): void {
    this.#isOver = true
    this.#wake?.()
  }
}
