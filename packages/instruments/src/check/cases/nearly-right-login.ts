/** Logins that are nearly right, by which nobody may come in (RFC 1929). */
import { concat } from '@socksmith/protocol'
import type { Case, Skip } from '../case.ts'
import type { Dialogue } from '../dialogue.ts'
import { expectThat } from '../finding.ts'
import { NOBODY, SECTION, asked, credentialsOf, isGrant, loginCase, statusIfAny } from '../login-step.ts'
import { COMMAND, type Probe } from '../probe.ts'
import { swapCase } from '../transcript.ts'

const NUL = Uint8Array.of(0)

/** RFC 1929: one octet tells the length of each. */
const FIELD_OCTETS_MAX = 255
/** The right login at the edge of what can be written: what would be nearly right is right then, or cannot be sent. */
const EMPTY_PASSWORD: Skip = { skip: 'the password in the URL is empty' }
const LONGEST_PASSWORD: Skip = { skip: 'the password in the URL is as long as can be: nothing fits behind it' }
const LONGEST_NAME: Skip = { skip: 'the name in the URL is as long as can be: nothing fits behind it' }

/**
 * The login that `send` sends lets nobody in. Status 0 alone does not show that it did: there are servers that let every
 * login pass, and judge it together with the request.
 */
async function refused(probe: Probe, what: string, send: (dialogue: Dialogue) => void): Promise<Skip | void> {
  const dialogue = await asked(probe)
  send(dialogue)
  if ((await statusIfAny(probe, dialogue)) !== 0) return
  if (!probe.abilities.connect.has)
    return { skip: 'status 0 alone lets nobody in, and there is no CONNECT to show more' }
  dialogue.request(COMMAND.connect, probe.targets.tcp('echo'))
  const { stream } = dialogue
  await stream.until(() => stream.waiting.length >= 2, probe.timing.patienceMs)
  expectThat(!isGrant(stream.waiting), `nobody let in with ${what}`, 'status 0, and REP 00 (succeeded)')
}

const GUESS_CASES: readonly Case[] = [
  loginCase(
    14,
    {
      title: 'An unknown user is refused',
      clause: SECTION,
      level: 'safety',
      why: 'The password of one user must not open the door for every name.',
    },
    probe => {
      const { password } = credentialsOf(probe)
      return refused(probe, 'an unknown user', one => one.sendLogin(NOBODY, password, { masked: password.length }))
    },
  ),
  loginCase(
    15,
    {
      title: 'An empty name with an empty password is refused',
      clause: SECTION,
      level: 'safety',
      why: 'Directories take an empty password for an anonymous login, which succeeds.',
    },
    probe => refused(probe, 'nothing', one => one.sendLogin(new Uint8Array(0), new Uint8Array(0))),
  ),
  loginCase(
    16,
    {
      title: 'The right name with an empty password is refused',
      clause: SECTION,
      level: 'safety',
      why: 'A comparison over the length that the client tells compares nothing.',
    },
    async probe => {
      const { username, password } = credentialsOf(probe)
      if (password.length === 0) return EMPTY_PASSWORD
      return refused(probe, 'an empty password', one => one.sendLogin(username, new Uint8Array(0)))
    },
  ),
  loginCase(
    17,
    {
      title: 'The beginning of the password is not the password',
      clause: SECTION,
      level: 'safety',
      why: 'A comparison over the shorter length lets a password be found octet by octet.',
    },
    async probe => {
      const { username, password } = credentialsOf(probe)
      if (password.length === 0) return EMPTY_PASSWORD
      const start = password.subarray(0, -1)
      const options = { masked: start.length }
      return refused(probe, 'the password without its last octet', one => one.sendLogin(username, start, options))
    },
  ),
  loginCase(
    18,
    {
      title: 'The password with more behind it is not the password',
      clause: SECTION,
      level: 'safety',
      why: 'Old password stores look at the first eight octets only.',
    },
    async probe => {
      const { username, password } = credentialsOf(probe)
      if (password.length === FIELD_OCTETS_MAX) return LONGEST_PASSWORD
      const longer = concat([password, Buffer.from('x')])
      const options = { masked: password.length }
      return refused(probe, 'the password and one octet more', one => one.sendLogin(username, longer, options))
    },
  ),
]

const DISGUISE_CASES: readonly Case[] = [
  loginCase(
    19,
    {
      title: 'A name with NUL behind it is another name',
      clause: SECTION,
      level: 'safety',
      why: 'Programs in C stop at NUL: a ban or a rule for the whole name does not see the user who comes in.',
    },
    async probe => {
      const { username, password } = credentialsOf(probe)
      if (username.length === FIELD_OCTETS_MAX) return LONGEST_NAME
      const name = concat([username, NUL])
      return refused(probe, 'NUL behind the name', one => one.sendLogin(name, password, { masked: password.length }))
    },
  ),
  loginCase(
    20,
    {
      title: 'A password with NUL behind it is another password',
      clause: SECTION,
      level: 'safety',
      why: 'Octets behind NUL that nobody looks at make of one password very many.',
    },
    async probe => {
      const { username, password } = credentialsOf(probe)
      if (password.length === FIELD_OCTETS_MAX) return LONGEST_PASSWORD
      const longer = concat([password, NUL])
      const options = { masked: password.length }
      return refused(probe, 'NUL behind the password', one => one.sendLogin(username, longer, options))
    },
  ),
  loginCase(
    21,
    {
      title: 'The password in other letters, upper for lower, is another password',
      clause: SECTION,
      level: 'safety',
      why: 'A comparison that ignores case takes most of the strength out of a password.',
    },
    async probe => {
      const { username, password } = credentialsOf(probe)
      const swapped = swapCase(password)
      if (Buffer.from(swapped).equals(password)) return { skip: 'the password has no letters' }
      const options = { masked: swapped.length, isCaseSwapped: true as const }
      return refused(probe, 'the password in other letters', one => one.sendLogin(username, swapped, options))
    },
  ),
  loginCase(
    22,
    {
      title: 'A login of another version is refused',
      clause: SECTION,
      level: 'should',
      why: 'VER is 1; whoever takes every number cannot tell a login from a request, which begins with 5.',
    },
    probe => {
      const { username, password } = credentialsOf(probe)
      const options = { masked: password.length, version: 5 }
      return refused(probe, 'version 5 of the login', one => one.sendLogin(username, password, options))
    },
  ),
]

export const NEARLY_RIGHT_CASES: readonly Case[] = [...GUESS_CASES, ...DISGUISE_CASES]
