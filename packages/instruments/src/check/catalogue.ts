/** All cases, in the order of the table, and the choice among them. Runs none. */
import { AREAS, type Case, LEVELS } from './case.ts'
import { BIND_CASES } from './cases/bind.ts'
import { GREETING_CASES } from './cases/greeting.ts'
import { INSIDE_CASES } from './cases/inside.ts'
import { LIMIT_CASES } from './cases/limits.ts'
import { LOGIN_CASES } from './cases/login.ts'
import { METHOD_CASES } from './cases/methods.ts'
import { IPV6_CASES, NAME_CASES } from './cases/names.ts'
import { PIECES_CASES } from './cases/pieces.ts'
import { BND_CASES, REPLY_CASES } from './cases/replies.ts'
import { REQUEST_CASES } from './cases/request.ts'
import { SOCKS4_BIND_CASES } from './cases/socks4-bind.ts'
import { SOCKS4_CASES } from './cases/socks4.ts'
import { TUNNEL_CASES } from './cases/tunnel.ts'
import { UDP_HOSTILE_CASES } from './cases/udp-hostile.ts'
import { UDP_CASES } from './cases/udp.ts'
import { WALKAROUND_CASES } from './cases/walkaround.ts'

export const CASES: readonly Case[] = [
  ...GREETING_CASES,
  ...METHOD_CASES,
  ...LOGIN_CASES,
  ...REQUEST_CASES,
  ...REPLY_CASES,
  ...BND_CASES,
  ...NAME_CASES,
  ...IPV6_CASES,
  ...PIECES_CASES,
  ...TUNNEL_CASES,
  ...BIND_CASES,
  ...UDP_CASES,
  ...UDP_HOSTILE_CASES,
  ...SOCKS4_CASES,
  ...SOCKS4_BIND_CASES,
  // Cases that leave stalled clients behind come late: they must not be why another one fails.
  ...LIMIT_CASES,
  ...WALKAROUND_CASES,
  ...INSIDE_CASES,
]

/**
 * The cases that any of the words chooses: an id, the beginning of one, an area or a level. A string is the word that
 * chooses none.
 *
 * @example chooseCases(['udp', 'S5-REQ-10', 'safety'])
 */
export function chooseCases(words: readonly string[]): readonly Case[] | string {
  if (words.length === 0) return CASES
  const chosen = new Set<Case>()
  for (const word of words) {
    const fitting = CASES.filter(one => isChosen(one, word))
    if (fitting.length === 0) return word
    for (const one of fitting) chosen.add(one)
  }
  return CASES.filter(one => chosen.has(one))
}

/** True when a word of {@link chooseCases} chooses the case, which may be one of another version's catalogue. */
export function isChosen(one: Pick<Case, 'id' | 'area' | 'level'>, word: string): boolean {
  const id = word.toUpperCase()
  return one.area === word || one.level === word || one.id === id || one.id.startsWith(`${id}-`)
}

/** The words that choose more than one case. */
export const CHOICES: readonly string[] = [...Object.keys(AREAS), ...LEVELS]
