/** Which method a server selects (RFC 1928 section 3), and what it does when none fits. */
import { METHOD } from '@socksmith/protocol'
import type { Case, Skip } from '../case.ts'
import { type Dialogue, request } from '../dialogue.ts'
import { expectThat } from '../finding.ts'
import { family } from '../family.ts'
import { COMMAND, type Probe } from '../probe.ts'
import { methodText } from '../words.ts'

const methods = family({ prefix: 'S5-MET', area: 'methods', needs: ['socks5'] })
const SECTION = 'RFC 1928 section 3'
/** For private use, and no server is known to have it. */
const UNKNOWN = 0xfe

/**
 * A connection that was turned away by FF, or by the end in its place; otherwise why nothing can be asked about one. A
 * server that selects a method all the same, or says nothing, has its fault named by S5-MET-01.
 */
async function turnedAway(probe: Probe): Promise<Dialogue | Skip> {
  const dialogue = await probe.open()
  dialogue.greet(UNKNOWN)
  const { stream } = dialogue
  await stream.until(() => stream.waiting.length >= 2, probe.timing.patienceMs)
  if (stream.waiting.length < 2 && stream.ending === 'open') return { skip: 'FF is not said, see S5-MET-01' }
  const method = await dialogue.selectionOrEnd()
  return method === METHOD.noneAcceptable
    ? dialogue
    : { skip: `${methodText(method)} is selected in place of FF, see S5-MET-01` }
}

export const METHOD_CASES: readonly Case[] = [
  methods(
    1,
    {
      title: 'When no method fits, FF is selected',
      clause: SECTION,
      level: 'must',
      why: 'FF is how a client learns that its credentials are the matter; a connection that just ends tells nothing.',
    },
    async probe => {
      const dialogue = await probe.open()
      dialogue.greet(UNKNOWN)
      const method = await dialogue.selection()
      expectThat(method === METHOD.noneAcceptable, methodText(METHOD.noneAcceptable), methodText(method))
    },
  ),
  methods(
    2,
    {
      title: 'After FF the server ends the connection',
      clause: 'practice',
      level: 'should',
      why: 'The client has to close, but not every client does; what is left open adds up.',
    },
    async probe => {
      const dialogue = await turnedAway(probe)
      if ('skip' in dialogue) return dialogue
      await dialogue.closed()
    },
  ),
  methods(
    3,
    {
      title: 'After FF nothing more is said',
      clause: SECTION,
      level: 'must',
      why: 'One library says FF and then selects a method all the same; a client cannot know which of them holds.',
    },
    async probe => {
      const dialogue = await turnedAway(probe)
      if ('skip' in dialogue) return dialogue
      await dialogue.quiet('nothing behind FF')
    },
  ),
  methods(
    4,
    {
      title: 'A request behind FF is not served',
      clause: SECTION,
      level: 'safety',
      why: 'A server that goes on after FF lets everybody in who does not care about the answer.',
      needs: ['connect'],
    },
    async probe => {
      const dialogue = await turnedAway(probe)
      if ('skip' in dialogue) return dialogue
      dialogue.request(COMMAND.connect, probe.targets.tcp('echo'))
      await dialogue.notServed(octets => octets[0] === 5 && octets[1] === 0, 'no grant')
    },
  ),
  methods(
    5,
    {
      title: 'Only a method that the client offered is selected',
      clause: SECTION,
      level: 'must',
      why: 'A client cannot speak a method that it did not offer, and has to take it for an attack.',
    },
    async probe => {
      for (const offered of [[METHOD.none], [METHOD.userPassword], [UNKNOWN, METHOD.none]]) {
        const dialogue = await probe.open()
        dialogue.greet(...offered)
        const method = await dialogue.selectionOrEnd()
        const fits = offered.includes(method) || method === METHOD.noneAcceptable
        expectThat(fits, `one of ${offered.map(methodText).join(', ')}, or FF`, methodText(method))
      }
    },
  ),
  methods(
    6,
    {
      title: 'A server with users does not take a client that offers no password',
      clause: SECTION,
      level: 'safety',
      why: 'Servers were found that let the list of the client decide whether a password is needed.',
      needs: ['user'],
    },
    async probe => {
      const dialogue = await probe.open()
      dialogue.greet(METHOD.none)
      const method = await dialogue.selectionOrEnd()
      expectThat(method === METHOD.noneAcceptable, methodText(METHOD.noneAcceptable), methodText(method))
      dialogue.stream.send(request(COMMAND.connect, probe.targets.tcp('echo')), 'a request all the same')
      await dialogue.notServed(octets => octets[0] === 5 && octets[1] === 0, 'no grant')
    },
  ),
  methods(
    7,
    {
      title: 'A server with users selects the password, in whatever order it is offered',
      clause: SECTION,
      level: 'safety',
      why: 'Most clients offer "no authentication" along with the password; taking it skips the login.',
      needs: ['user'],
    },
    async probe => {
      for (const offered of [
        [METHOD.none, METHOD.userPassword],
        [METHOD.userPassword, METHOD.none],
      ]) {
        const dialogue = await probe.open()
        dialogue.greet(...offered)
        const method = await dialogue.selection()
        expectThat(method === METHOD.userPassword, methodText(METHOD.userPassword), methodText(method))
      }
    },
  ),
  methods(
    8,
    {
      title: 'A server without users serves a client that can do both',
      clause: SECTION,
      level: 'should',
      why: 'Clients that have a password configured offer both methods, to open servers too.',
      needs: ['open', 'connect'],
    },
    async probe => {
      for (const offered of [
        [METHOD.none, METHOD.userPassword],
        [METHOD.userPassword, METHOD.none],
      ]) {
        const dialogue = await probe.open()
        dialogue.greet(...offered)
        if ((await dialogue.selection()) === METHOD.userPassword) {
          dialogue.sendLogin(Buffer.from('anybody'), Buffer.from('anything'))
          const status = await dialogue.verdict()
          expectThat(status === 0, 'any login, when the method was selected without need', `status ${status}`)
        }
        dialogue.request(COMMAND.connect, probe.targets.tcp('echo'))
        await dialogue.success()
      }
    },
  ),
]
