/** Who waits for the connection that a dispatcher is asked for: one request, or just the dispatcher itself. */

export class Waiting {
  readonly #ended = new AbortController()
  #request: AbortSignal | undefined

  /** Connections that are asked for while `ask` runs are asked for by the owner of this signal. */
  during<T>(request: AbortSignal, ask: () => T): T {
    this.#request = request
    try {
      return ask()
    } finally {
      this.#request = undefined
    }
  }

  /** Acts when nobody waits any more for a connection that is asked for now. */
  signal(): AbortSignal {
    const { signal } = this.#ended
    return this.#request === undefined ? signal : AbortSignal.any([this.#request, signal])
  }

  /** Of the dispatcher: nobody waits for anything any more. */
  end(): void {
    this.#ended.abort()
  }
}
