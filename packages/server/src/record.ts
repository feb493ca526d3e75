/** The one record of a session, made when it is over. Holds no secret; knows nothing of how it is written down. */
import type { Destination, Endpoint, FailureCode } from '@socksmith/protocol'
import type { Place } from '@socksmith/engine'
import type { AuthenticationMethod, Reported, Rule } from '@socksmith/policy'

/** Why a session ended: finished by one side, cut by a limit, refused, or given up. */
export type SessionEnd =
  | 'client-finished'
  | 'target-finished'
  | 'client-reset'
  | 'target-reset'
  | 'idle'
  | 'stopped'
  /** The rules changed, or the user is no more. */
  | 'revoked'
  /** The octets of a limit are used up. */
  | 'quota'
  /** As long as a limit lets a session last. */
  | 'session-length'
  | 'refused'
  | 'failed'
  | 'handshake-timeout'
  | 'client-left'

/** `rules`: also by a way that is blocked. `server`: for a reason of its own, whatever the rules say. */
export type RefusedBy = 'rules' | 'limit' | 'server'

export interface SessionRecord {
  /** Rises by one with each accepted connection of this server. */
  readonly id: number
  readonly startedAtMs: number
  readonly durationMs: number
  readonly client: Place
  readonly listener: Place
  /** Who the client has shown to be. */
  readonly user?: string
  /** USERID of SOCKS4: what the client calls itself, which proves nothing. */
  readonly userid?: string
  readonly protocol?: 'socks4' | 'socks4a' | 'socks5' | 'http'
  readonly command?: 'connect' | 'bind' | 'udp-associate' | 'forward'
  /** The target as the client named it. */
  readonly target?: Destination
  /** The address that was dialled, or the peer that connected to a BIND. */
  readonly dialled?: Endpoint
  /** The proxies that it went by, in order, parted by ` > `; without user names and passwords. */
  readonly via?: string
  /** What the user name carried beside the user. */
  readonly parameters?: Readonly<Record<string, string>> | undefined
  /** Octets from the client to the target, and back. For UDP: payload octets. */
  readonly clientToTarget: number
  readonly targetToClient: number
  /** REP, CD or HTTP status that was sent; absent when none was. */
  readonly reply?: number
  readonly end: SessionEnd
  /** What rules call the listener. */
  readonly listenerName?: string
  /** How the client has shown who it is. */
  readonly method?: AuthenticationMethod
  /** The rule that decided. */
  readonly rule?: Rule
  /** What was decided otherwise but not enforced. */
  readonly reported?: readonly Reported[]
  /** The limit that refused or ended it. */
  readonly limit?: string
  /** Who refused, for `refused`. */
  readonly refusedBy?: RefusedBy
  /** What went wrong, for `refused` and `failed`. */
  readonly failure?: FailureCode
  readonly detail?: string
}

/** A session that has not ended, as it is at this moment. */
export type LiveSession = Pick<
  SessionRecord,
  | 'id'
  | 'startedAtMs'
  | 'durationMs'
  | 'client'
  | 'listener'
  | 'user'
  | 'protocol'
  | 'command'
  | 'target'
  | 'dialled'
  | 'via'
  | 'clientToTarget'
  | 'targetToClient'
>
