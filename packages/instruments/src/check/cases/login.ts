/** User name and password (RFC 1929): the form of the exchange, and what follows a login that is wrong. */
import type { Case } from '../case.ts'
import { request } from '../dialogue.ts'
import { Finding, expectThat } from '../finding.ts'
import { NOBODY, SECTION, WRONG, asked, credentialsOf, isGrant, loginCase, statusIfAny } from '../login-step.ts'
import { COMMAND, type Probe } from '../probe.ts'
import { longOctets } from '../transcript.ts'
import { NEARLY_RIGHT_CASES } from './nearly-right-login.ts'

/** The STATUS with which a login is answered; `undefined` is the end in its place. */
async function answerTo(probe: Probe, username: Uint8Array, password: Uint8Array): Promise<number | undefined> {
  const dialogue = await asked(probe)
  dialogue.sendLogin(username, password)
  return dialogue.verdictOrEnd()
}

function answerText(status: number | undefined): string {
  return status === undefined ? 'the end of the connection' : `status ${status}`
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
      // The right one: a server that takes the first octet for the whole login refuses a wrong one too.
      const isWhole = await dialogue.logInOneByOne()
      const status = await dialogue.verdict()
      const got = `status ${status}${isWhole ? '' : ' before the login is whole'}`
      expectThat(isWhole && status === 0, 'status 0 behind the whole login', got)
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
      const long = await answerTo(probe, longOctets(255), longOctets(255))
      if (long !== undefined && long !== 0) return
      // Whoever takes a short one for right too, or ends the connection at it, does not show how much it has read.
      const short = await answerTo(probe, NOBODY, WRONG)
      if (short === long) return { skip: `${answerText(long)} is its answer to a short login too, see S5-LOG-10` }
      throw new Finding(`${answerText(short)}, as for a short login`, answerText(long))
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
      const status = await dialogue.verdictOrEnd()
      if (status === 0) return { skip: 'status 0 says that the login did not fail, see S5-LOG-10' }
      if (status !== undefined) await dialogue.closed()
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
      await statusIfAny(probe, dialogue)
      dialogue.request(COMMAND.connect, probe.targets.tcp('echo'))
      await dialogue.notServed(isGrant, 'no grant')
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
      await dialogue.notServed(isGrant, 'no grant')
    },
  ),
]

const ANSWER_CASES: readonly Case[] = [
  loginCase(
    23,
    {
      title: 'An unknown user and a wrong password get the same answer',
      clause: 'practice',
      level: 'custom',
      why: 'A difference tells a guesser which names exist.',
    },
    async probe => {
      const known = await answerTo(probe, credentialsOf(probe).username, WRONG)
      const unknown = await answerTo(probe, NOBODY, WRONG)
      expectThat(known === unknown, `${answerText(known)} for both`, `${answerText(unknown)} for an unknown user`)
    },
  ),
]

export const LOGIN_CASES: readonly Case[] = [...FORM_CASES, ...REFUSAL_CASES, ...NEARLY_RIGHT_CASES, ...ANSWER_CASES]
