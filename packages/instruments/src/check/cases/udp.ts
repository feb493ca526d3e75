/** UDP ASSOCIATE (RFC 1928 section 7): what is carried, and how it is labelled. */
import { NO_ENDPOINT, encodeSocks5Datagram } from '@socksmith/protocol'
import { associate, echoThrough, sample, sendThrough } from '../association.ts'
import { type Case, unnamed } from '../case.ts'
import { at, named } from '../dialogue.ts'
import { expectThat } from '../finding.ts'
import { family } from '../family.ts'
import { pause } from '../octet-stream.ts'
import { COMMAND } from '../probe.ts'
import { relayOf } from '../relay.ts'
import { longOctets } from '../transcript.ts'

export const udp: ReturnType<typeof family> = family({ prefix: 'S5-UDP', area: 'udp', needs: ['socks5', 'udp'] })
const SECTION = 'RFC 1928 section 7'

const CARRYING_CASES: readonly Case[] = [
  udp(
    1,
    {
      title: 'Datagrams reach an IPv4 target, and its answers come back with a right header',
      clause: SECTION,
      level: 'must',
      why: 'It is what an association is for: RSV 0000, FRAG 00, ATYP 01, who sent it, the data.',
    },
    async probe => {
      await echoThrough(probe, await associate(probe, NO_ENDPOINT), probe.targets.udpEcho(), longOctets(64))
    },
  ),
  udp(
    2,
    {
      title: 'Each answer is labelled with the host and port that sent it',
      clause: SECTION,
      level: 'must',
      why: 'Servers that write the first target, the relay or the client there mix up the answers of two servers.',
    },
    async probe => {
      const association = await associate(probe, NO_ENDPOINT)
      await echoThrough(probe, association, probe.targets.udpEcho(), Buffer.from('to the first'))
      await echoThrough(probe, association, probe.targets.udpEcho2(), Buffer.from('to the second'))
      await echoThrough(probe, association, probe.targets.udpEcho(), Buffer.from('to the first again'))
    },
  ),
  udp(
    3,
    {
      title: 'Datagrams may name their target',
      clause: SECTION,
      level: 'must',
      why: 'ATYP 03 is one of the three types of the header; names that only the proxy resolves need it.',
      needs: ['name'],
    },
    async probe => {
      const skip = unnamed(probe)
      if (skip !== undefined) return skip
      const association = await associate(probe, NO_ENDPOINT)
      const data = longOctets(32)
      sendThrough(association, named(probe.targets.name, probe.targets.udpEcho().port), data, 'to a name')
      const answer = await association.datagrams.receive(probe.timing.dialMs)
      expectThat(answer !== undefined, 'the answer of the echo', 'nothing')
      expectThat(Buffer.from(answer.octets).subarray(-data.length).equals(data), 'the data', sample(answer.octets))
    },
  ),
  udp(
    4,
    {
      title: 'The answer to a named target is labelled with an address',
      clause: 'practice',
      level: 'custom',
      why: 'Several clients cannot read a name there, and drop the answer.',
      needs: ['name'],
    },
    async probe => {
      const association = await associate(probe, NO_ENDPOINT)
      sendThrough(association, named(probe.targets.name, probe.targets.udpEcho().port), longOctets(32), 'to a name')
      const answer = await association.datagrams.receive(probe.timing.dialMs)
      expectThat(answer !== undefined, 'the answer of the echo', 'nothing')
      expectThat(answer.octets[3] === 1 || answer.octets[3] === 4, 'ATYP 01 or 04', `ATYP ${answer.octets[3]}`)
    },
  ),
  udp(
    5,
    {
      title: 'A datagram without data is carried',
      clause: SECTION,
      level: 'should',
      why: 'Empty datagrams are legal; some protocols use them to keep a way open.',
    },
    async probe => {
      await echoThrough(probe, await associate(probe, NO_ENDPOINT), probe.targets.udpEcho(), new Uint8Array(0))
    },
  ),
  udp(
    6,
    {
      title: 'A datagram of 8,192 octets is carried whole',
      clause: SECTION,
      level: 'should',
      why: 'Servers were found that cut datagrams at 2,048 octets without a word, which corrupts what they carry.',
      // It takes fragments of IP, which many ways between hosts drop.
      needs: ['here'],
    },
    async probe => {
      await echoThrough(probe, await associate(probe, NO_ENDPOINT), probe.targets.udpEcho(), longOctets(8_192))
    },
  ),
  udp(
    7,
    {
      title: 'A datagram of 60,000 octets is carried whole',
      clause: SECTION,
      level: 'custom',
      why: 'IP allows 65,507; whoever cannot carry it must not deliver a part.',
      needs: ['here'],
    },
    async probe => {
      await echoThrough(probe, await associate(probe, NO_ENDPOINT), probe.targets.udpEcho(), longOctets(60_000))
    },
  ),
  udp(
    8,
    {
      title: 'An association whose client declares its own address and port serves it',
      clause: 'RFC 1928 section 6',
      level: 'must',
      why: 'DST of the request is where the client sends from; servers that take it for the target serve nobody.',
    },
    async probe => {
      const first = await probe.datagrams()
      const dialogue = await probe.enter()
      dialogue.request(COMMAND.udpAssociate, first.local)
      const relay = await relayOf(probe, dialogue, await dialogue.success())
      const association = { dialogue, datagrams: first, relay }
      await echoThrough(probe, association, probe.targets.udpEcho(), longOctets(64))
    },
  ),
]

const LIFE_CASES: readonly Case[] = [
  udp(
    20,
    {
      title: 'The connection stays open while the association lives',
      clause: 'RFC 1928 section 6',
      level: 'must',
      why: 'Its end is the end of the association: a client takes it at its word.',
    },
    async probe => {
      const association = await associate(probe, NO_ENDPOINT)
      await echoThrough(probe, association, probe.targets.udpEcho(), longOctets(64))
      await association.dialogue.quiet('silence on the connection')
      expectThat(association.dialogue.stream.ending === 'open', 'an open connection', 'its end')
    },
  ),
  udp(
    21,
    {
      title: 'When the connection ends, the association ends',
      clause: 'RFC 1928 section 6',
      level: 'must',
      why: 'A relay that stays behind serves whoever gets the port of the client next.',
    },
    async probe => {
      const association = await associate(probe, NO_ENDPOINT)
      await echoThrough(probe, association, probe.targets.udpEcho(), longOctets(64))
      association.dialogue.stream.reset()
      // Time for the server to hear of it: there is nothing to wait for.
      await pause(probe.timing.quietMs)
      const before = probe.targets.udpCount
      sendThrough(association, probe.targets.udpEcho(), Buffer.from('too late'), 'after the end of the connection')
      const answer = await association.datagrams.receive(probe.timing.quietMs)
      expectThat(answer === undefined && probe.targets.udpCount === before, 'nothing is carried', 'it is carried')
    },
  ),
  udp(
    22,
    {
      title: 'Octets on the connection do not end the association',
      clause: 'practice',
      level: 'custom',
      why: 'They have no meaning there; clients that send some to keep the connection alive lose their association.',
    },
    async probe => {
      const association = await associate(probe, NO_ENDPOINT)
      association.dialogue.stream.send(Buffer.from('means nothing'), 'on the connection')
      await association.dialogue.quiet('no answer to them')
      await echoThrough(probe, association, probe.targets.udpEcho(), longOctets(64))
    },
  ),
  udp(
    23,
    {
      title: 'A target that refuses does not end the association',
      clause: 'practice',
      level: 'should',
      why: 'The kernel reports it as an error of the socket; whoever ends on it loses all other flows of the client.',
    },
    async probe => {
      const association = await associate(probe, NO_ENDPOINT)
      const nobody = at(probe.targets.address, probe.targets.port('nobody'))
      sendThrough(association, nobody, Buffer.from('to nobody'), 'to a port where nobody listens')
      await association.dialogue.quiet('silence on the connection')
      await echoThrough(probe, association, probe.targets.udpEcho(), longOctets(64))
    },
  ),
  udp(
    24,
    {
      title: 'Two associations at once get their own answers each',
      clause: SECTION,
      level: 'must',
      why: 'Two programs of one host use the same proxy.',
    },
    async probe => {
      const one = await associate(probe, NO_ENDPOINT)
      const two = await associate(probe, NO_ENDPOINT)
      sendThrough(one, probe.targets.udpEcho(), Buffer.from('of the first'), 'on the first association')
      sendThrough(two, probe.targets.udpEcho(), Buffer.from('of the second'), 'on the second association')
      for (const [association, text] of [
        [one, 'of the first'],
        [two, 'of the second'],
      ] as const) {
        const answer = await association.datagrams.receive(probe.timing.patienceMs)
        const expected = encodeSocks5Datagram({
          frag: 0,
          destination: probe.targets.udpEcho(),
          data: Buffer.from(text),
        })
        expectThat(answer !== undefined, `the answer ${text}`, 'nothing')
        expectThat(Buffer.from(answer.octets).equals(expected), sample(expected), sample(answer.octets))
      }
    },
  ),
]

export const UDP_CASES: readonly Case[] = [...CARRYING_CASES, ...LIFE_CASES]
