/** In which order a pool's members are to be tried, by their weights: in turn, by chance, or always the same for one key. */
import { createHash } from 'node:crypto'
import { labelsOf } from './labels.ts'
import type { Member } from './memory.ts'
import type { PoolRoute } from './route.ts'

/** The weight of a member; 1 where the pool has none. */
export function weightOf({ members, weights }: PoolRoute, member: Member): number {
  return weights?.[members.indexOf(member)] ?? 1
}

/** The order of this turn: each member is first as often in a round as it weighs, as evenly spread as can be. */
export function turnOrder(pool: PoolRoute, turn: number): readonly Member[] {
  const { members } = pool
  const round = roundOf(pool)
  const first = members.indexOf(round[(turn * pool.length) % round.length] as Member)
  return [...members.slice(first), ...members.slice(0, first)]
}

const rounds = new WeakMap<PoolRoute, readonly Member[]>()

/** One round of turns, smoothly spread: whoever is owed most goes next. */
function roundOf(pool: PoolRoute): readonly Member[] {
  const known = rounds.get(pool)
  if (known !== undefined) return known
  const { members, weights } = pool
  const round = weights === undefined ? members : spread(members, weights)
  rounds.set(pool, round)
  return round
}

function spread(members: readonly Member[], weights: readonly number[]): readonly Member[] {
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  const owed = weights.map(() => 0)
  return Array.from({ length: total }, () => {
    for (const [index, weight] of weights.entries()) owed[index] = (owed[index] ?? 0) + weight
    const most = owed.indexOf(Math.max(...owed))
    owed[most] = (owed[most] ?? 0) - total
    return members[most] as Member
  })
}

/** By chance, the heavier the sooner. */
export function shuffled<T>(items: readonly T[], weigh: (item: T) => number, random: () => number): T[] {
  const left = [...items]
  const out: T[] = []
  while (left.length > 0) {
    let at = random() * left.reduce((sum, item) => sum + weigh(item), 0)
    const found = left.findIndex(item => (at -= weigh(item)) < 0)
    out.push(...left.splice(found === -1 ? left.length - 1 : found, 1))
  }
  return out
}

/**
 * The order for one key: the same whenever and wherever it is asked for, and a member that is gone or new changes the place
 * of no other (rendezvous hashing).
 */
export function stickyOrder(pool: PoolRoute, key: string, members: readonly Member[]): readonly Member[] {
  const named = namesOf(pool)
  const scored = members.map(member => ({
    member,
    score: scoreOf(key, named.get(member) ?? '', weightOf(pool, member)),
  }))
  return scored.sort((a, b) => b.score - a.score).map(({ member }) => member)
}

const names = new WeakMap<PoolRoute, ReadonlyMap<Member, string>>()

/** What members are told apart by: their proxies, and of several with the same ones (and other logins) their number. */
function namesOf(pool: PoolRoute): ReadonlyMap<Member, string> {
  const known = names.get(pool)
  if (known !== undefined) return known
  const made = new Map<Member, string>()
  const counts = new Map<string, number>()
  for (const member of pool.members) {
    const label = labelsOf(member).join(' > ')
    const nth = counts.get(label) ?? 0
    counts.set(label, nth + 1)
    made.set(member, `${label} ${nth}`)
  }
  names.set(pool, made)
  return made
}

/** 48 bits of a hash are as much as a number holds exactly, with room for the one that is added. */
const HASH_OCTETS = 6

// The larger the weight, the more often the score is the highest, in proportion.
function scoreOf(key: string, name: string, weight: number): number {
  const hash = createHash('sha256').update(`${key}\0${name}`).digest()
  const chance = (hash.readUIntBE(0, HASH_OCTETS) + 1) / (2 ** (8 * HASH_OCTETS) + 1)
  return -weight / Math.log(chance)
}
