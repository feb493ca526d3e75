/** The greeting and the selection (RFC 1928 section 3): their form, in whatever way the octets come. */
import { METHOD } from '@socksmith/protocol'
import type { Case } from '../case.ts'
import { expectThat } from '../finding.ts'
import { family } from '../family.ts'
import { COMMAND } from '../probe.ts'
import { longOctets } from '../transcript.ts'

const greeting = family({ prefix: 'S5-GRE', area: 'greeting', needs: ['socks5'] })
const SECTION = 'RFC 1928 section 3'
/**
 * IANA has assigned none of these. Those for private use, from 80 on, are used: a server rightly takes one of its own
 * whenever it is offered.
 */
const UNASSIGNED_FIRST = 0x0a
const UNASSIGNED_LAST = 0x7f
/** One that is not assigned, and one for private use that no server is known to have. */
const UNKNOWN = [0x7d, 0xfe] as const

/** A selection that is not FF. */
function selectsOne(octets: Uint8Array): boolean {
  return octets.length >= 2 && octets[1] !== METHOD.noneAcceptable
}

export const GREETING_CASES: readonly Case[] = [
  greeting(
    1,
    {
      title: 'A greeting of three octets is answered by a selection with VER 5',
      clause: SECTION,
      level: 'must',
      why: 'Servers that wait for more octets before they look never answer the shortest greeting there is.',
    },
    async probe => {
      const dialogue = await probe.open()
      dialogue.greet(dialogue.entryMethod)
      const method = await dialogue.selection()
      expectThat(method === dialogue.entryMethod, 'the method that was offered', `method ${method}`)
    },
  ),
  greeting(
    2,
    {
      title: 'The server says nothing before the greeting',
      clause: SECTION,
      level: 'must',
      why: 'A client takes the first octets for the selection, so a banner breaks every one of them.',
    },
    async probe => {
      const dialogue = await probe.open()
      await dialogue.quiet('silence before the greeting')
      dialogue.greet(dialogue.entryMethod)
      await dialogue.selection()
    },
  ),
  greeting(
    3,
    {
      title: 'The selection is two octets and nothing more',
      clause: SECTION,
      level: 'must',
      why: 'Whatever stands behind it is taken for the beginning of the next message.',
    },
    async probe => {
      const dialogue = await probe.open()
      dialogue.greet(dialogue.entryMethod)
      await dialogue.selection()
      await dialogue.quiet('nothing behind the selection')
    },
  ),
  greeting(
    4,
    {
      title: 'A greeting with 255 methods is read to its end',
      clause: SECTION,
      level: 'must',
      why: 'NMETHODS is an octet; methods that are left unread are taken for the request.',
      needs: ['connect'],
    },
    async probe => {
      const dialogue = await probe.open()
      const kinds = UNASSIGNED_LAST - UNASSIGNED_FIRST + 1
      const others = Array.from({ length: 254 }, (_, index) => UNASSIGNED_FIRST + (index % kinds))
      dialogue.greet(...others, dialogue.entryMethod)
      await dialogue.afterGreeting()
      dialogue.request(COMMAND.connect, probe.targets.tcp('echo'))
      await dialogue.success()
    },
  ),
  greeting(
    5,
    {
      title: 'Methods that the server does not know are passed over',
      clause: SECTION,
      level: 'must',
      why: 'A client offers all it can do; one unknown number must not cost it the connection.',
    },
    async probe => {
      const dialogue = await probe.open()
      dialogue.greet(...UNKNOWN, dialogue.entryMethod)
      const method = await dialogue.selection()
      expectThat(method === dialogue.entryMethod, 'the one method that both know', `method ${method}`)
    },
  ),
  greeting(
    6,
    {
      title: 'A method that is offered twice does no harm',
      clause: SECTION,
      level: 'should',
      why: 'Some clients write their list from two places.',
    },
    async probe => {
      const dialogue = await probe.open()
      dialogue.greet(dialogue.entryMethod, dialogue.entryMethod)
      const method = await dialogue.selection()
      expectThat(method === dialogue.entryMethod, 'the method that was offered', `method ${method}`)
    },
  ),
  greeting(
    7,
    {
      title: 'An empty list of methods selects none',
      clause: SECTION,
      level: 'should',
      why: 'Nothing was offered, so anything but FF is a method that the client did not ask for.',
    },
    async probe => {
      const dialogue = await probe.open()
      dialogue.greet()
      await dialogue.notServed(selectsOne, 'FF (none acceptable) or the end')
    },
  ),
  greeting(
    8,
    {
      title: 'A first octet that no protocol has ends the connection',
      clause: 'practice',
      level: 'should',
      why: 'A port scanner or a wrong client must not hold a connection open.',
    },
    async probe => {
      const dialogue = await probe.open()
      // Not 06, the next number: that is SOCKS6, and a server that speaks it may wait for the rest.
      dialogue.stream.send(Uint8Array.of(0xff, 0x01, 0x00), 'a greeting of version 255')
      await dialogue.closed()
    },
  ),
  greeting(
    9,
    {
      title: 'A client that finishes in the middle of its greeting is let go',
      clause: 'practice',
      level: 'should',
      why: 'Nothing can come any more; a server that waits on gives a descriptor away for nothing.',
    },
    async probe => {
      const dialogue = await probe.open()
      dialogue.stream.send(Uint8Array.of(5, 2, 0), 'two methods are announced, one is sent')
      dialogue.stream.finish()
      await dialogue.closed()
    },
  ),
  greeting(
    10,
    {
      title: 'Long nonsense does not get an answer that grants anything',
      clause: 'practice',
      level: 'safety',
      why: 'Octets that are no SOCKS at all are how parsers are attacked first.',
    },
    async probe => {
      const dialogue = await probe.open()
      dialogue.stream.send(longOctets(4_096), '4096 octets of nonsense')
      await dialogue.notServed(octets => octets[0] === 5 && octets[1] === 0, 'no selection and no grant')
      const next = await probe.open()
      next.greet(next.entryMethod)
      await next.selection()
    },
  ),
]
