/** CONNECT by SOCKS4 and SOCKS4a: the form of requests and replies, and names. */
import { ANY_IPV4, concat } from '@socksmith/protocol'
import { type Case, unnamed } from '../case.ts'
import { type Dialogue, at, request4 } from '../dialogue.ts'
import { expectThat } from '../finding.ts'
import { family } from '../family.ts'
import { pause } from '../octet-stream.ts'
import { COMMAND, type Probe } from '../probe.ts'
import { HELLO } from '../targets.ts'
import { longOctets } from '../transcript.ts'

const socks4 = family({ prefix: 'S4', area: 'socks4', needs: ['socks4'] })
const socks4a = family({ prefix: 'S4A', area: 'socks4', needs: ['socks4a'] })
const NOTE = 'SOCKS4 note'
const NOTE_4A = 'SOCKS4a note'
const SEGMENTS_APART_MS = 5

async function granted(
  probe: Probe,
  manner: Parameters<Probe['targets']['tcp']>[0],
  userid?: Uint8Array,
): Promise<Dialogue> {
  const dialogue = await probe.open()
  dialogue.request4(COMMAND.connect, probe.targets.tcp(manner), userid === undefined ? {} : { userid })
  await dialogue.granted4()
  return dialogue
}

/** A 4a request for `host` is granted and leads to the echo. */
async function leadsToEcho(probe: Probe, host: string): Promise<void> {
  const dialogue = await probe.open()
  dialogue.request4(COMMAND.connect, at(ANY_IPV4, probe.targets.port('echo')), { host })
  await dialogue.granted4()
  await dialogue.echo()
}

const CONNECT_CASES: readonly Case[] = [
  socks4(
    1,
    {
      title: 'CONNECT is granted with code 90 and carries octets both ways',
      clause: `${NOTE}, CONNECT`,
      level: 'must',
      why: 'The number is decimal; 0x90 is a mistake that has been made.',
    },
    async probe => (await granted(probe, 'echo')).echo(),
  ),
  socks4(
    2,
    {
      title: 'VN of the reply is 0',
      clause: `${NOTE}, CONNECT`,
      level: 'must',
      why: 'It is the version of the reply, not that of the protocol; strict clients refuse 4.',
    },
    async probe => {
      const dialogue = await probe.open()
      dialogue.request4(COMMAND.connect, probe.targets.tcp('echo'))
      const { version } = await dialogue.reply4()
      expectThat(version === 0, 'VN 0', `VN ${version}`)
    },
  ),
  socks4(
    3,
    {
      title: 'The reply is eight octets; what the target says stands right behind',
      clause: `${NOTE}, CONNECT`,
      level: 'must',
      why: 'A longer or shorter reply shifts everything that follows.',
    },
    async probe => (await granted(probe, 'speaks-first')).expectOctets(HELLO, 'what the target says first'),
  ),
  socks4(
    4,
    {
      title: 'A target that refuses is told by code 91',
      clause: `${NOTE}, CONNECT`,
      level: 'must',
      why: 'A client that is told "granted" reports a broken target.',
    },
    async probe => {
      const dialogue = await probe.open()
      dialogue.request4(COMMAND.connect, probe.targets.tcp('nobody'))
      const { code } = await dialogue.reply4()
      expectThat(code === 91, 'code 91', `code ${code}`)
    },
  ),
  socks4(
    5,
    {
      title: 'After a rejection the server ends the connection',
      clause: `${NOTE}, CONNECT`,
      level: 'must',
      why: 'The note says "immediately"; what stays open adds up.',
    },
    async probe => {
      const dialogue = await probe.open()
      dialogue.request4(COMMAND.connect, probe.targets.tcp('nobody'))
      await dialogue.stream.until(() => dialogue.stream.waiting.length >= 2, probe.timing.patienceMs)
      if (dialogue.stream.waiting[1] === 90) return { skip: 'it grants a target that refuses (S4-04)' }
      await dialogue.closed()
    },
  ),
  socks4(
    6,
    {
      title: 'A user id of 255 octets is read to its end',
      clause: `${NOTE}, CONNECT`,
      level: 'should',
      why: 'Clients send names and tickets there; what a short buffer leaves is taken for data.',
    },
    async probe => (await granted(probe, 'echo', Buffer.alloc(255, 'u'))).echo(),
  ),
  socks4(
    7,
    {
      title: 'A request that comes octet by octet is read whole',
      clause: 'RFC 9293 section 3.8',
      level: 'must',
      why: 'Servers that take one read for one message fail on slow and on busy links, now and then.',
    },
    async probe => {
      const dialogue = await probe.open()
      const octets = request4(COMMAND.connect, probe.targets.tcp('echo'), Buffer.from('fred'))
      await dialogue.stream.sendOneByOne(octets, 'a SOCKS4 request, octet by octet')
      await dialogue.granted4()
      await dialogue.echo()
    },
  ),
  socks4(
    8,
    {
      title: 'Octets behind the request reach the target',
      clause: 'practice',
      level: 'should',
      why: 'A client may send its first data with the request.',
    },
    async probe => {
      const dialogue = await probe.open()
      const tail = longOctets(100)
      dialogue.request4(COMMAND.connect, probe.targets.tcp('echo'), { tail })
      await dialogue.granted4()
      await dialogue.expectOctets(tail, 'the early octets back from the echo')
    },
  ),
  socks4(
    9,
    {
      title: 'An unknown command is rejected',
      clause: NOTE,
      level: 'should',
      why: 'Silence looks like a broken network.',
    },
    async probe => {
      const dialogue = await probe.open()
      dialogue.request4(0x7e, probe.targets.tcp('echo'))
      await dialogue.rejected4()
    },
  ),
  socks4(
    10,
    {
      title: '0.0.0.0 is rejected, and not waited on for a name',
      clause: NOTE_4A,
      level: 'should',
      why: '4a is 0.0.0.x with x not 0; a server that looks at three octets only waits for ever.',
    },
    async probe => {
      const dialogue = await probe.open()
      dialogue.request4(COMMAND.connect, at(ANY_IPV4, probe.targets.port('echo')))
      await dialogue.notServed(octets => octets[1] === 90, 'no grant')
      expectThat(
        dialogue.stream.waiting.length > 0 || dialogue.stream.ending !== 'open',
        'code 91 or the end',
        'silence',
      )
    },
  ),
  socks4(
    11,
    {
      title: 'A user id without an end does not go on for ever',
      clause: 'practice',
      level: 'safety',
      why: 'Reading until NUL without a limit gives all memory to whoever sends none.',
    },
    async probe => {
      const dialogue = await probe.open()
      dialogue.stream.send(Uint8Array.of(4, 1, 0, 80, 127, 0, 0, 1), 'a SOCKS4 request')
      dialogue.stream.send(Buffer.alloc(262_144, 'u'), 'and 256 KiB of user id')
      await dialogue.stream.until(() => dialogue.stream.waiting.length >= 2, probe.timing.patienceMs)
      const isOver = dialogue.stream.ending !== 'open' || dialogue.stream.waiting[1] === 91
      expectThat(isOver, 'code 91 or the end', 'it reads on')
    },
  ),
]

const NAME_CASES: readonly Case[] = [
  socks4a(
    1,
    {
      title: 'A name is resolved by the server',
      clause: NOTE_4A,
      level: 'must',
      why: 'It is what 4a adds.',
    },
    async probe => unnamed(probe) ?? leadsToEcho(probe, probe.targets.name),
  ),
  socks4a(
    2,
    {
      title: 'A name that does not exist is told by code 91',
      clause: NOTE_4A,
      level: 'must',
      why: 'A client that is told "granted" sends its request to nobody.',
    },
    async probe => {
      const dialogue = await probe.open()
      dialogue.request4(COMMAND.connect, at(ANY_IPV4, 80), { host: 'socksmith-check.invalid' })
      const { code } = await dialogue.reply4(probe.timing.dialMs)
      expectThat(code === 91, 'code 91', `code ${code}`)
    },
  ),
  socks4a(
    3,
    {
      title: 'A request that is cut inside the name is read whole',
      clause: 'RFC 9293 section 3.8',
      level: 'must',
      why: 'Half a name is another name.',
    },
    async probe => {
      const dialogue = await probe.open()
      const octets = request4(
        COMMAND.connect,
        at(ANY_IPV4, probe.targets.port('echo')),
        Buffer.from('fred'),
        probe.targets.name,
      )
      dialogue.stream.send(octets.subarray(0, -5), 'a 4a request, cut inside the name')
      await pause(SEGMENTS_APART_MS)
      dialogue.stream.send(octets.subarray(-5))
      await dialogue.granted4()
      await dialogue.echo()
    },
  ),
  socks4a(
    4,
    {
      title: 'A name of no octets is rejected',
      clause: NOTE_4A,
      level: 'should',
      why: 'Resolvers take the empty name for the host itself.',
    },
    async probe => {
      const dialogue = await probe.open()
      dialogue.request4(COMMAND.connect, at(ANY_IPV4, probe.targets.port('echo')), { host: '' })
      await dialogue.rejected4()
    },
  ),
  socks4a(
    5,
    {
      title: 'A name without an end does not go on for ever',
      clause: 'practice',
      level: 'safety',
      why: 'Reading until NUL without a limit gives all memory to whoever sends none.',
    },
    async probe => {
      const dialogue = await probe.open()
      dialogue.stream.send(Uint8Array.of(4, 1, 0, 80, 0, 0, 0, 1, 0), 'a 4a request')
      dialogue.stream.send(Buffer.alloc(262_144, 'n'), 'and 256 KiB of name')
      await dialogue.stream.until(() => dialogue.stream.waiting.length >= 2, probe.timing.patienceMs)
      const isOver = dialogue.stream.ending !== 'open' || dialogue.stream.waiting[1] === 91
      expectThat(isOver, 'code 91 or the end', 'it reads on')
    },
  ),
  socks4a(
    6,
    {
      title: 'Octets behind the name reach the target',
      clause: 'practice',
      level: 'should',
      why: 'Servers without 4a take the name for data; those with it must not take data for the name.',
    },
    async probe => {
      const dialogue = await probe.open()
      const tail = longOctets(100)
      const place = at(ANY_IPV4, probe.targets.port('echo'))
      dialogue.stream.send(
        concat([request4(COMMAND.connect, place, undefined, probe.targets.name), tail]),
        'a 4a request and 100 octets',
      )
      await dialogue.granted4()
      await dialogue.expectOctets(tail, 'the early octets back from the echo')
    },
  ),
]

export const SOCKS4_CASES: readonly Case[] = [...CONNECT_CASES, ...NAME_CASES]
