/** What the parts of the rogue share: how it was ordered, and what all its connections have in common. */
import type { Fault } from './faults.ts'
import type { Endpoint } from './place.ts'

/**
 * Ways of real servers that are no fault, or not the fault that another case is for.
 * `judges-at-request`: every login gets status 0, and the request of a wrong one REP 02.
 * `closes-on-wrong-login`: in place of a status.
 * `own-method`: it takes 80, which it has a meaning for, whenever that is offered.
 * `always-open`: it selects 00, whatever is offered. A fault, but none of what comes after FF.
 * `waits-for-socks6`: it reads on behind 06.
 */
export type Peculiarity =
  | 'judges-at-request'
  | 'closes-on-wrong-login'
  | 'own-method'
  | 'always-open'
  | 'waits-for-socks6'

export interface RogueOptions {
  readonly fault?: Fault
  readonly peculiarity?: Peculiarity
  /** With a user the password is needed, and SOCKS4 is refused. */
  readonly user?: { readonly name: string; readonly password: string }
  /** Clients may not reach loopback and private addresses. */
  readonly isInsideClosed?: boolean
  readonly handshakeMs?: number
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
    names: Promise<void>
    turn: Promise<void>
    /** Who of all clients wrote a datagram last. */
    udpClient?: Endpoint
  }
  stop(): void
}
