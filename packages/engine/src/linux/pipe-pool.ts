/** Pipes for `splice`, made when first needed and used again. A pipe is given back empty, or thrown away. */
import { DESCRIPTORS_MAX, DIAL_RESERVE } from '../node/descriptors.ts'
import { F_SETPIPE_SZ, O_CLOEXEC, O_NONBLOCK } from './abi.ts'
import type { SystemCalls } from './system-calls.ts'

/**
 * Asked for each pipe. A pipe has a slot for each fragment of a packet (small ones too), so that its nominal size must be
 * several times the octets that it is to hold. Without privileges the kernel grants it to the first 64 pipes of a user.
 */
const PIPE_OCTETS = 1024 * 1024

/** Kept for later when nobody uses them: as many as tunnels that are busy in the same instant. */
const SPARE_MAX = 64

/** Both ends of a pipe. */
export interface Pipe {
  readonly read: number
  readonly write: number
}

export class PipePool {
  readonly #calls: SystemCalls
  readonly #spare: Pipe[] = []
  readonly #both = new Int32Array(2)
  readonly #bothOctets = new Uint8Array(this.#both.buffer)
  #inUse = 0

  constructor(calls: SystemCalls) {
    this.#calls = calls
  }

  /** Pipes that hold octets of some tunnel. */
  get inUse(): number {
    return this.#inUse
  }

  /** An empty pipe; `undefined` when descriptors are short: the caller then copies. */
  take(): Pipe | undefined {
    const pipe = this.#spare.pop() ?? this.#open()
    if (pipe !== undefined) this.#inUse++
    return pipe
  }

  /** Gives an empty pipe back. */
  giveBack(pipe: Pipe): void {
    this.#inUse--
    if (this.#spare.length < SPARE_MAX) this.#spare.push(pipe)
    else this.#close(pipe)
  }

  /** Closes a pipe together with the octets in it. */
  discard(pipe: Pipe): void {
    this.#inUse--
    this.#close(pipe)
  }

  /** Closes those that nobody uses. */
  closeSpare(): void {
    for (const pipe of this.#spare.splice(0)) this.#close(pipe)
  }

  #open(): Pipe | undefined {
    if (this.#calls.pipe2(this.#bothOctets, O_CLOEXEC | O_NONBLOCK) < 0) return undefined
    const [read = -1, write = -1] = this.#both
    if (write >= DESCRIPTORS_MAX - DIAL_RESERVE) {
      this.#close({ read, write })
      return undefined
    }
    // A refusal leaves the pipe at its default size; it is then only slower.
    this.#calls.fcntl(write, F_SETPIPE_SZ, PIPE_OCTETS)
    return { read, write }
  }

  #close(pipe: Pipe): void {
    this.#calls.close(pipe.read)
    this.#calls.close(pipe.write)
  }
}
