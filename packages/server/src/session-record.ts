/** Makes the record of a session from what is known at its end. Decides nothing. */
import type { AuthenticationMethod } from '@socksmith/policy'
import type { RelayEnd } from '@socksmith/engine'
import {
  type Destination,
  type Failure,
  type HandshakeRequest,
  type ServerHandshake,
  latin1Text,
  utf8Text,
} from '@socksmith/protocol'
import { type Ruling, ruleOf } from './decide.ts'
import type { LiveSession, SessionEnd, SessionRecord } from './record.ts'

/** Octets carried each way. */
export interface Carried {
  readonly clientToTarget: number
  readonly targetToClient: number
}

export interface SessionFacts {
  readonly base: Pick<SessionRecord, 'id' | 'client' | 'listener' | 'startedAtMs' | 'durationMs'>
  readonly listenerName: string | undefined
  readonly handshake: Pick<ServerHandshake, 'protocol' | 'reply'>
  readonly request: HandshakeRequest | undefined
  readonly user: string | undefined
  readonly method: AuthenticationMethod | undefined
  readonly ruling: Ruling | undefined
  /** The limit that refused or ended it. */
  readonly limit: string | undefined
  /** What was reached; a name only where a proxy resolves it. */
  readonly dialled: Destination | undefined
  readonly via: string | undefined
  readonly parameters: SessionRecord['parameters']
  readonly carried: Carried | undefined
}

export function sessionRecord(facts: SessionFacts, end: SessionEnd, cause: Failure | undefined): SessionRecord {
  const { handshake, request, listenerName, method, ruling, limit } = facts
  const userid = useridText(request)
  return {
    ...liveSession(facts),
    end,
    ...(listenerName !== undefined && { listenerName }),
    ...(method !== undefined && { method }),
    ...ruledBy(ruling),
    ...(limit !== undefined && { limit }),
    ...(userid !== undefined && { userid }),
    ...(facts.parameters !== undefined && { parameters: facts.parameters }),
    ...(handshake.reply !== undefined && { reply: handshake.reply }),
    ...(cause !== undefined && { failure: cause.code }),
    ...(cause?.detail !== undefined && { detail: cause.detail }),
  }
}

/** What can be told of a session before its end. */
export function liveSession({ base, handshake, request, user, dialled, via, carried }: SessionFacts): LiveSession {
  const protocol = request?.protocol ?? handshake.protocol
  return {
    ...base,
    clientToTarget: carried?.clientToTarget ?? 0,
    targetToClient: carried?.targetToClient ?? 0,
    ...(user !== undefined && { user }),
    ...(protocol !== undefined && { protocol }),
    ...(request !== undefined && { target: request.destination }),
    ...(isServed(request) && { command: request.command }),
    ...wayOfRecord(dialled, via),
  }
}

/** What a record says of the address that was reached, and by which way. */
export function wayOfRecord(
  dialled: Destination | undefined,
  via: string | undefined,
): Pick<SessionRecord, 'dialled' | 'via'> {
  const { address, port = 0 } = dialled ?? {}
  return {
    ...(address !== undefined && address.type !== 'domain' && { dialled: { address, port } }),
    ...(via !== undefined && { via }),
  }
}

/** The end of a session whose relay ended so. */
export function endOfRelay(end: RelayEnd): SessionEnd {
  switch (end.cause) {
    case 'idle':
      return 'idle'
    case 'destroyed':
      return 'stopped'
    case 'ended':
      return end.by === 'target' ? 'target-finished' : 'client-finished'
    case 'reset':
    case 'error':
      return end.by === 'target' ? 'target-reset' : 'client-reset'
  }
}

/** What a record says of the rules. */
export function ruledBy(ruling: Ruling | undefined): Pick<SessionRecord, 'rule' | 'reported'> {
  const rule = ruling && ruleOf(ruling)
  const reported = ruling?.decision?.reported ?? []
  return { ...(rule !== undefined && { rule }), ...(reported.length > 0 && { reported }) }
}

function isServed(
  request: HandshakeRequest | undefined,
): request is HandshakeRequest & { command: 'connect' | 'bind' | 'udp-associate' } {
  return request !== undefined && request.command !== 'resolve' && request.command !== 'resolve-ptr'
}

function useridText(request: HandshakeRequest | undefined): string | undefined {
  if (request?.userid === undefined || request.userid.length === 0) return undefined
  return utf8Text(request.userid) ?? latin1Text(request.userid)
}
