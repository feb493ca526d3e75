/** `socksmith ban`: who is kept out of a running server, asked and changed by its control socket. */
import { type Ban, type BanSubject, clientOfNetwork, subjectText } from '@socksmith/server'
import { type Network, formatNetwork, parseNetwork } from '@socksmith/policy'
import { parseDuration } from '../config/quantities.ts'
import { askControl } from '../control/control-socket.ts'
import type { ControlAnswer, ControlQuestion } from '../control/question.ts'
import { EXIT, type Outcome, done, trouble } from '../exit.ts'
import { print, say } from '../terminal/say.ts'
import { visible } from '../terminal/visible.ts'
import { type ControlFlags, controlPath } from './control-path.ts'

export interface BanFlags extends ControlFlags {
  readonly json?: boolean
}

export interface BanAddFlags extends BanFlags {
  readonly for?: string
  readonly reason?: string
}

/** The bans in force, one a line. */
export async function listBans(flags: BanFlags): Promise<Outcome<void>> {
  const answer = await asked(flags, { ask: 'bans' })
  if (!answer.ok) return answer
  const bans = answer.value.bans ?? []
  if (flags.json === true) print(JSON.stringify({ bans: bans.map(banJson) }, undefined, 2))
  else print(bans.length === 0 ? 'nobody is banned' : bans.map(banLine).join('\n'))
  return done(undefined)
}

/** Bans an address, a network, a user, or a user from an address: new connections and logins are refused, live sessions end. */
export async function addBan(who: string, flags: BanAddFlags): Promise<Outcome<void>> {
  const forMs = flags.for === undefined ? undefined : parseDuration(flags.for)
  if (flags.for !== undefined && (forMs === undefined || forMs === 0)) {
    return trouble(EXIT.USAGE, `--for ${flags.for}: expected a duration such as 30m, 1h or 7d`)
  }
  const subject = subjectOf(who)
  if (!subject.ok) return subject
  const { reason } = flags
  const more = { ...(forMs !== undefined && { forMs }), ...(reason !== undefined && { reason }) }
  return told(flags, await asked(flags, { ask: 'ban', subject: subject.value, ...more }))
}

/** Lets somebody in again, by the words of the list or of `ban add`. */
export async function removeBan(who: string, flags: BanFlags): Promise<Outcome<void>> {
  const subject = subjectOf(who)
  return told(flags, await asked(flags, { ask: 'unban', subject: subject.ok ? subjectText(subject.value) : who }))
}

/**
 * `192.0.2.7` and `2001:db8::/32` are networks, `alice from 192.0.2.7` is a user from there; everything else is a user,
 * also behind the word `user`, and then whatever the name looks like.
 */
function subjectOf(who: string): Outcome<BanSubject> {
  const network = parseNetwork(who)
  if (network !== undefined) return done({ kind: 'network', network: formatNetwork(network) })
  // The last "from" counts, since names may have one too; a user may be called "user".
  const [, name, place] = /^(?!user[ :].* from )(.*) from (\S+)$/s.exec(who) ?? []
  if (name !== undefined && place !== undefined) {
    const from = parseNetwork(place)
    if (from !== undefined) return loginOf(who, name, from)
    if (isLikeNetwork(place)) return trouble(EXIT.USAGE, `${who}: expected an address after "from"`)
  }
  const user = who.replace(/^user[ :]/, '')
  return user === '' || isLikeNetwork(who)
    ? trouble(EXIT.USAGE, `${who}: expected an address, a network or a user name`)
    : done({ kind: 'user', user })
}

function loginOf(who: string, user: string, from: Network): Outcome<BanSubject> {
  const client = clientOfNetwork(from)
  if (client !== undefined) return done({ kind: 'login', client, user })
  const expected = 'a user is banned from one address, or from a /64 of IPv6; for more, ban the network or the user'
  return trouble(EXIT.USAGE, `${who}: ${expected}`)
}

// Mistyped, rather than somebody's name.
function isLikeNetwork(text: string): boolean {
  return /^[0-9.]+(\/[0-9]*)?$|^[0-9a-f:]*:[0-9a-f:]*(\/[0-9]*)?$/i.test(text)
}

async function asked(flags: BanFlags, question: ControlQuestion): Promise<Outcome<ControlAnswer>> {
  const path = await controlPath(flags)
  if (!path.ok) return path
  const answer = await askControl(path.value, question)
  return answer.ok ? answer : trouble(EXIT.UNAVAILABLE, answer.trouble.message)
}

function told(flags: BanFlags, answer: Outcome<ControlAnswer>): Outcome<void> {
  if (!answer.ok) return answer
  const { ok, message } = answer.value
  if (!ok) return trouble(EXIT.DATA, message)
  if (flags.json === true) print(JSON.stringify({ ok, message }))
  else say(message)
  return done(undefined)
}

function banLine({ subject, untilMs, by, reason }: Ban): string {
  const until = untilMs === undefined ? 'for good' : `until ${new Date(untilMs).toISOString()}`
  const why = reason === undefined ? '' : `: ${visible(reason)}`
  return `${visible(subjectText(subject))}  ${until}  by ${by}${why}`
}

function banJson({ subject, sinceMs, untilMs, by, reason }: Ban): object {
  return {
    ...subject,
    since: new Date(sinceMs).toISOString(),
    until: untilMs === undefined ? undefined : new Date(untilMs).toISOString(),
    by,
    reason,
  }
}
