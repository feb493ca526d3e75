/** What both kinds of forwarding share: the way, the target, and the end. */
import type { Route } from '@socksmith/client'
import type { Engine, Place, Resolver } from '@socksmith/engine'
import type { Destination } from '@socksmith/protocol'

export interface ForwardOptions {
  readonly engine: Engine
  readonly resolver: Resolver
  readonly via: Route
  /** Milliseconds until a connection, or an association, stands. */
  readonly timeoutMs: number
  readonly target: Destination
  /** Told in one line what did not work; the forwarding goes on. */
  readonly tell: (line: string) => void
}

/** A local place that leads to a target. */
export interface Forward {
  /** With the real port when 0 was asked. */
  readonly place: Place
  /** Tunnels that are open now; datagrams have none. */
  readonly tunnelCount: number
  /** Takes nobody any more; resolves once every tunnel has ended by itself. */
  stop(): Promise<void>
  /** Ends what is left. */
  end(): void
}
