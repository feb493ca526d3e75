/** Which account a limit counts in: the digest of its name and of what it counts together. Knows no ledger. */
import { getRandomValues, hash } from 'node:crypto'
import type { Facts, Limit, Rule } from '@socksmith/policy'
import { formatAddress, unmapped } from '@socksmith/protocol'
import { KEY_WORDS } from './ledger-memory.ts'

/** Octets of an IPv6 address that belong to one network: whoever has one of its addresses has them all. */
const CLIENT_NETWORK_OCTETS = 8

/** What is counted together with it, as text; `undefined`: nothing is, since the limit is of one session. */
export function accountName(limit: Limit, facts: Facts, rule: Rule | undefined): string | undefined {
  let name = beginningOf(limit)
  for (const scope of limit.per) {
    if (scope === 'session') return undefined
    const part = partOf(scope, facts, rule)
    // With its length in front, no part can pretend to be two.
    name += `${part.length}:${part}`
  }
  return name
}

const beginnings = new WeakMap<Limit, string>()

function beginningOf(limit: Limit): string {
  let beginning = beginnings.get(limit)
  if (beginning === undefined) {
    // The period belongs to it: what was counted in a day means nothing in a month.
    beginning = JSON.stringify([limit.name, limit.amounts.octets?.period ?? null])
    beginnings.set(limit, beginning)
  }
  return beginning
}

function partOf(scope: Limit['per'][number], facts: Facts, rule: Rule | undefined): string {
  switch (scope) {
    case 'user':
      // Whoever has not logged in is one user, and no name is empty.
      return `user ${facts.user ?? ''}`
    case 'client':
      return `client ${clientName(facts.client)}`
    case 'listener':
      return `listener ${facts.listener}`
    case 'rule':
      return `rule ${rule?.name ?? rule?.text ?? ''}`
    default:
      return scope
  }
}

/** The key of the account with this name; without a name, of one that nobody else has. */
export function accountKey(name: string | undefined): Int32Array {
  if (name === undefined) return getRandomValues(new Int32Array(KEY_WORDS))
  let key = keys.get(name)
  if (key === undefined) {
    const digest = hash('sha256', name, 'buffer')
    key = Int32Array.from({ length: KEY_WORDS }, (_, index) => digest.readInt32LE(index * 4))
    if (keys.size >= KEYS_MAX) keys.clear()
    keys.set(name, key)
  }
  return key
}

/** Whoever comes often has a digest that is known. About 300 octets each. */
const KEYS_MAX = 4_096
const keys = new Map<string, Int32Array>()

/** An IPv4 address, the network of an IPv6 address, or `unix`. */
export function clientName(client: Facts['client']): string {
  if (client === 'unix') return client
  const address = unmapped(client)
  if (address.type === 'ipv4') return formatAddress(address)
  const octets = new Uint8Array(address.octets.length)
  octets.set(address.octets.subarray(0, CLIENT_NETWORK_OCTETS))
  return `${formatAddress({ type: 'ipv6', octets })}/${CLIENT_NETWORK_OCTETS * 8}`
}
