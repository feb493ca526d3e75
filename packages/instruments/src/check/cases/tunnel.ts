/** The tunnel after the reply: half-close in both directions, RST, and that nothing is lost. */
import { concat } from '@socksmith/protocol'
import type { Case } from '../case.ts'
import { type Dialogue, request } from '../dialogue.ts'
import { expectThat } from '../finding.ts'
import { family } from '../family.ts'
import { pause } from '../octet-stream.ts'
import { COMMAND, type Probe } from '../probe.ts'
import { BYE, type Manner, type Visit } from '../targets.ts'
import { longOctets } from '../transcript.ts'

const tunnel = family({ prefix: 'S5-TUN', area: 'tunnel', needs: ['socks5', 'connect'] })
const HALF_CLOSE = 'RFC 9293 section 3.6'
const MEBI = 1_048_576

/** The newest client of a target, once there is one more than `before`. */
async function visitAfter(probe: Probe, manner: Manner, before: number): Promise<Visit> {
  const until = performance.now() + probe.timing.patienceMs
  while (probe.targets.visits(manner).length <= before && performance.now() < until) await pause(5)
  const visit = probe.targets.visits(manner)[before]
  expectThat(visit !== undefined, 'a connection at the target', 'none')
  return visit
}

async function withinPatience<T>(probe: Probe, promise: Promise<T>): Promise<T | 'too late'> {
  return Promise.race([promise, pause(probe.timing.patienceMs).then(() => 'too late' as const)])
}

/** Times the patience that a mebioctet may take in all: whoever is slower than 4 KiB a second is asked in vain. */
const PATIENCES_MAX = 60

/** Waits until `isOver`, for as long as octets move: how fast the way is says nothing about the server. */
async function whileMoving(probe: Probe, { stream }: Dialogue, visit: Visit, isOver: () => boolean): Promise<void> {
  for (let count = 0; count < PATIENCES_MAX && !isOver() && stream.ending === 'open'; count++) {
    const before = visit.octets() + stream.waiting.length
    await stream.until(isOver, probe.timing.patienceMs)
    if (visit.octets() + stream.waiting.length === before) return
  }
}

const HALF_CLOSE_CASES: readonly Case[] = [
  tunnel(
    1,
    {
      title: 'After the client finishes, the answer of the target still arrives',
      clause: HALF_CLOSE,
      level: 'must',
      why: '`ncat < file` and everything like it finish first and read then; their answers are lost.',
    },
    async probe => {
      const dialogue = await probe.tunnel(probe.targets.tcp('answer-after-fin'))
      dialogue.stream.send(longOctets(1_000), 'a question')
      dialogue.stream.finish()
      const answer = Buffer.from(await dialogue.stream.readToEnd()).toString()
      expectThat(answer === '1000 octets\n', 'the answer "1000 octets"', JSON.stringify(answer))
    },
  ),
  tunnel(
    2,
    {
      title: 'After the target finishes, the client can still send',
      clause: HALF_CLOSE,
      level: 'must',
      why: 'The end of one direction says nothing about the other; a server that ends both cuts uploads off.',
    },
    async probe => {
      const before = probe.targets.visits('fin-first').length
      const dialogue = await probe.tunnel(probe.targets.tcp('fin-first'))
      const visit = await visitAfter(probe, 'fin-first', before)
      const bye = Buffer.from(await dialogue.stream.readToEnd())
      expectThat(bye.equals(BYE), 'what the target said before it finished', bye.toString('hex'))
      const data = longOctets(1_000)
      // Time for a server to end the other direction too: there is nothing to wait for.
      await pause(probe.timing.quietMs)
      dialogue.stream.send(data, 'after the FIN of the target')
      dialogue.stream.finish()
      await withinPatience(probe, visit.ended)
      expectThat(visit.octets() === data.length, `${data.length} octets at the target`, `${visit.octets()}`)
    },
  ),
  tunnel(
    3,
    {
      title: 'A finish right behind the request still gets the answer',
      clause: HALF_CLOSE,
      level: 'should',
      why: 'FIN may arrive before the target has answered the dial, and must then be kept for it.',
    },
    async probe => {
      const dialogue = await probe.enter()
      const octets = request(COMMAND.connect, probe.targets.tcp('answer-after-fin'))
      dialogue.stream.send(concat([octets, longOctets(10)]), 'a request and ten octets behind it')
      dialogue.stream.finish()
      await dialogue.success()
      const answer = Buffer.from(await dialogue.stream.readToEnd()).toString()
      expectThat(answer === '10 octets\n', 'the answer "10 octets"', JSON.stringify(answer))
    },
  ),
  tunnel(
    4,
    {
      title: 'When both have finished, the connection is over',
      clause: HALF_CLOSE,
      level: 'should',
      why: 'A tunnel that stays behind holds two descriptors for ever.',
    },
    async probe => {
      const dialogue = await probe.tunnel(probe.targets.tcp('echo'))
      await dialogue.echo()
      dialogue.stream.finish()
      await dialogue.closed(probe.timing.patienceMs)
    },
  ),
]

const CARRYING_CASES: readonly Case[] = [
  tunnel(
    5,
    {
      title: 'A mebioctet goes there and back unchanged',
      clause: 'RFC 1928 section 6',
      level: 'must',
      why: 'Buffers that are full, and writes that take only a part, show with more than one segment.',
    },
    async probe => {
      const before = probe.targets.visits('echo').length
      const dialogue = await probe.tunnel(probe.targets.tcp('echo'))
      const visit = await visitAfter(probe, 'echo', before)
      const octets = longOctets(MEBI)
      dialogue.stream.send(octets, 'a mebioctet')
      await whileMoving(probe, dialogue, visit, () => dialogue.stream.waiting.length >= MEBI)
      await dialogue.expectOctets(octets, 'the same mebioctet')
    },
  ),
  tunnel(
    6,
    {
      title: 'A mebioctet before a finish arrives whole',
      clause: 'RFC 9293 section 3.6',
      level: 'must',
      why: 'Whoever closes with octets still in its buffers cuts the ends of files off.',
    },
    async probe => {
      const before = probe.targets.visits('answer-after-fin').length
      const dialogue = await probe.tunnel(probe.targets.tcp('answer-after-fin'))
      const visit = await visitAfter(probe, 'answer-after-fin', before)
      dialogue.stream.send(longOctets(MEBI), 'a mebioctet')
      dialogue.stream.finish()
      await whileMoving(probe, dialogue, visit, () => dialogue.stream.ending !== 'open')
      const answer = Buffer.from(await dialogue.stream.readToEnd()).toString()
      expectThat(answer === `${MEBI} octets\n`, `the answer "${MEBI} octets"`, JSON.stringify(answer))
    },
  ),
  tunnel(
    7,
    {
      title: 'A target that resets ends the tunnel',
      clause: 'RFC 9293 section 3.5.3',
      level: 'must',
      why: 'A client that is not told waits for an answer that nobody will give.',
    },
    async probe => {
      const dialogue = await probe.tunnel(probe.targets.tcp('reset'))
      dialogue.stream.send(Buffer.from('x'), 'what makes the target reset')
      await dialogue.closed(probe.timing.patienceMs)
    },
  ),
  tunnel(
    8,
    {
      title: 'A target that resets is told by RST, not by FIN',
      clause: 'practice',
      level: 'custom',
      why: 'FIN says that all has been sent; after RST a download is cut, and the client ought to know.',
    },
    async probe => {
      const dialogue = await probe.tunnel(probe.targets.tcp('reset'))
      dialogue.stream.send(Buffer.from('x'), 'what makes the target reset')
      const ending = await dialogue.stream.end(probe.timing.patienceMs)
      expectThat(ending === 'reset', 'RST', ending === 'fin' ? 'FIN' : 'nothing')
    },
  ),
  tunnel(
    9,
    {
      title: 'A client that resets ends the connection to the target',
      clause: 'practice',
      level: 'should',
      why: 'Targets that are not told keep working for a client that is gone.',
    },
    async probe => {
      const before = probe.targets.visits('silent').length
      const dialogue = await probe.tunnel(probe.targets.tcp('silent'))
      const visit = await visitAfter(probe, 'silent', before)
      dialogue.stream.reset()
      const ended = await withinPatience(probe, visit.ended)
      expectThat(ended !== 'too late', 'the end at the target', 'it is open')
    },
  ),
]

export const TUNNEL_CASES: readonly Case[] = [...HALF_CLOSE_CASES, ...CARRYING_CASES]
