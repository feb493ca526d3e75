/** UDP ASSOCIATE under wrong and foreign datagrams (RFC 1928 section 7): who may send, and what is dropped. */
import { type IpAddress, NO_ENDPOINT, concat, encodeSocks5Datagram, fromHex, parseIp } from '@socksmith/protocol'
import { type Association, associate, echoThrough, sample, untilFence } from '../association.ts'
import { type Case, NO_STRANGER } from '../case.ts'
import type { Datagrams } from '../datagrams.ts'
import { Finding, expectThat } from '../finding.ts'
import { pause } from '../octet-stream.ts'
import type { Probe } from '../probe.ts'
import { longOctets } from '../transcript.ts'
import { udp } from './udp.ts'

const SECTION = 'RFC 1928 section 7'
/** RSV, FRAG and ATYP stand before the address, the port behind it. */
const PORT_BEHIND = 4
const OTHER_ADDRESS = parseIp('127.0.0.2') as IpAddress

/** Sends these octets, then a good datagram: the good one is answered, and nothing that was made of the bad one comes. */
async function dropped(probe: Probe, association: Association, octets: Uint8Array, note: string): Promise<void> {
  const { datagrams, relay } = association
  datagrams.send(octets, relay.at, relay.of, note)
  const others = await untilFence(probe, association)
  expectThat(others.length === 0, 'nothing but the answer to the good datagram', sample(others[0]?.octets ?? NOTHING))
}

/** Bad octets on a fresh association that has served already. */
async function isDropped(probe: Probe, octets: Uint8Array, note: string): Promise<void> {
  const association = await associate(probe, NO_ENDPOINT)
  await echoThrough(probe, association, probe.targets.udpEcho(), longOctets(8))
  await dropped(probe, association, octets, note)
}

function withHeader(probe: Probe, change: (octets: Uint8Array) => void): Uint8Array {
  const octets = encodeSocks5Datagram({ frag: 0, destination: probe.targets.udpEcho(), data: Buffer.from('bad one') })
  change(octets)
  return octets
}

/** A good datagram from another address of this host; `undefined` when it cannot be sent from there. */
async function fromStranger(probe: Probe, { relay }: Association, note: string): Promise<Datagrams | undefined> {
  let stranger: Datagrams
  try {
    stranger = await probe.datagrams(OTHER_ADDRESS)
  } catch (error) {
    // Some systems have only one address of 127.0.0.0/8.
    if (error instanceof Finding) return undefined
    throw error
  }
  const octets = withHeader(probe, () => {})
  return (await stranger.sent(octets, relay.at, relay.of, note)) ? stranger : undefined
}

const SENDER_CASES: readonly Case[] = [
  udp(
    40,
    {
      title: 'Datagrams from another address than that of the client are dropped',
      clause: SECTION,
      level: 'safety',
      why: 'The RFC says MUST: otherwise whoever finds the port uses the proxy without a password, or in the name of the client.',
      needs: ['here'],
    },
    async probe => {
      const association = await associate(probe, NO_ENDPOINT)
      await echoThrough(probe, association, probe.targets.udpEcho(), longOctets(8))
      const before = probe.targets.udpCount
      const stranger = await fromStranger(probe, association, 'from 127.0.0.2')
      if (stranger === undefined) return NO_STRANGER
      const answer = await stranger.receive(probe.timing.quietMs)
      expectThat(answer === undefined, 'nothing to the stranger', 'the answer to its datagram')
      expectThat(probe.targets.udpCount === before, 'nothing is carried for the stranger', 'it is carried')
      await echoThrough(probe, association, probe.targets.udpEcho(), longOctets(8))
    },
  ),
  udp(
    41,
    {
      title: 'A stranger who is first does not get the association',
      clause: SECTION,
      level: 'safety',
      why: 'Servers that take the first sender for the client can be had by anybody who is quick.',
      needs: ['here'],
    },
    async probe => {
      const association = await associate(probe, NO_ENDPOINT)
      const before = probe.targets.udpCount
      const stranger = await fromStranger(probe, association, 'from 127.0.0.2, first')
      if (stranger === undefined) return NO_STRANGER
      // Nothing that could be waited for says that it was dropped.
      await pause(probe.timing.quietMs)
      expectThat(probe.targets.udpCount === before, 'nothing is carried for the stranger', 'it is carried')
      await echoThrough(probe, association, probe.targets.udpEcho(), longOctets(8))
    },
  ),
  udp(
    42,
    {
      title: 'Another socket of the client host does not take the association over',
      clause: 'practice',
      level: 'safety',
      why: 'On a shared host, or behind one NAT, it is another person: answers would go to them.',
    },
    async probe => {
      const association = await associate(probe, NO_ENDPOINT)
      await echoThrough(probe, association, probe.targets.udpEcho(), longOctets(8))
      const outside = probe.targets.lastUdpSender
      expectThat(outside !== undefined, 'a datagram at the target', 'none')
      const other = await probe.datagrams()
      const { at, of } = association.relay
      other.send(
        withHeader(probe, () => {}),
        at,
        of,
        'from another socket',
      )
      // Whether it is served by itself is not asked; only that what is meant for the first does not go there.
      await other.receive(probe.timing.quietMs)
      const late = Buffer.from('a late answer to the first socket')
      probe.targets.sendFromUdpEcho(late, outside)
      const answer = await association.datagrams.receive(probe.timing.patienceMs)
      expectThat(answer !== undefined, 'the late answer', 'nothing: it goes to the other socket')
      expectThat(Buffer.from(answer.octets).includes(late), 'the late answer', sample(answer.octets))
    },
  ),
  udp(
    43,
    {
      title: 'Datagrams of hosts that the client never wrote to are not delivered',
      clause: 'practice',
      level: 'custom',
      why: 'Without it anybody can write to the client through the proxy; those who need it can switch it on.',
      needs: ['here'],
    },
    async probe => {
      const { stranger } = probe.targets
      if (stranger === undefined) return NO_STRANGER
      const association = await associate(probe, NO_ENDPOINT)
      await echoThrough(probe, association, probe.targets.udpEcho(), longOctets(8))
      const outside = probe.targets.lastUdpSender
      expectThat(outside !== undefined, 'a datagram at the target', 'none')
      if (!(await probe.targets.sendFrom(stranger, Buffer.from('unasked'), outside))) return NO_STRANGER
      const others = await untilFence(probe, association)
      expectThat(others.length === 0, 'nothing from a stranger', sample(others[0]?.octets ?? NOTHING))
    },
  ),
  udp(
    44,
    {
      title: 'Nothing is carried for somebody who has no association',
      clause: SECTION,
      level: 'safety',
      why: 'Some servers carry datagrams that come to their TCP port number, without any password.',
    },
    async probe => {
      const before = probe.targets.udpCount
      const nobody = await probe.datagrams()
      nobody.send(
        withHeader(probe, () => {}),
        { address: probe.proxyAddress, port: probe.proxy.port },
        undefined,
        'to the port of the server',
      )
      const answer = await nobody.receive(probe.timing.quietMs)
      expectThat(answer === undefined && probe.targets.udpCount === before, 'silence', 'the datagram was carried')
    },
  ),
]

const FRAGMENT_CASES: readonly Case[] = [
  udp(
    50,
    {
      title: 'A fragment is not delivered as if it were a whole datagram',
      clause: SECTION,
      level: 'must',
      why: 'An implementation without fragments MUST drop them; a part delivered as the whole corrupts what it carries.',
    },
    probe =>
      isDropped(
        probe,
        withHeader(probe, octets => void octets.fill(1, 2, 3)),
        'FRAG 01, and never more',
      ),
  ),
  udp(
    51,
    {
      title: 'A last fragment without a first is dropped',
      clause: SECTION,
      level: 'must',
      why: 'It is the end of something that never was.',
    },
    probe =>
      isDropped(
        probe,
        withHeader(probe, octets => void octets.fill(0x85, 2, 3)),
        'FRAG 85, alone',
      ),
  ),
  udp(
    52,
    {
      title: 'Two fragments are put together, or dropped both',
      clause: SECTION,
      level: 'must',
      why: 'Half of a datagram is not a datagram.',
    },
    async probe => {
      const association = await associate(probe, NO_ENDPOINT)
      const { datagrams, relay } = association
      const destination = probe.targets.udpEcho()
      const [first, last] = [Buffer.from('the first half, '), Buffer.from('the second half')]
      datagrams.send(encodeSocks5Datagram({ frag: 0x01, destination, data: first }), relay.at, relay.of, 'FRAG 01')
      datagrams.send(encodeSocks5Datagram({ frag: 0x82, destination, data: last }), relay.at, relay.of, 'FRAG 82')
      const others = await untilFence(probe, association)
      const whole = encodeSocks5Datagram({ frag: 0, destination, data: concat([first, last]) })
      const fits =
        others.length === 0 || (others.length === 1 && Buffer.from(whole).equals(others[0]?.octets ?? NOTHING))
      expectThat(fits, 'both halves as one, or none', sample(others[0]?.octets ?? NOTHING))
    },
  ),
]

const MALFORMED_CASES: readonly Case[] = [
  udp(
    60,
    {
      title: 'A datagram that is too short for its header is dropped, and the association lives on',
      clause: SECTION,
      level: 'should',
      why: 'One bad datagram, forged by anybody, must not end the flows of a client.',
    },
    async probe => {
      const association = await associate(probe, NO_ENDPOINT)
      await echoThrough(probe, association, probe.targets.udpEcho(), longOctets(8))
      for (const hex of ['', '00', '000000', '00000001', '000000017f00', '0000000309']) {
        await dropped(probe, association, fromHex(hex) as Uint8Array, `${hex.length / 2} octets`)
      }
    },
  ),
  udp(
    61,
    {
      title: 'A datagram with an unknown address type is dropped, and the association lives on',
      clause: SECTION,
      level: 'should',
      why: 'One bad datagram, forged by anybody, must not end the flows of a client.',
    },
    probe =>
      isDropped(
        probe,
        withHeader(probe, octets => void octets.fill(0x7f, 3, 4)),
        'ATYP 7f',
      ),
  ),
  udp(
    62,
    {
      title: 'A datagram for a name of no octets is dropped, and the association lives on',
      clause: SECTION,
      level: 'should',
      why: 'Resolvers take the empty name for the host itself.',
    },
    probe => isDropped(probe, fromHex('000000030000356869') as Uint8Array, 'a name of no octets'),
  ),
  udp(
    63,
    {
      title: 'A datagram for port 0 is dropped, and the association lives on',
      clause: 'practice',
      level: 'should',
      why: 'The kernel refuses to send it; whoever does not expect that ends the association.',
    },
    probe => {
      const port = PORT_BEHIND + probe.targets.address.octets.length
      const octets = withHeader(probe, octets => void octets.fill(0, port, port + 2))
      return isDropped(probe, octets, 'port 0')
    },
  ),
  udp(
    64,
    {
      title: 'A datagram whose RSV is not 0 is dropped',
      clause: SECTION,
      level: 'custom',
      why: 'It is not what the RFC draws; taking it gives those two octets away for ever.',
    },
    probe =>
      isDropped(
        probe,
        withHeader(probe, octets => void octets.fill(0xff, 0, 2)),
        'RSV ffff',
      ),
  ),
]

export const UDP_HOSTILE_CASES: readonly Case[] = [...SENDER_CASES, ...FRAGMENT_CASES, ...MALFORMED_CASES]

const NOTHING = new Uint8Array(0)
