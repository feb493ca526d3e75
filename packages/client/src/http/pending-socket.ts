/**
 * What an HTTP request holds while its connection is being made: a socket that is not connected. Whoever destroys it (an
 * abort, a timer, the agent) ends the attempt at once. Carries no octet; knows no route.
 */
import { Socket } from 'node:net'

export class PendingSocket extends Socket {
  /** Acts when somebody destroyed this socket before it was {@link PendingSocket.replaceBy | replaced}. */
  readonly givenUp: AbortSignal
  readonly #controller = new AbortController()
  #isReplaced = false

  constructor() {
    super()
    this.givenUp = this.#controller.signal
    // Libraries look at it to know whether their timers for the connection may start.
    setConnecting(this, true)
    // The request reports the failure of the attempt; here it would be an error nobody listens for.
    this.on('error', () => {})
    this.once('close', () => this.#isReplaced || this.#controller.abort())
  }

  /** The connection stands: hands over what was asked of this socket meanwhile. */
  replaceBy(socket: Socket): void {
    this.#isReplaced = true
    setConnecting(this, false)
    // Timers of libraries that measure the phases of a request.
    this.emit('connect')
    if ('encrypted' in socket) this.emit('secureConnect')
    if (this.timeout !== undefined && this.timeout > 0) socket.setTimeout(this.timeout)
    this.destroy()
  }

  /** There is no connection. */
  discard(): void {
    this.#isReplaced = true
    this.destroy()
  }
}

// Read-only in the types alone.
function setConnecting(socket: Socket, value: boolean): void {
  ;(socket as { connecting: boolean }).connecting = value
}
