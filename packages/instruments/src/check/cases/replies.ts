/** Which REP says which cause, and what BND.ADDR and BND.PORT say (RFC 1928 section 6). */
import {
  ANY_IPV4,
  type Destination,
  formatAddress,
  formatDestination,
  isUnspecified,
  parseIp,
} from '@socksmith/protocol'
import type { Case } from '../case.ts'
import { type Dialogue, type Reply, at, named } from '../dialogue.ts'
import { expectThat } from '../finding.ts'
import { family } from '../family.ts'
import { pause } from '../octet-stream.ts'
import { COMMAND, type Probe } from '../probe.ts'
import { isWrongBound, plainly } from '../relay.ts'
import { repText } from '../words.ts'

const replies = family({ prefix: 'S5-REP', area: 'replies', needs: ['socks5', 'connect'] })
const bound = family({ prefix: 'S5-BND', area: 'bound', needs: ['socks5'] })
const SECTION = 'RFC 1928 section 6'
/** RFC 6761: never exists. */
const NO_NAME = 'socksmith-check.invalid'
/** TCP to a multicast address: the kernel itself says that there is no way, without sending anything. */
const NO_WAY = parseIp('224.0.0.1') as NonNullable<ReturnType<typeof parseIp>>
const ASSIGNED_MAX = 8

async function ask(probe: Probe, command: number, to: Parameters<Dialogue['request']>[1]): Promise<Reply> {
  const dialogue = await probe.enter()
  dialogue.request(command, to)
  return dialogue.reply(probe.timing.dialMs)
}

/** As `ask`, of a server that may also end the connection without a word. */
async function askOrEnd(
  probe: Probe,
  command: number,
  to: Parameters<Dialogue['request']>[1],
): Promise<Reply | undefined> {
  const dialogue = await probe.enter()
  dialogue.request(command, to)
  return dialogue.replyOrEnd(probe.timing.dialMs)
}

const CODE_CASES: readonly Case[] = [
  replies(
    1,
    {
      title: 'Success is said only when the target has answered',
      clause: SECTION,
      level: 'must',
      why: 'A client that is told "succeeded" does not try the next address, and reports a broken target instead.',
    },
    async probe => {
      const reply = await askOrEnd(probe, COMMAND.connect, probe.targets.tcp('nobody'))
      expectThat(reply?.rep !== 0, 'a failure, since nobody listens there', repText(0))
    },
  ),
  replies(
    2,
    {
      title: 'A target that refuses is told by REP 05',
      clause: SECTION,
      level: 'should',
      why: '"Nobody listens" and "no way there" call for different repairs.',
    },
    async probe => {
      const { rep } = await ask(probe, COMMAND.connect, probe.targets.tcp('nobody'))
      expectThat(rep === 5, repText(5), repText(rep))
    },
  ),
  replies(
    3,
    {
      title: 'A name that does not exist is told by REP 04',
      clause: 'practice',
      level: 'custom',
      why: 'It is the code that most servers use; 01 looks like a fault of the proxy.',
      needs: ['name'],
    },
    async probe => {
      const { rep } = await ask(probe, COMMAND.connect, named(NO_NAME, 80))
      expectThat(rep === 4, repText(4), repText(rep))
    },
  ),
  replies(
    4,
    {
      title: 'A name that does not exist is not granted',
      clause: SECTION,
      level: 'must',
      why: 'A client that is told "succeeded" sends its request to nobody.',
      needs: ['name'],
    },
    async probe => {
      const reply = await askOrEnd(probe, COMMAND.connect, named(NO_NAME, 80))
      expectThat(reply?.rep !== 0, 'a failure', repText(0))
    },
  ),
  replies(
    5,
    {
      title: 'A target to which there is no way is told by REP 03, or 02 or 04',
      clause: SECTION,
      level: 'custom',
      why: '01 and 05 send people to look for the fault in the wrong place.',
    },
    async probe => {
      const { rep } = await ask(probe, COMMAND.connect, at(NO_WAY, 9))
      expectThat([2, 3, 4].includes(rep), `${repText(3)}, 02 or 04`, repText(rep))
    },
  ),
  replies(
    6,
    {
      title: 'Failures have the codes that the RFC assigns',
      clause: SECTION,
      level: 'must',
      why: 'Clients cannot tell anything about a number above 08.',
    },
    async probe => {
      for (const to of [probe.targets.tcp('nobody'), at(NO_WAY, 9)]) {
        const reply = await askOrEnd(probe, COMMAND.connect, to)
        if (reply === undefined) return { skip: 'it never says that it failed (S5-REQ-04)' }
        expectThat(reply.rep <= ASSIGNED_MAX, 'a code from 00 to 08', repText(reply.rep))
      }
    },
  ),
  replies(
    7,
    {
      title: 'The server does not connect to its own listener',
      clause: 'practice',
      level: 'safety',
      why: 'A chain of a proxy to itself uses all its descriptors up from one connection and a few octets for each.',
      needs: ['here'],
    },
    async probe => {
      const dialogue = await probe.enter()
      dialogue.request(COMMAND.connect, at(probe.proxyAddress, probe.proxy.port))
      const reply = await dialogue.replyOrEnd(probe.timing.dialMs)
      if (reply?.rep !== 0) return
      // Some servers grant everything; whether it has connected shows when it answers a greeting from within.
      dialogue.greet(dialogue.entryMethod)
      await dialogue.notServed(octets => octets[0] === 5, 'no answer from within')
    },
  ),
  replies(
    8,
    {
      title: '0.0.0.0 does not stand for the server itself',
      clause: 'practice',
      level: 'safety',
      why: 'Linux connects 0.0.0.0 to localhost, so a rule about 127.0.0.0/8 is passed by.',
      needs: ['here', 'ipv4'],
    },
    async probe => {
      const before = probe.targets.visits('echo').length
      const place = at(ANY_IPV4, probe.targets.port('echo'))
      const reply = await askOrEnd(probe, COMMAND.connect, place)
      if (reply?.rep === 0) await pause(probe.timing.quietMs)
      expectThat(probe.targets.visits('echo').length === before, 'no connection to this host', 'a connection')
    },
  ),
]

const BOUND_CASES: readonly Case[] = [
  bound(
    1,
    {
      title: 'BND of a CONNECT is not a wrong address: the real one, or zeros',
      clause: SECTION,
      level: 'should',
      why: 'Some servers write the address of the target or of their own listener there, which is worse than nothing.',
      needs: ['connect'],
    },
    async probe => {
      const { said, seen } = await boundAndSeen(probe)
      const isWrong = isWrongBound(probe, said, seen, probe.targets.address)
      expectThat(!isWrong, `${seen} or zeros`, formatDestination(said))
    },
  ),
  bound(
    2,
    {
      title: 'BND of a CONNECT is the address by which the target sees the server',
      clause: SECTION,
      level: 'custom',
      why: 'Protocols such as FTP tell their peer where they come from, and only the proxy knows.',
      // Behind NAT the proxy does not know either.
      needs: ['connect', 'here'],
    },
    async probe => {
      const { said, seen } = await boundAndSeen(probe)
      expectThat(formatDestination(said) === seen, seen, formatDestination(said))
    },
  ),
  bound(
    3,
    {
      title: 'BND.ADDR is a number and not a name',
      clause: 'practice',
      level: 'custom',
      why: 'Many clients read ten octets whatever ATYP says, and stall or misread on a name.',
      needs: ['connect'],
    },
    async probe => {
      const { bound: told } = await ask(probe, COMMAND.connect, probe.targets.tcp('echo'))
      expectThat(told.address.type !== 'domain', 'ATYP 01 or 04', `a name, ${formatAddress(told.address)}`)
    },
  ),
  bound(
    4,
    {
      title: 'BND.ADDR of an association is an address that can be written to',
      clause: 'RFC 1928 section 7',
      level: 'should',
      why: 'Clients that take 0.0.0.0 at its word send their datagrams to themselves.',
      needs: ['udp'],
    },
    async probe => {
      const { bound: told } = await ask(probe, COMMAND.udpAssociate, at(ANY_IPV4, 0))
      expectThat(!isUnspecified(plainly(told).address), 'the address of the relay', formatDestination(told))
    },
  ),
  bound(
    5,
    {
      title: 'BND.PORT of an association is a port',
      clause: 'RFC 1928 section 7',
      level: 'must',
      why: 'It is where the client MUST send its datagrams.',
      needs: ['udp'],
    },
    async probe => {
      const { bound: told } = await ask(probe, COMMAND.udpAssociate, at(ANY_IPV4, 0))
      expectThat(told.port !== 0, 'a port', '0')
    },
  ),
]

export const REPLY_CASES: readonly Case[] = CODE_CASES
export const BND_CASES: readonly Case[] = BOUND_CASES

/** What the reply says, and what the target sees. */
async function boundAndSeen(probe: Probe): Promise<{ readonly said: Destination; readonly seen: string }> {
  const dialogue = await probe.enter()
  dialogue.request(COMMAND.connect, probe.targets.tcp('who'))
  const { bound: said } = await dialogue.success()
  const seen = Buffer.from(await dialogue.stream.readToEnd())
    .toString()
    .trim()
  return { said: plainly(said), seen }
}
