/** The request and its reply (RFC 1928 sections 4 and 6): form, unknown numbers, and the end after a failure. */
import { fromHex } from '@socksmith/protocol'
import type { Case, Skip } from '../case.ts'
import { at, request, requestForName } from '../dialogue.ts'
import { expectThat } from '../finding.ts'
import { family } from '../family.ts'
import { COMMAND } from '../probe.ts'
import { longOctets } from '../transcript.ts'
import { repText } from '../words.ts'

const requestCase = family({ prefix: 'S5-REQ', area: 'request', needs: ['socks5'] })
const REQUEST = 'RFC 1928 section 4'
const REPLY = 'RFC 1928 section 6'
/** Set aside for private use, and used by nobody. */
const UNKNOWN_COMMAND = 0x7e
const isGrant = (octets: Uint8Array): boolean => octets[0] === 5 && octets[1] === 0

const GRANTS_EVERYTHING: Skip = { skip: 'it says "succeeded" for a target that refuses (S5-REP-01)' }

const REPLY_CASES: readonly Case[] = [
  requestCase(
    1,
    {
      title: 'CONNECT is granted and carries octets both ways',
      clause: REQUEST,
      level: 'must',
      why: 'It is what a proxy is for.',
    },
    async probe => {
      await (await probe.tunnel(probe.targets.tcp('echo'))).echo()
    },
  ),
  requestCase(
    2,
    {
      title: 'RSV in the reply is 00',
      clause: REPLY,
      level: 'must',
      why: 'Fields marked RESERVED must be set to 00; what is not zero cannot be given a meaning later.',
      needs: ['connect'],
    },
    async probe => {
      const dialogue = await probe.enter()
      dialogue.request(COMMAND.connect, probe.targets.tcp('echo'))
      const { reserved } = await dialogue.success()
      expectThat(reserved === 0, 'RSV 00', `RSV ${reserved}`)
    },
  ),
  requestCase(
    3,
    {
      title: 'A request gets one reply',
      clause: REPLY,
      level: 'must',
      why: 'A second one stands in the middle of what the target says.',
      needs: ['connect'],
    },
    async probe => {
      const dialogue = await probe.tunnel(probe.targets.tcp('silent'))
      await dialogue.quiet('nothing behind the reply, for the target says nothing')
    },
  ),
  requestCase(
    4,
    {
      title: 'A failure is a whole reply too, with ATYP, BND.ADDR and BND.PORT',
      clause: REPLY,
      level: 'must',
      why: 'Clients read the reply by its ATYP before they look at REP; half a reply leaves them waiting.',
      needs: ['connect'],
    },
    async probe => {
      const dialogue = await probe.enter()
      dialogue.request(COMMAND.connect, probe.targets.tcp('nobody'))
      const { rep } = await dialogue.reply()
      if (rep === 0) return GRANTS_EVERYTHING
    },
  ),
  requestCase(
    5,
    {
      title: 'After a failure the connection ends within ten seconds',
      clause: REPLY,
      level: 'must',
      why: 'The RFC says so; clients that wait for the end hang, and the server keeps their descriptors.',
      needs: ['connect'],
    },
    async probe => {
      const dialogue = await probe.enter()
      dialogue.request(COMMAND.connect, probe.targets.tcp('nobody'))
      const reply = await dialogue.replyOrEnd()
      if (reply?.rep === 0) return GRANTS_EVERYTHING
      await dialogue.closed()
    },
  ),
  requestCase(
    6,
    {
      title: 'A failure reaches a client that has already sent on',
      clause: REPLY,
      level: 'should',
      why: 'Closing with octets unread makes the kernel send RST, which takes the reply away from the client.',
      needs: ['connect'],
    },
    async probe => {
      const dialogue = await probe.enter()
      dialogue.request(COMMAND.connect, probe.targets.tcp('nobody'), longOctets(16_384))
      const reply = await dialogue.replyOrEnd()
      if (reply?.rep === 0) return GRANTS_EVERYTHING
      const ending = await dialogue.stream.end(probe.timing.closeMs)
      if (reply === undefined && ending === 'fin') return { skip: 'it never says that it failed (S5-REQ-04)' }
      expectThat(ending !== 'reset', 'FIN behind the reply', 'RST, which can overtake it')
    },
  ),
]

const WRONG_NUMBER_CASES: readonly Case[] = [
  requestCase(
    10,
    {
      title: 'An unknown command is answered by REP 07',
      clause: REPLY,
      level: 'must',
      why: 'Clients find out by it what a server can do; silence or another code looks like a broken network.',
    },
    async probe => {
      const dialogue = await probe.enter()
      dialogue.request(UNKNOWN_COMMAND, probe.targets.tcp('echo'))
      await dialogue.refusal([7])
    },
  ),
  requestCase(
    11,
    {
      title: 'Command 00 is answered by REP 07',
      clause: REPLY,
      level: 'should',
      why: 'Zero is the number that a table lookup without a check serves by accident.',
    },
    async probe => {
      const dialogue = await probe.enter()
      dialogue.request(0, probe.targets.tcp('echo'))
      await dialogue.refusal([7])
    },
  ),
  requestCase(
    12,
    {
      title: 'An unknown address type is answered by REP 08',
      clause: REPLY,
      level: 'must',
      why: 'It is the code by which a client knows to try the other family.',
    },
    async probe => {
      const dialogue = await probe.enter()
      dialogue.stream.send(fromHex('050100ff7f0000010050') as Uint8Array, 'a request with ATYP ff')
      await dialogue.refusal([8])
    },
  ),
  requestCase(
    13,
    {
      title: 'Address type 02, which does not exist, is answered by REP 08',
      clause: 'RFC 1928 section 5',
      level: 'should',
      why: 'It stands between the ones that exist, so a comparison with a range serves it.',
    },
    async probe => {
      const dialogue = await probe.enter()
      dialogue.stream.send(fromHex('050100027f0000010050') as Uint8Array, 'a request with ATYP 02')
      await dialogue.refusal([8])
    },
  ),
  requestCase(
    14,
    {
      title: 'When command and address type are both unknown, the command is named',
      clause: 'practice',
      level: 'custom',
      why: 'The command stands first; a client that asks for an extension wants to hear of the command.',
    },
    async probe => {
      const dialogue = await probe.enter()
      dialogue.stream.send(fromHex('057e00ff7f0000010050') as Uint8Array, 'command 7e, ATYP ff')
      await dialogue.refusal([7])
    },
  ),
  requestCase(
    15,
    {
      title: 'A request of version 4 behind a greeting of version 5 is not served',
      clause: REQUEST,
      level: 'should',
      why: 'The two have another layout; whoever takes either reads one as the other.',
      needs: ['connect'],
    },
    async probe => {
      const dialogue = await probe.enter()
      const octets = request(COMMAND.connect, probe.targets.tcp('echo'))
      octets[0] = 4
      dialogue.stream.send(octets, 'a request with VER 4')
      await dialogue.notServed(isGrant, 'no grant')
    },
  ),
  requestCase(
    16,
    {
      title: 'CONNECT to port 0 is refused with a reply',
      clause: 'practice',
      level: 'should',
      why: 'No target listens there; the reply spares the client the wait.',
      needs: ['connect'],
    },
    async probe => {
      const dialogue = await probe.enter()
      dialogue.request(COMMAND.connect, at(probe.targets.address, 0))
      const { rep } = await dialogue.reply()
      expectThat(rep !== 0, 'a failure', repText(rep))
    },
  ),
  requestCase(
    17,
    {
      title: 'A client that finishes in the middle of its request is let go',
      clause: 'practice',
      level: 'should',
      why: 'Nothing can come any more; a server that waits on gives a descriptor away for nothing.',
    },
    async probe => {
      const dialogue = await probe.enter()
      dialogue.stream.send(Uint8Array.of(5, 1, 0, 1, 127), 'half a request')
      dialogue.stream.finish()
      await dialogue.closed()
    },
  ),
  requestCase(
    18,
    {
      title: 'An unknown command for a name gets its reply at once',
      clause: REPLY,
      level: 'should',
      why: 'A server that resolves before it looks at the command makes the client wait for a name that it does not need.',
    },
    async probe => {
      const dialogue = await probe.enter()
      dialogue.stream.send(
        requestForName(UNKNOWN_COMMAND, Buffer.from('name.invalid'), 80),
        'command 7e name.invalid:80',
      )
      await dialogue.refusal([7], probe.timing.patienceMs)
    },
  ),
]

export const REQUEST_CASES: readonly Case[] = [...REPLY_CASES, ...WRONG_NUMBER_CASES]
