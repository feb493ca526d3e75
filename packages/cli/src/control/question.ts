/** What may be asked of a running server, checked octet for octet: whoever opens the socket may write anything. */
import { type Ban, type BanSubject, clientOfNetwork } from '@socksmith/server'
import { parseNetwork } from '@socksmith/policy'
import type { CachedName } from '../dns/name-caches.ts'

export type ControlQuestion =
  | { readonly ask: 'reload' }
  | { readonly ask: 'bans' }
  | { readonly ask: 'names' }
  /** All, when no name is said. */
  | { readonly ask: 'flush-names'; readonly name?: string }
  /** Without `forMs`: for good. */
  | { readonly ask: 'ban'; readonly subject: BanSubject; readonly forMs?: number; readonly reason?: string }
  /** By the text of a subject. */
  | { readonly ask: 'unban'; readonly subject: string }

export interface ControlAnswer {
  readonly ok: boolean
  readonly message: string
  /** How the command that asks is to end where it is not `ok`. */
  readonly exitCode?: number
  readonly bans?: readonly Ban[]
  readonly names?: readonly CachedName[]
}

/** The question that a line of JSON asks; `undefined` when it is none. */
export function parseQuestion(line: string): ControlQuestion | undefined {
  try {
    const value: unknown = JSON.parse(line)
    return typeof value === 'object' && value !== null ? questionOf(value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}

function questionOf(value: Record<string, unknown>): ControlQuestion | undefined {
  const { ask, subject, forMs, reason, name } = value
  if (ask === 'reload' || ask === 'bans' || ask === 'names') return { ask }
  if (ask === 'flush-names') return typeof name === 'string' ? { ask, name } : { ask }
  if (ask === 'unban') return typeof subject === 'string' ? { ask, subject } : undefined
  if (ask !== 'ban' || !isSubject(subject)) return undefined
  if (forMs !== undefined && !(typeof forMs === 'number' && forMs > 0)) return undefined
  if (reason !== undefined && typeof reason !== 'string') return undefined
  return { ask, subject, ...(forMs !== undefined && { forMs }), ...(reason !== undefined && { reason }) }
}

/** A person bans networks, users, and users from one place. */
function isSubject(value: unknown): value is BanSubject {
  if (typeof value !== 'object' || value === null || !('kind' in value)) return false
  if (value.kind === 'user') return 'user' in value && typeof value.user === 'string' && value.user !== ''
  if (value.kind === 'login') {
    if (!('user' in value) || typeof value.user !== 'string') return false
    if (!('client' in value) || typeof value.client !== 'string') return false
    // In its one form: by another one it would stand in the list and never be found.
    const network = parseNetwork(value.client)
    return network !== undefined && clientOfNetwork(network) === value.client
  }
  if (value.kind !== 'network' || !('network' in value) || typeof value.network !== 'string') return false
  return parseNetwork(value.network) !== undefined
}
