/** What the parts of the rogue share: how it was ordered, and what all its connections have in common. */
import type { Fault, Peculiarity } from './faults.ts'
import type { Endpoint } from './place.ts'

export interface RogueOptions {
  readonly fault?: Fault
  readonly peculiarity?: Peculiarity
  /** With a user the password is needed, and SOCKS4 is refused. */
  readonly user?: { readonly name: string; readonly password: string }
  /** Clients may not reach loopback and private addresses, but for `OUTSIDE`. */
  readonly isInsideClosed?: boolean
  readonly handshakeMs?: number
  /** Where it listens. Default: 127.0.0.1. */
  readonly host?: string
}

/** What all connections of one server share. */
export interface Rogue {
  readonly options: RogueOptions
  has(trait: Fault | Peculiarity): boolean
  /** Its own TCP port. */
  readonly port: () => number
  readonly sockets: Set<{ destroy(): void }>
  /** Of the faults that let one client hinder another. */
  readonly shared: {
    connections: number
    isStalled: boolean
    /** Of the way that loses one datagram. */
    hasLost: boolean
    names: Promise<void>
    turn: Promise<void>
    /** Who of all clients wrote a datagram last. */
    udpClient?: Endpoint
  }
  stop(): void
}
