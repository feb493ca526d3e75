/** Who is kept out for a while, or for good: looked up at each accept and login. Decides nothing, and keeps no file. */
import type { Place } from '@socksmith/engine'
import { type Network, formatNetwork, parseNetwork } from '@socksmith/policy'
import { type IpAddress, latin1Text, unmapped } from '@socksmith/protocol'
import { clientName } from '../limit/account-key.ts'

/** Whom a ban concerns. `login`: this name from this address (a /64 of IPv6), and nobody else. */
export type BanSubject =
  | { readonly kind: 'network'; readonly network: string }
  | { readonly kind: 'user'; readonly user: string }
  | { readonly kind: 'login'; readonly client: string; readonly user: string }

/** Plain data: it crosses between threads and goes into a file. */
export interface Ban {
  readonly subject: BanSubject
  readonly sinceMs: number
  /** Milliseconds since 1970; absent: for good. */
  readonly untilMs?: number
  /** Who has said so: a person, or failed logins. */
  readonly by: 'operator' | 'login'
  readonly reason?: string
}

/**
 * Bans at once, by who has said so; the oldest of the same gives way. An attacker with many addresses must not take all memory, and
 * every thread has the list: with what is counted of failures, 4,096 stay below 20 MiB in three threads. Whoever is let go that way
 * is soon banned again, for his failures still count.
 */
export const BANS_MAX: { readonly [B in Ban['by']]: number } = { operator: 100_000, login: 4_096 }

/** What a person calls the subject, and by which it is found: `192.0.2.0/24`, `user alice`, `alice from 192.0.2.7`. */
export function subjectText(subject: BanSubject): string {
  switch (subject.kind) {
    case 'network':
      return subject.network
    case 'user':
      return `user ${subject.user}`
    case 'login':
      return `${subject.user} from ${subject.client}`
  }
}

/** The network of a client's address: one address of IPv4, a /64 of IPv6; `undefined` for a Unix socket. */
export function networkOfClient(client: Place): string | undefined {
  if (client.kind === 'unix') return undefined
  const name = clientName(client.endpoint.address)
  const network = parseNetwork(name)
  return network && formatNetwork(network)
}

/**
 * What the ban of a login calls its client: one address of IPv4, or the /64 of one of IPv6; `undefined` for every other
 * network, which no such ban can hold.
 */
export function clientOfNetwork({ address, bits }: Network): string | undefined {
  const name = clientName(address)
  const isWhole = bits === address.octets.length * 8
  return isWhole || name === formatNetwork({ address, bits }) ? name : undefined
}

/** The reason of a ban by failed logins. */
export const FAILED_LOGINS = 'failed logins'

export class BanList {
  /** By who has said so, oldest first. */
  readonly #bans: { readonly [B in Ban['by']]: Map<string, Ban> } = { operator: new Map(), login: new Map() }
  /** By the length of the prefix, the networks of that length by their octets. */
  readonly #networks = new Map<string, Map<string, Ban>>()

  constructor(bans: readonly Ban[] = []) {
    for (const ban of bans) this.add(ban)
  }

  get size(): number {
    return this.#bans.operator.size + this.#bans.login.size
  }

  /** False, and nothing changes, where a person has banned the same already: failed logins take that back for nobody. */
  add(ban: Ban): boolean {
    const key = subjectText(ban.subject)
    const standing = this.#standing(key)
    if (ban.by === 'login' && standing?.by === 'operator' && isInForce(standing, ban.sinceMs)) return false
    // At the end of the order: the youngest.
    this.remove(key)
    const kept = keptForm(ban)
    const bans = this.#bans[ban.by]
    if (bans.size >= BANS_MAX[ban.by]) this.#removeOldest(bans)
    bans.set(key, kept)
    const network = ban.subject.kind === 'network' ? parseNetwork(ban.subject.network) : undefined
    if (network !== undefined) this.#atLength(network).set(octetsText(network.address, network.bits), kept)
    return true
  }

  /** By {@link subjectText}; false when there is none. */
  remove(key: string): boolean {
    const ban = this.#standing(key)
    if (ban === undefined) return false
    this.#bans[ban.by].delete(key)
    const network = ban.subject.kind === 'network' ? parseNetwork(ban.subject.network) : undefined
    if (network !== undefined) {
      const lengths = this.#atLength(network)
      lengths.delete(octetsText(network.address, network.bits))
      if (lengths.size === 0) this.#networks.delete(lengthKey(network))
    }
    return true
  }

  /** Forgets those that have passed; answers their keys. */
  prune(nowMs: number): readonly string[] {
    const all = [...this.#bans.operator, ...this.#bans.login]
    const passed = all.filter(([, ban]) => !isInForce(ban, nowMs)).map(([key]) => key)
    for (const key of passed) this.remove(key)
    return passed
  }

  /** Those in force, oldest first. */
  all(nowMs: number): readonly Ban[] {
    const all = [...this.#bans.operator.values(), ...this.#bans.login.values()]
    return all.filter(ban => isInForce(ban, nowMs)).toSorted((a, b) => a.sinceMs - b.sinceMs)
  }

  hasClient(client: Place, nowMs: number): boolean {
    if (client.kind === 'unix' || this.#networks.size === 0) return false
    const address = unmapped(client.endpoint.address)
    for (const [length, networks] of this.#networks) {
      const [type, bits] = length.split(' ')
      if (type !== address.type) continue
      if (isInForce(networks.get(octetsText(address, Number(bits))), nowMs)) return true
    }
    return false
  }

  /**
   * Whether a person has banned this user, everywhere or from there. Failed logins say nothing against who is in already,
   * or has shown a certificate.
   */
  hasUser(client: Place, user: string, nowMs: number): boolean {
    if (this.size === 0) return false
    if (isInForce(this.#standing(subjectText({ kind: 'user', user })), nowMs)) return true
    const ban = this.#ofLogin(client, user)
    return ban?.by === 'operator' && isInForce(ban, nowMs)
  }

  /** Whether nobody may log in by this name from there. */
  hasLogin(client: Place, user: string, nowMs: number): boolean {
    return this.size > 0 && isInForce(this.#ofLogin(client, user), nowMs)
  }

  #ofLogin(client: Place, user: string): Ban | undefined {
    if (client.kind === 'unix') return undefined
    return this.#standing(subjectText({ kind: 'login', client: clientName(client.endpoint.address), user }))
  }

  #standing(key: string): Ban | undefined {
    return this.#bans.operator.get(key) ?? this.#bans.login.get(key)
  }

  #removeOldest(bans: ReadonlyMap<string, Ban>): void {
    const [oldest] = bans.keys()
    if (oldest !== undefined) this.remove(oldest)
  }

  #atLength(network: Network): Map<string, Ban> {
    const key = lengthKey(network)
    const known = this.#networks.get(key)
    if (known !== undefined) return known
    const made = new Map<string, Ban>()
    this.#networks.set(key, made)
    return made
  }
}

/** A ban that comes from another thread has every word anew; here they are the same for all. */
function keptForm({ subject, sinceMs, untilMs, by, reason }: Ban): Ban {
  const words = {
    by: by === 'login' ? 'login' : 'operator',
    ...(reason !== undefined && { reason: sameWord(reason) }),
  } as const
  return { subject: keptSubject(subject), sinceMs, ...(untilMs !== undefined && { untilMs }), ...words }
}

function keptSubject(subject: BanSubject): BanSubject {
  switch (subject.kind) {
    case 'network':
      return { kind: 'network', network: subject.network }
    case 'user':
      return { kind: 'user', user: subject.user }
    case 'login':
      return { kind: 'login', client: subject.client, user: subject.user }
  }
}

function sameWord(reason: string): string {
  return reason === FAILED_LOGINS ? FAILED_LOGINS : reason
}

function isInForce(ban: Ban | undefined, nowMs: number): boolean {
  return ban !== undefined && (ban.untilMs === undefined || nowMs < ban.untilMs)
}

function lengthKey({ address, bits }: Network): string {
  return `${address.type} ${bits}`
}

/** The leading bits of an address. */
function octetsText({ octets }: IpAddress, bits: number): string {
  const leading = octets.slice(0, Math.ceil(bits / 8))
  const rest = bits & 7
  if (rest !== 0) leading[leading.length - 1] = (leading.at(-1) ?? 0) & (0xff << (8 - rest))
  return latin1Text(leading)
}
