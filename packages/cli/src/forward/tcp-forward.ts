/** A local port or Unix socket whose connections lead to a target. The octets are moved by the engine alone. */
import { dialRoute } from '@socksmith/client'
import type { Connection, Listener, Place } from '@socksmith/engine'
import { type Failure, NO_OCTETS, formatDestination } from '@socksmith/protocol'
import { visible } from '../terminal/visible.ts'
import type { Forward, ForwardOptions } from './forward.ts'

/** As long as a server's queue usually is. */
const BACKLOG = 511
/** Newcomers wait in the kernel while so many tunnels are open: two descriptors each, far below what one process may have. */
export const TUNNELS_MAX = 4_096
/** Somebody who has sent FIN waits for an answer; ten quiet minutes mean that none comes. */
const HALF_OPEN_IDLE_MS = 600_000

/** Starts to listen. */
export async function openTcpForward(listen: Place, options: ForwardOptions): Promise<Forward | Failure> {
  const forward = new TcpForward(options)
  const listener = await options.engine.listen({ place: listen, backlog: BACKLOG, mode: 0o600 }, forward)
  if ('code' in listener) return listener
  return forward.start(listener)
}

/** Something that runs and can be ended. */
interface Running {
  end(): void
}

class TcpForward implements Forward {
  readonly #options: ForwardOptions
  readonly #tunnels = new Set<Running>()
  #listener: Listener | undefined
  #onEmpty: (() => void) | undefined

  constructor(options: ForwardOptions) {
    this.#options = options
  }

  start(listener: Listener): this {
    this.#listener = listener
    return this
  }

  get place(): Place {
    if (this.#listener === undefined) throw new Error('a forwarding without a listener')
    return this.#listener.place
  }

  get tunnelCount(): number {
    return this.#tunnels.size
  }

  onConnection(client: Connection): void {
    const { engine, resolver, via, timeoutMs, target } = this.#options
    const dialling = dialRoute(engine, via, target, { resolver, timeoutMs })
    const tunnel: Running = { end: () => dialling.cancel() }
    this.#add(tunnel)
    void dialling.result.then(dialled => {
      if ('code' in dialled) {
        // Not FIN: an empty answer would look like one.
        client.reset()
        this.#remove(tunnel)
        const cause = dialled.failure.detail ?? dialled.failure.errno
        const where = dialled.proxy === undefined ? '' : ` at ${dialled.proxy}`
        return this.#tell(
          `${dialled.code} in the phase ${dialled.phase}${where}${cause === undefined ? '' : `: ${cause}`}`,
        )
      }
      const relay = engine.relay({
        client,
        target: dialled.connection,
        toTarget: NO_OCTETS,
        toClient: dialled.early,
        idleMs: 0,
        halfOpenIdleMs: HALF_OPEN_IDLE_MS,
        onEnd: () => this.#remove(tunnel),
      })
      tunnel.end = () => relay.close()
    })
  }

  onAcceptFailure({ detail, errno, code }: Failure): void {
    this.#tell(`a connection was not accepted: ${detail ?? errno ?? code}`)
  }

  async stop(): Promise<void> {
    await this.#listener?.close()
    if (this.#tunnels.size === 0) return
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#onEmpty = resolve
    await promise
  }

  end(): void {
    for (const tunnel of this.#tunnels) tunnel.end()
  }

  #add(tunnel: Running): void {
    this.#tunnels.add(tunnel)
    if (this.#tunnels.size === TUNNELS_MAX) this.#listener?.pause()
  }

  #remove(tunnel: Running): void {
    if (this.#tunnels.size === TUNNELS_MAX) this.#listener?.resume()
    this.#tunnels.delete(tunnel)
    if (this.#tunnels.size === 0) this.#onEmpty?.()
  }

  #tell(what: string): void {
    this.#options.tell(visible(`${formatDestination(this.#options.target)}: ${what}`))
  }
}
