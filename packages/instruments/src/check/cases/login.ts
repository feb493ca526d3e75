/** User name and password (RFC 1929): the form of the exchange, and every way to be let in that must not be one. */
import { METHOD, concat } from '@socksmith/protocol'
import type { Case } from '../case.ts'
import { type Dialogue, login, request } from '../dialogue.ts'
import { expectThat } from '../finding.ts'
import { family } from '../family.ts'
import { COMMAND, type Probe } from '../probe.ts'
import { longOctets, swapCase } from '../transcript.ts'

const loginCase = family({ prefix: 'S5-LOG', area: 'login', needs: ['auth'] })
const SECTION = 'RFC 1929 section 2'
const NUL = Uint8Array.of(0)
const WRONG = Buffer.from('this is not the password')
const NOBODY = Buffer.from('nobody-with-this-name')

interface Credentials {
  readonly username: Uint8Array
  readonly password: Uint8Array
}

function credentialsOf({ proxy }: Probe): Credentials {
  return { username: proxy.username ?? new Uint8Array(0), password: proxy.password ?? new Uint8Array(0) }
}

/** A connection on which the password was selected. */
async function asked(probe: Probe): Promise<Dialogue> {
  const dialogue = await probe.open()
  dialogue.greet(METHOD.userPassword)
  await dialogue.selection()
  return dialogue
}

/** The login that `send` sends is refused: an answer other than 0, or the end without one. */
async function refused(probe: Probe, what: string, send: (dialogue: Dialogue) => void): Promise<void> {
  const dialogue = await asked(probe)
  send(dialogue)
  const { loginMs } = probe.timing
  await dialogue.notServed(octets => octets.length >= 2 && octets[1] === 0, `no login with ${what}`, loginMs)
}

const FORM_CASES: readonly Case[] = [
  loginCase(
    1,
    {
      title: 'The right login is answered by 01 00',
      clause: SECTION,
      level: 'must',
      why: 'VER is the version of the sub-negotiation, 1; clients that look at it refuse 5.',
    },
    async probe => {
      const dialogue = await asked(probe)
      dialogue.logIn()
      const octets = await dialogue.stream.read(2, 'the answer to the login')
      expectThat(Buffer.from(octets).toString('hex') === '0100', '01 00', Buffer.from(octets).toString('hex'))
    },
  ),
  loginCase(
    2,
    {
      title: 'The answer to a login is two octets and nothing more',
      clause: SECTION,
      level: 'must',
      why: 'Whatever stands behind it is taken for the reply to the request.',
    },
    async probe => {
      const dialogue = await asked(probe)
      dialogue.logIn()
      await dialogue.verdict()
      await dialogue.quiet('nothing behind the answer to the login')
    },
  ),
  loginCase(
    3,
    {
      title: 'A login that comes octet by octet is read whole',
      clause: SECTION,
      level: 'must',
      why: 'TCP keeps no borders; servers that take one read for one message fail on slow links.',
    },
    async probe => {
      const dialogue = await asked(probe)
      const { username } = credentialsOf(probe)
      await dialogue.stream.sendOneByOne(login(username, WRONG), 'a wrong login, octet by octet')
      expectThat((await dialogue.verdict()) !== 0, 'a refusal', 'status 0')
    },
  ),
  loginCase(
    4,
    {
      title: 'Names and passwords of 255 octets are read whole',
      clause: SECTION,
      level: 'must',
      why: 'Both lengths are whole octets; a smaller buffer overflows, or leaves octets to be taken for the request.',
    },
    async probe => {
      const dialogue = await asked(probe)
      dialogue.sendLogin(longOctets(255), longOctets(255))
      expectThat((await dialogue.verdict()) !== 0, 'a refusal', 'status 0')
    },
  ),
  loginCase(
    5,
    {
      title: 'Login and request in one segment are both read',
      clause: 'practice',
      level: 'should',
      why: 'Clients that save a round trip send both at once; a server that throws the rest away leaves them waiting.',
      needs: ['connect'],
    },
    async probe => {
      const dialogue = await asked(probe)
      const { username, password } = credentialsOf(probe)
      const tail = request(COMMAND.connect, probe.targets.tcp('echo'))
      dialogue.sendLogin(username, password, { masked: password.length, tail })
      await dialogue.verdict()
      await dialogue.success()
    },
  ),
]

const REFUSAL_CASES: readonly Case[] = [
  loginCase(
    10,
    {
      title: 'A wrong password is refused by a status that is not 0',
      clause: SECTION,
      level: 'must',
      why: 'The status is how a client knows that it is the password and not the network.',
    },
    async probe => {
      const dialogue = await asked(probe)
      dialogue.sendLogin(credentialsOf(probe).username, WRONG)
      expectThat((await dialogue.verdict()) !== 0, 'a status that is not 0', 'status 0')
    },
  ),
  loginCase(
    11,
    {
      title: 'After a failed login the server ends the connection',
      clause: SECTION,
      level: 'must',
      why: 'Otherwise one connection can try passwords without end.',
    },
    async probe => {
      const dialogue = await asked(probe)
      dialogue.sendLogin(credentialsOf(probe).username, WRONG)
      await dialogue.verdict()
      await dialogue.closed()
    },
  ),
  loginCase(
    12,
    {
      title: 'A request after a failed login is not served',
      clause: SECTION,
      level: 'safety',
      why: 'CVE-2023-43644: the login was judged, and the judgement not enforced.',
      needs: ['connect'],
    },
    async probe => {
      const dialogue = await asked(probe)
      dialogue.sendLogin(credentialsOf(probe).username, WRONG)
      await dialogue.verdict()
      dialogue.request(COMMAND.connect, probe.targets.tcp('echo'))
      await dialogue.notServed(octets => octets[0] === 5 && octets[1] === 0, 'no grant')
    },
  ),
  loginCase(
    13,
    {
      title: 'A request in place of the login is not served',
      clause: SECTION,
      level: 'safety',
      why: 'A login that can be left out is none.',
      needs: ['connect'],
    },
    async probe => {
      const dialogue = await asked(probe)
      dialogue.request(COMMAND.connect, probe.targets.tcp('echo'))
      await dialogue.notServed(octets => octets[0] === 5 && octets[1] === 0, 'no grant')
    },
  ),
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
    probe => {
      const { username } = credentialsOf(probe)
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
    probe => {
      const { username, password } = credentialsOf(probe)
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
    probe => {
      const { username, password } = credentialsOf(probe)
      const longer = concat([password, Buffer.from('x')]).subarray(0, 255)
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
    probe => {
      const { username, password } = credentialsOf(probe)
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
    probe => {
      const { username, password } = credentialsOf(probe)
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
      await refused(probe, 'the password in other letters', one => one.sendLogin(username, swapped, options))
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
  loginCase(
    23,
    {
      title: 'An unknown user and a wrong password get the same answer',
      clause: 'practice',
      level: 'custom',
      why: 'A difference tells a guesser which names exist.',
    },
    async probe => {
      const answers: number[] = []
      for (const name of [credentialsOf(probe).username, NOBODY]) {
        const dialogue = await asked(probe)
        dialogue.sendLogin(name, WRONG)
        answers.push(await dialogue.verdict())
      }
      const [known, unknown] = answers
      expectThat(known === unknown, `status ${known} for both`, `status ${unknown} for an unknown user`)
    },
  ),
]

export const LOGIN_CASES: readonly Case[] = [...FORM_CASES, ...REFUSAL_CASES, ...DISGUISE_CASES]
