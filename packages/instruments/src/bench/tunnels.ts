/** Many tunnels of one load: opened some at a time, watched while it runs, reset at its end. */
import type { CloseCause, Connection, ConnectionReader, Engine } from '@socksmith/engine'
import { type Failure, failure } from '@socksmith/protocol'
import type { Fault } from './load.ts'
import { type Route, type Tunnel, openTunnel } from './tunnel.ts'

/** Tunnels that are opened at the same time: many, and fewer than any server's queue. */
const OPENING_AT_ONCE = 64

/** A reader that takes what comes; that a tunnel ends while the load runs is a fault. */
export class LoadReader implements ConnectionReader {
  readonly #fault: Fault
  readonly #take: (octets: Uint8Array) => void

  constructor(fault: Fault, take: (octets: Uint8Array) => void) {
    this.#fault = fault
    this.#take = take
  }

  onOctets(octets: Uint8Array): void {
    this.#take(octets)
  }

  onEnd(): void {
    this.#fault.set(failure('truncated', 'server', 'a tunnel was ended by the other side while it was in use'))
  }

  onClose(cause: CloseCause): void {
    if (cause !== 'destroyed')
      this.#fault.set(failure('aborted', 'server', `a tunnel broke while it was in use (${cause})`))
  }
}

/** Opens `count` tunnels; all, or the first failure and none. `onOpen` has each at once, before the others are open. */
export async function openTunnels(
  engine: Engine,
  route: Route,
  count: number,
  readerOf: (index: number) => ConnectionReader,
  onOpen?: (tunnel: Tunnel, index: number) => void,
): Promise<readonly Tunnel[] | Failure> {
  const tunnels: Tunnel[] = []
  let refused: Failure | undefined
  let next = 0
  const openers = Array.from({ length: Math.min(count, OPENING_AT_ONCE) }, async () => {
    while (next < count && refused === undefined) {
      const index = next++
      const tunnel = await openTunnel(engine, route, readerOf(index))
      if ('code' in tunnel) {
        refused ??= tunnel
        continue
      }
      tunnels[index] = tunnel
      onOpen?.(tunnel, index)
    }
  })
  await Promise.all(openers)
  if (refused === undefined) return tunnels
  const opened = tunnels.filter(tunnel => tunnel !== undefined)
  resetAll(opened.map(({ connection }) => connection))
  if (opened.length === 0) return refused
  // A limit of the proxy shows so: some tunnels are let in, and one more is not.
  const detail = `${refused.detail ?? refused.code}; ${opened.length} of ${count} tunnels were open by then`
  return { ...refused, detail }
}

/** Ends them by RST: a port in TIME-WAIT for each would soon be all there are. */
export function resetAll(connections: readonly Connection[]): void {
  for (const connection of connections) connection.reset()
}
