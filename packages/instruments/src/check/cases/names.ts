/** Address types and names (RFC 1928 section 5), and IPv6. */
import {
  NO_ENDPOINT,
  encodeSocks5Datagram,
  formatAddress,
  formatDestination,
  latin1Octets,
  parseIp,
} from '@socksmith/protocol'
import { type Case, unnamed } from '../case.ts'
import { at, named, requestForName } from '../dialogue.ts'
import { Finding, expectThat } from '../finding.ts'
import { family } from '../family.ts'
import { pause } from '../octet-stream.ts'
import { COMMAND, type Probe } from '../probe.ts'
import { associate } from '../association.ts'
import { isWrongBound, plainly } from '../relay.ts'
import { longOctets } from '../transcript.ts'
import { repText } from '../words.ts'

const names = family({ prefix: 'S5-NAM', area: 'names', needs: ['socks5', 'connect'] })
const ipv6 = family({ prefix: 'S5-IP6', area: 'ipv6', needs: ['socks5', 'ipv6'] })
const SECTION = 'RFC 1928 section 5'

/** CONNECT to a name leads to the echo. */
async function leadsToEcho(probe: Probe, name: string): Promise<void> {
  const dialogue = await probe.enter()
  dialogue.request(COMMAND.connect, named(name, probe.targets.port('echo')))
  await dialogue.success()
  await dialogue.echo()
}

/** CONNECT to a name field with these octets gets a reply that is not a grant. */
async function isRefused(probe: Probe, octets: Uint8Array, note: string): Promise<void> {
  const dialogue = await probe.enter()
  dialogue.stream.send(requestForName(COMMAND.connect, octets, probe.targets.port('echo')), note)
  const { rep } = await dialogue.reply(probe.timing.dialMs)
  expectThat(rep !== 0, 'a failure', repText(rep))
}

const NAME_CASES_ALL: readonly Case[] = [
  names(
    1,
    {
      title: 'A name is resolved by the server',
      clause: SECTION,
      level: 'must',
      why: 'Names that only the proxy can resolve are why people use it, and no look-up leaks to the network of the client.',
    },
    async probe => unnamed(probe) ?? leadsToEcho(probe, probe.targets.name),
  ),
  names(
    2,
    {
      title: 'A name in upper case is the same name',
      clause: 'RFC 4343',
      level: 'should',
      why: 'Names are compared without case everywhere else.',
      needs: ['name'],
    },
    async probe => unnamed(probe) ?? leadsToEcho(probe, probe.targets.name.toUpperCase()),
  ),
  names(
    3,
    {
      title: 'An IPv4 address written as a name is that address',
      clause: 'practice',
      level: 'should',
      why: 'Many clients put whatever the user typed into the name field.',
      needs: ['here', 'ipv4'],
    },
    probe => leadsToEcho(probe, formatAddress(probe.targets.address)),
  ),
  names(
    4,
    {
      title: 'A name of no octets gets a failure as its reply',
      clause: SECTION,
      level: 'should',
      why: 'Resolvers take the empty name for the host itself.',
    },
    probe => isRefused(probe, new Uint8Array(0), 'CONNECT to a name of no octets'),
  ),
  names(
    5,
    {
      title: 'A name of 255 octets is read to its end',
      clause: SECTION,
      level: 'must',
      needs: ['name'],
      why: 'A shorter buffer overruns: CVE-2023-38545 is that mistake in a client.',
    },
    async probe => {
      const ask = async (name: Uint8Array): Promise<boolean> => {
        const dialogue = await probe.enter()
        const note = `CONNECT to a name of ${name.length} octets that does not exist`
        dialogue.stream.send(requestForName(COMMAND.connect, name, 80), note)
        return (await dialogue.replyOrEnd(probe.timing.dialMs)) !== undefined
      }
      if (!(await ask(latin1Octets('short.invalid')))) return { skip: 'it never says that a name does not exist' }
      const isAnswered = await ask(latin1Octets(`${`${'a'.repeat(60)}.`.repeat(5).slice(0, 247)}.invalid`))
      expectThat(isAnswered, 'a reply, as to a short name', 'the end without one')
    },
  ),
  names(
    6,
    {
      title: 'A name with NUL in it does not lead to what stands before the NUL',
      clause: 'practice',
      level: 'safety',
      why: 'The rule looks at the whole name and the resolver stops at NUL: a list of allowed names is passed by.',
      needs: ['here'],
    },
    async probe => {
      const before = probe.targets.visits('echo').length
      for (const start of [formatAddress(probe.targets.address), 'localhost']) {
        const dialogue = await probe.enter()
        const name = latin1Octets(`${start}\0.allowed.example`)
        const octets = requestForName(COMMAND.connect, name, probe.targets.port('echo'))
        dialogue.stream.send(octets, `CONNECT to ${start}, NUL, .allowed.example`)
        const reply = await dialogue.replyOrEnd(probe.timing.dialMs)
        // Some servers grant everything; the target knows who has come.
        if (reply?.rep === 0) await pause(probe.timing.quietMs)
        expectThat(probe.targets.visits('echo').length === before, `no connection to ${start}`, 'a connection')
      }
    },
  ),
  names(
    7,
    {
      title: 'A name with a blank or control octets gets a failure as its reply',
      clause: 'practice',
      level: 'custom',
      why: 'Such names end up in logs and in the next protocol, where they mean something.',
    },
    async probe => {
      await isRefused(probe, latin1Octets('local host'), 'CONNECT to a name with a blank')
      await isRefused(probe, latin1Octets('local\r\nhost'), 'CONNECT to a name with a line end')
    },
  ),
  names(
    8,
    {
      title: 'Octets that are no text get a failure as their reply',
      clause: 'practice',
      level: 'custom',
      why: 'Programs that turn them into text by force may crash, or resolve another name.',
    },
    probe => isRefused(probe, Uint8Array.of(0xff, 0xfe, 0xc0, 0x80), 'CONNECT to octets that are not UTF-8'),
  ),
  names(
    9,
    {
      title: 'IPv4 inside IPv6 (::ffff:a.b.c.d) is that IPv4 address',
      clause: 'practice',
      level: 'custom',
      why: 'Clients with dual-stack sockets write every IPv4 address so.',
      needs: ['here', 'ipv6'],
    },
    async probe => {
      const mapped = parseIp(`::ffff:${formatAddress(probe.targets.address)}`)
      if (mapped === undefined) return { skip: 'the targets are not at an IPv4 address' }
      await (await probe.tunnel(at(mapped, probe.targets.port('echo')))).echo()
    },
  ),
]

const IPV6_CASES_ALL: readonly Case[] = [
  ipv6(
    1,
    {
      title: 'CONNECT with ATYP 04 carries octets both ways',
      clause: SECTION,
      level: 'must',
      why: 'It is one of the three address types of the RFC.',
    },
    async probe => {
      await (await probe.tunnel(at(address6(probe), probe.targets.port('echo')))).echo()
    },
  ),
  ipv6(
    2,
    {
      title: 'BND of a CONNECT over IPv6 is not a wrong address: the real one, or zeros',
      clause: 'RFC 1928 section 6',
      level: 'should',
      why: 'An IPv6 address cut to four octets is another host.',
    },
    async probe => {
      const dialogue = await probe.enter()
      dialogue.request(COMMAND.connect, at(address6(probe), probe.targets.port('who')))
      const { bound } = await dialogue.success()
      const seen = Buffer.from(await dialogue.stream.readToEnd())
        .toString()
        .trim()
      const said = plainly(bound)
      const isWrong = isWrongBound(probe, said, seen, address6(probe))
      expectThat(!isWrong, `${seen} or zeros`, formatDestination(said))
    },
  ),
  ipv6(
    3,
    {
      title: 'An IPv6 address written as a name is that address',
      clause: 'practice',
      level: 'custom',
      why: 'Many clients put whatever the user typed into the name field.',
    },
    probe => leadsToEcho(probe, formatAddress(address6(probe))),
  ),
  ipv6(
    4,
    {
      title: 'A target over IPv6 that refuses is told by REP 05',
      clause: 'RFC 1928 section 6',
      level: 'should',
      why: 'Reply codes must not depend on the family.',
    },
    async probe => {
      const dialogue = await probe.enter()
      dialogue.request(COMMAND.connect, at(address6(probe), probe.targets.port('nobody')))
      await dialogue.refusal([5])
    },
  ),
  ipv6(
    5,
    {
      title: 'Datagrams go to IPv6 targets and come back with ATYP 04',
      clause: 'RFC 1928 section 7',
      level: 'should',
      why: 'QUIC and DNS use both families; an association has to carry both.',
      needs: ['udp'],
    },
    async probe => {
      const { datagrams, relay } = await associate(probe, NO_ENDPOINT)
      const destination = at(address6(probe), probe.targets.udpEcho().port)
      const data = longOctets(24)
      datagrams.send(encodeSocks5Datagram({ frag: 0, destination, data }), relay.at, relay.of, 'to the IPv6 echo')
      const answer = await datagrams.receive(probe.timing.patienceMs)
      if (answer === undefined) throw new Finding('the answer of the echo', 'nothing')
      const expected = Buffer.from(encodeSocks5Datagram({ frag: 0, destination, data }))
      expectThat(expected.equals(answer.octets), expected.toString('hex'), Buffer.from(answer.octets).toString('hex'))
    },
  ),
]

export const NAME_CASES: readonly Case[] = NAME_CASES_ALL
export const IPV6_CASES: readonly Case[] = IPV6_CASES_ALL

function address6({ targets }: Probe): NonNullable<typeof targets.address6> {
  if (targets.address6 === undefined) throw new Finding('targets over IPv6', 'none')
  return targets.address6
}
