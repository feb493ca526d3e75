/** Who waits for the connection that a dispatcher is asked for: one request, or just the dispatcher itself. */
import type { Step } from '../dial/scope.ts'

export class Waiting {
  /** A signal for each connection would do the same, for more objects and listeners. */
  readonly #running = new Set<Pick<Step<unknown>, 'cancel'>>()
  #request: AbortSignal | undefined
  #isEnded = false

  /** Connections that are asked for while `ask` runs are asked for by the owner of this signal. */
  during<T>(request: AbortSignal, ask: () => T): T {
    this.#request = request
    try {
      return ask()
    } finally {
      this.#request = undefined
    }
  }

  /** Gives the step up as soon as nobody waits for it any more; the answer forgets it. */
  watch(step: Step<unknown>): () => void {
    const request = this.#request
    const cancel = (): void => step.cancel()
    if (this.#isEnded || request?.aborted === true) cancel()
    this.#running.add(step)
    request?.addEventListener('abort', cancel, { once: true })
    return () => {
      this.#running.delete(step)
      request?.removeEventListener('abort', cancel)
    }
  }

  /** Of the dispatcher: nobody waits for anything any more. */
  end(): void {
    this.#isEnded = true
    for (const step of this.#running) step.cancel()
  }
}
