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
import type { LiveSession, RefusedBy, SessionEnd, SessionRecord } from './record.ts'

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

/** Keys are set one by one, and those that do not apply are left out: a copy of a copy would cost each tunnel more. */
type Growing<T> = { -readonly [K in keyof T]: T[K] }

export function sessionRecord(facts: SessionFacts, end: SessionEnd, cause: Failure | undefined): SessionRecord {
  const { handshake, listenerName, method, limit, parameters } = facts
  const userid = useridText(facts.request)
  const { rule, reported } = ruledBy(facts.ruling)
  const record: Growing<SessionRecord> = { ...liveSession(facts), end }
  if (listenerName !== undefined) record.listenerName = listenerName
  if (method !== undefined) record.method = method
  if (rule !== undefined) record.rule = rule
  if (reported !== undefined) record.reported = reported
  if (limit !== undefined) record.limit = limit
  if (end === 'refused') record.refusedBy = refuserOf(facts.ruling, limit)
  if (userid !== undefined) record.userid = userid
  if (parameters !== undefined) record.parameters = parameters
  if (handshake.reply !== undefined) record.reply = handshake.reply
  if (cause !== undefined) record.failure = cause.code
  if (cause?.detail !== undefined) record.detail = cause.detail
  return record
}

/** What can be told of a session before its end. */
export function liveSession(facts: SessionFacts): LiveSession {
  const { base, handshake, request, user, carried } = facts
  const { dialled, via } = wayOfRecord(facts.dialled, facts.via)
  const protocol = request?.protocol ?? handshake.protocol
  const record: Growing<LiveSession> = {
    ...base,
    clientToTarget: carried?.clientToTarget ?? 0,
    targetToClient: carried?.targetToClient ?? 0,
  }
  if (user !== undefined) record.user = user
  if (protocol !== undefined) record.protocol = protocol
  if (request !== undefined) record.target = request.destination
  if (isServed(request)) record.command = request.command
  if (dialled !== undefined) record.dialled = dialled
  if (via !== undefined) record.via = via
  return record
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

/** Who refused what ends as `refused`. */
export function refuserOf(ruling: Ruling | undefined, limit: string | undefined): RefusedBy {
  if (limit !== undefined) return 'limit'
  // The server protects itself without asking the rules, and what they allow it may refuse for other reasons.
  return ruling?.decision !== undefined && ruling.refusal !== undefined ? 'rules' : 'server'
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
