/**
 * Something with a descriptor of its own that is opened when it is needed first: after a failure once more, though not at once
 * for each who asks. Knows not what it is.
 */
import type { Clock } from '@socksmith/engine'
import { type Failure, failure } from '@socksmith/protocol'
import { type Admission, HeldDescriptor } from './admission.ts'

/** A failure is the answer for so long: datagrams come by the thousand, and each would be a new attempt. */
const AGAIN_AFTER_MS = 1_000

interface OpeningContext {
  readonly clock: Clock
  readonly admission: Admission
}

export class Opening<T extends { close(): void }> {
  readonly #clock: Clock
  readonly #descriptor: HeldDescriptor
  readonly #open: () => Promise<T | Failure>
  #attempt: Promise<T | Failure> | undefined
  #againAtMs = Infinity
  #opened: T | undefined
  #isClosed = false

  constructor({ clock, admission }: OpeningContext, open: () => Promise<T | Failure>) {
    this.#clock = clock
    this.#descriptor = new HeldDescriptor(admission)
    this.#open = open
  }

  /** What is open now. */
  get opened(): T | undefined {
    return this.#opened
  }

  /** What is open, as soon as it is. */
  whenOpen(): Promise<T | Failure> {
    if (this.#clock.monotonicMs() >= this.#againAtMs) this.#attempt = undefined
    this.#attempt ??= this.#try()
    return this.#attempt
  }

  close(): void {
    this.#isClosed = true
    if (this.#opened === undefined) return
    this.#opened.close()
    this.#opened = undefined
    this.#descriptor.giveBack()
  }

  async #try(): Promise<T | Failure> {
    this.#againAtMs = Infinity
    const opened = this.#descriptor.take() ?? (await this.#open())
    if (isFailure(opened)) {
      this.#descriptor.giveBack()
      this.#againAtMs = this.#clock.monotonicMs() + AGAIN_AFTER_MS
      return opened
    }
    this.#opened = opened
    if (!this.#isClosed) return opened
    this.close()
    return failure('aborted', 'us')
  }
}

function isFailure(opened: object): opened is Failure {
  return 'code' in opened
}
