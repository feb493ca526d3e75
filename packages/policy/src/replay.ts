/** Recorded sessions, asked again of other rules. Reads the records of docs/logs.md; knows no file. */
import { type Endpoint, formatAddress } from '@socksmith/protocol'
import type { Decider } from './compile/compile.ts'
import type { Decision } from './decision.ts'
import { COMMANDS, type Facts, METHODS, PROTOCOLS } from './facts.ts'
import { parseDestination } from './read/target.ts'
import { type ServerSetting, asServed, factsForRules } from './server-refusal.ts'

export interface Replayed {
  /** Sessions that came to a request. */
  readonly sessions: number
  /** Lines that are no session, or one that never came to a request. */
  readonly skipped: number
  /** Sessions whose outcome would be another now. */
  readonly changed: readonly ChangedSession[]
  /** Sessions whose record does not say enough, such as refused names that were never resolved. */
  readonly unclear: number
}

export interface ChangedSession {
  /** From 1. */
  readonly line: number
  /** In words: `alice from 192.0.2.7 connect example.com:443`. */
  readonly what: string
  readonly before: 'allow' | 'deny'
  readonly now: Decision
}

/** Asks about every line of an access log in JSON, as a server does that is set up so. */
export function replay(lines: Iterable<string>, decider: Decider, setting: ServerSetting = {}): Replayed {
  const changed: ChangedSession[] = []
  let [sessions, skipped, unclear, line] = [0, 0, 0, 0]
  for (const text of lines) {
    line++
    const session = sessionOf(text)
    if (session === undefined) {
      if (text.trim() !== '') skipped++
      continue
    }
    sessions++
    // What the server refused for its own reasons it would refuse again.
    if (session.before === 'unasked') continue
    const asked = factsForRules(session.facts)
    const now = asServed(decider.decide(asked), session.facts, setting)
    // An association is granted as long as some datagram may be, and a BIND for any peer as long as some peer.
    const isForSome = asked.command === 'udp-associate' || asked !== session.facts
    const verdict = now.verdict === 'open' && isForSome ? 'allow' : now.verdict
    if (verdict === 'open') unclear++
    else if (verdict !== session.before) changed.push({ line, what: session.what, before: session.before, now })
  }
  return { sessions, skipped, changed, unclear }
}

interface Session {
  readonly facts: Facts
  readonly what: string
  readonly before: Before
}

/** What the rules said; `unasked`: nothing that would have counted. */
type Before = 'allow' | 'deny' | 'unasked'

function sessionOf(text: string): Session | undefined {
  const record = recordOf(text)
  const command = COMMANDS.find(word => word === record?.['command'])
  const client = clientOf(record?.['client'])
  if (record === undefined || command === undefined || client === undefined) return undefined
  const before = beforeOf(record)
  const nowMs = Date.parse(textOf(record['time']))
  if (before === undefined || Number.isNaN(nowMs)) return undefined
  const user = typeof record['user'] === 'string' ? record['user'] : null
  const facts: Facts = {
    nowMs,
    client,
    listener: textOf(record['listener_name']) || textOf(record['listener']),
    protocol: PROTOCOLS.find(word => word === record['protocol']),
    // Older records do not say it; somebody without a name has shown nothing.
    method: METHODS.find(word => word === record['method']) ?? (user === null ? 'none' : undefined),
    user,
    command,
    ...targetOf(record, command),
  }
  const who = `${user ?? 'nobody'} from ${client === 'unix' ? client : formatAddress(client)}`
  return { facts, before, what: `${who} ${command} ${textOf(record['target'])}`.trim() }
}

function recordOf(text: string): { readonly [key: string]: unknown } | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as { readonly [key: string]: unknown }) : undefined
  } catch {
    return undefined
  }
}

// A failed login or a broken greeting says nothing about the rules. Limits hold what the rules have allowed.
function beforeOf(record: { readonly [key: string]: unknown }): Before | undefined {
  if (record['end'] !== 'refused' || 'limit' in record) return 'allow'
  if (record['failure'] !== 'not_allowed' && !('rule' in record)) return undefined
  // Older records do not say who refused: mostly it was the rules.
  return record['refused_by'] === 'server' ? 'unasked' : 'deny'
}

function clientOf(text: unknown): Facts['client'] | undefined {
  if (typeof text !== 'string') return undefined
  return text.startsWith('unix:') ? 'unix' : endpointOf(text)?.address
}

// The target of an association is where its client sends from; its datagrams are not in the record.
function targetOf(record: { readonly [key: string]: unknown }, command: Facts['command']): Partial<Facts> {
  const target = parseDestination(textOf(record['target']))
  if (target === undefined || command === 'udp-associate') return {}
  const { address, port } = target
  // Where a rule sends a name says nothing about its addresses.
  const dialled = record['redirected'] === true ? undefined : endpointOf(record['dialled'])
  if (address.type !== 'domain') return { host: null, address, port }
  return { host: address.name, port, ...(dialled && { address: dialled.address }) }
}

function endpointOf(text: unknown): Endpoint | undefined {
  const destination = typeof text === 'string' ? parseDestination(text) : undefined
  return destination === undefined || destination.address.type === 'domain'
    ? undefined
    : { address: destination.address, port: destination.port }
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}
