/** BIND (RFC 1928 section 6): two replies, the right peer and no other. The peers are this host's own addresses. */
import { type Endpoint, type IpAddress, formatAddress, formatDestination, isUnspecified } from '@socksmith/protocol'
import { type Case, NO_STRANGER, type Skip } from '../case.ts'
import { isNotTaken } from '../connection.ts'
import { type Dialogue, at } from '../dialogue.ts'
import { Finding, expectThat } from '../finding.ts'
import { family } from '../family.ts'
import { type OctetStream, pause } from '../octet-stream.ts'
import { COMMAND, type Probe } from '../probe.ts'
import { boundPlace, plainly } from '../relay.ts'
import { longOctets } from '../transcript.ts'

const bind = family({ prefix: 'S5-BIN', area: 'bind', needs: ['socks5', 'bind'] })
const SECTION = 'RFC 1928 section 6'

export interface Waiting {
  readonly dialogue: Dialogue
  /** Where the server listens for the peer. */
  readonly bound: Endpoint
}

/** A BIND that waits for the targets' host as its peer. */
async function waiting(probe: Probe): Promise<Waiting> {
  const dialogue = await probe.enter()
  dialogue.request(COMMAND.bind, at(probe.targets.address, probe.targets.port('echo')))
  const { bound } = await dialogue.success()
  return { dialogue, bound: await boundPlace(probe, bound) }
}

async function joined(
  probe: Probe,
): Promise<{ readonly dialogue: Dialogue; readonly peer: OctetStream; readonly bound: Endpoint }> {
  const { dialogue, bound } = await waiting(probe)
  const peer = await probe.connectAsPeer(bound, dialogue)
  await dialogue.success()
  return { dialogue, peer, bound }
}

const ORDER_CASES: readonly Case[] = [
  bind(
    1,
    {
      title: 'The first reply tells a port to connect to',
      clause: SECTION,
      level: 'must',
      why: 'The client has to tell its peer where to go.',
    },
    async probe => void (await waiting(probe)),
  ),
  bind(
    2,
    {
      title: 'The first reply tells an address to connect to',
      clause: SECTION,
      level: 'should',
      why: '0.0.0.0 means nothing to the peer; only clients that know the old rule put in the address of the server.',
    },
    async probe => {
      const dialogue = await probe.enter()
      dialogue.request(COMMAND.bind, at(probe.targets.address, probe.targets.port('echo')))
      const { bound } = await dialogue.success()
      expectThat(!isUnspecified(plainly(bound).address), 'the address that it listens on', formatDestination(bound))
    },
  ),
  bind(
    3,
    {
      title: 'The second reply comes when the peer has come, not before',
      clause: SECTION,
      level: 'must',
      why: 'It says that there is somebody to talk to.',
    },
    async probe => {
      const { dialogue, bound } = await waiting(probe)
      await dialogue.quiet('no second reply without a peer')
      await probe.connectAsPeer(bound, dialogue)
      await dialogue.success()
    },
  ),
  bind(
    4,
    {
      title: 'The second reply tells the address and port of the peer',
      clause: SECTION,
      level: 'must',
      why: 'It is the only way for the client to know who has come.',
    },
    async probe => {
      const { dialogue, bound } = await waiting(probe)
      const peer = await probe.connectAsPeer(bound, dialogue)
      const second = await dialogue.success()
      const told = formatDestination(plainly(second.bound))
      expectThat(told === peer.localPlace, peer.localPlace, told)
    },
  ),
  bind(
    5,
    {
      title: 'After the second reply octets go both ways',
      clause: SECTION,
      level: 'must',
      why: 'It is what the BIND is for.',
    },
    async probe => {
      const { dialogue, peer } = await joined(probe)
      const data = longOctets(1_000)
      dialogue.stream.send(data, 'to the peer')
      expectThat(
        Buffer.from(await peer.read(data.length, 'what the client sent')).equals(data),
        'the same octets',
        'others',
      )
      peer.send(data, 'from the peer')
      await dialogue.expectOctets(data, 'what the peer sent')
    },
  ),
  bind(
    6,
    {
      title: 'What the peer says first arrives behind the second reply',
      clause: SECTION,
      level: 'must',
      why: 'Octets in front of the reply are taken for the reply; lost ones are the beginning of a file.',
    },
    async probe => {
      const { dialogue, bound } = await waiting(probe)
      const peer = await probe.connectAsPeer(bound, dialogue)
      const data = longOctets(100)
      peer.send(data, 'at once')
      await dialogue.success()
      await dialogue.expectOctets(data, 'what the peer sent')
    },
  ),
]

const PEER_CASES: readonly Case[] = [
  bind(
    10,
    {
      title: 'A peer from another address than DST.ADDR is not joined with the client',
      clause: 'SOCKS4 note, BIND',
      level: 'safety',
      why: 'Whoever finds the open port first would talk to the client in the name of the server it waits for.',
      needs: ['here'],
    },
    async probe => {
      const from = probe.targets.stranger
      if (from === undefined) return NO_STRANGER
      const { dialogue, bound } = await waiting(probe)
      const stranger = await coming(probe, bound, dialogue, from)
      if (stranger === 'not-taken') return
      if ('skip' in stranger) return stranger
      stranger.send(Buffer.from('not for you'), 'from a stranger')
      await dialogue.stream.until(() => dialogue.stream.waiting.length > 0, probe.timing.quietMs)
      const grants = dialogue.stream.waiting[1] === 0
      expectThat(!grants, 'no grant for a stranger', Buffer.from(dialogue.stream.waiting).toString('hex'))
    },
  ),
  bind(
    11,
    {
      title: 'A stranger does not keep the right peer from coming',
      clause: 'practice',
      level: 'custom',
      why: 'Otherwise anybody who scans ports ends the file transfers of others.',
      needs: ['here'],
    },
    async probe => {
      const from = probe.targets.stranger
      if (from === undefined) return NO_STRANGER
      const { dialogue, bound } = await waiting(probe)
      const stranger = await coming(probe, bound, dialogue, from)
      if (stranger !== 'not-taken') {
        if ('skip' in stranger) return stranger
        await stranger.end(probe.timing.patienceMs)
      }
      await probe.connectAsPeer(bound, dialogue)
      const { bound: who } = await dialogue.success()
      expectThat(formatAddress(who.address) !== formatAddress(from), 'the right peer', formatDestination(who))
    },
  ),
  bind(
    12,
    {
      title: 'Only one peer is taken',
      clause: 'practice',
      level: 'should',
      why: 'A port that stays open behind the first peer is an open door that nobody watches.',
    },
    async probe => {
      const { dialogue, bound } = await joined(probe)
      return expectClosedPort(probe, bound, dialogue)
    },
  ),
  bind(
    13,
    {
      title: 'When the client leaves, the port is closed',
      clause: 'practice',
      level: 'should',
      why: 'Ports that stay open for minutes after their client is gone run out.',
    },
    async probe => {
      const { dialogue, bound } = await waiting(probe)
      dialogue.stream.reset()
      // Time for the server to hear of it: there is nothing to wait for.
      await pause(probe.timing.quietMs)
      return expectClosedPort(probe, bound, dialogue)
    },
  ),
  bind(
    14,
    {
      title: 'After the peer finishes, the client can still send',
      clause: 'RFC 9293 section 3.6',
      level: 'should',
      why: 'The end of one direction says nothing about the other.',
    },
    async probe => {
      const { dialogue, peer } = await joined(probe)
      peer.finish()
      await dialogue.stream.end(probe.timing.patienceMs)
      // Time for the server to end the other direction too: there is nothing to wait for.
      await pause(probe.timing.quietMs)
      const data = longOctets(100)
      dialogue.stream.send(data, 'after the FIN of the peer')
      expectThat(
        Buffer.from(await peer.read(data.length, 'what the client sent')).equals(data),
        'the same octets',
        'others',
      )
    },
  ),
]

export const BIND_CASES: readonly Case[] = [...ORDER_CASES, ...PEER_CASES]

/** A connection to where a BIND listens; `not-taken` when the server refuses it, a skip when this host cannot make it. */
async function coming(
  probe: Probe,
  bound: Endpoint,
  of: Dialogue,
  from?: IpAddress,
): Promise<OctetStream | 'not-taken' | Skip> {
  try {
    return await probe.connectAsPeer(bound, of, from)
  } catch (error) {
    if (!(error instanceof Finding)) throw error
    return isNotTaken(error) ? 'not-taken' : { skip: `from this host there is no way to the open port: ${error.got}` }
  }
}

/** Nobody listens there any more, or whoever connects is sent away. */
async function expectClosedPort(probe: Probe, bound: Endpoint, of: Dialogue): Promise<Skip | void> {
  const late = await coming(probe, bound, of)
  if (late === 'not-taken') return
  if ('skip' in late) return late
  const ending = await late.end(probe.timing.patienceMs)
  expectThat(ending !== 'open', 'a closed port', 'a connection that stays')
}
