/**
 * Whether a server on another host lets its clients reach what is inside: itself and its network. Asked by CONNECT; an
 * answer that shows that the server tried is a failure, and one that may stand for either is no verdict.
 */
import { type Destination, type IpAddress, parseIp, unmapped } from '@socksmith/protocol'
import type { Case, Skip } from '../case.ts'
import { at, named } from '../dialogue.ts'
import { expectThat } from '../finding.ts'
import { family } from '../family.ts'
import { COMMAND, type Probe } from '../probe.ts'
import { repText } from '../words.ts'

const inside = family({ prefix: 'INS', area: 'inside', needs: ['socks5', 'elsewhere'] })
/** discard: whether somebody listens there or not, nothing happens. */
const PORT = 9
const SUCCEEDED = 0x00
const REFUSED = 0x05
/** What only a server answers that has tried: refused, or no answer from there. */
const TRIED = new Set([REFUSED, 0x06])
/** What no dial ends in: not allowed by ruleset, address type not supported. */
const NEVER_TRIED = new Set([0x02, 0x08])

/**
 * Where an address leads that is not closed. Nobody drops what a host sends to itself: a try on the server ends in
 * success or in "refused". One on its network may end in any failure, as a rule may.
 */
type Where = 'server' | 'network'

/** REP of an answer, or what came in its place. */
type Answer = number | 'end' | 'silence'

/** Only the code counts: what is wrong with the rest of the reply is for other cases. */
async function answerTo(probe: Probe, to: Destination, limitMs: number): Promise<Answer> {
  const dialogue = await probe.enter()
  const { stream } = dialogue
  dialogue.request(COMMAND.connect, to)
  await stream.until(() => stream.waiting.length >= 2, limitMs)
  const [, rep] = stream.waiting
  if (rep === undefined) return stream.ending === 'open' ? 'silence' : 'end'
  stream.line.meaning(`reply: ${repText(rep)}`)
  return rep
}

/** All of them are refused by rule, as far as that can be told. */
async function areClosed(probe: Probe, where: Where, places: readonly Destination[]): Promise<Skip | void> {
  const { patienceMs, dialMs } = probe.timing
  // What this server says of a failed dial: many say the same of everything.
  const toNobody = await answerTo(probe, probe.targets.tcp('nobody'), patienceMs)
  let skip: Skip | undefined
  for (const place of places) {
    const answer = await answerTo(probe, place, dialMs)
    expectThat(!hasTried(answer, toNobody, where), 'a refusal by rule', `${answerText(answer)}: it tried`)
    if (!isByRule(answer, toNobody, where)) skip ??= unclear(answer, answer === toNobody)
  }
  return skip
}

/** A rule answers at once; whoever waits for the network has asked there. The server itself may be waiting for a name. */
function hasTried(answer: Answer, toNobody: Answer, where: Where): boolean {
  if (answer === 'silence') return where === 'network'
  if (answer === 'end') return false
  return TRIED.has(answer) || (answer === SUCCEEDED && answer !== toNobody)
}

function isByRule(answer: Answer, toNobody: Answer, where: Where): boolean {
  if (answer === toNobody || answer === 'silence') return false
  return (answer !== 'end' && NEVER_TRIED.has(answer)) || (where === 'server' && toNobody === REFUSED)
}

function unclear(answer: Answer, isAsToNobody: boolean): Skip {
  const why = isAsToNobody ? ', as where nobody listens' : ''
  return { skip: `${answerText(answer)}${why}: it may have tried` }
}

function answerText(answer: Answer): string {
  if (answer === 'silence') return 'no answer'
  return answer === 'end' ? 'the end without a reply' : repText(answer)
}

function literal(text: string): Destination {
  return at(parseIp(text) as IpAddress, PORT)
}

/** 10.0.0.0/8, 172.16.0.0/12 and 192.168.0.0/16 (RFC 1918), and fc00::/7 (RFC 4193). */
function isPrivate(address: IpAddress): boolean {
  const { type, octets } = unmapped(address)
  const [first = 0, second = 0] = octets
  if (type === 'ipv6') return (first & 0xfe) === 0xfc
  return first === 10 || (first === 172 && (second & 0xf0) === 16) || (first === 192 && second === 168)
}

const about = (title: string, why: string): Pick<Case, 'title' | 'why' | 'clause' | 'level'> => ({
  title,
  why,
  clause: 'practice',
  level: 'safety',
})

export const INSIDE_CASES: readonly Case[] = [
  inside(1, about('127.0.0.1 is closed', 'Services on loopback trust whoever reaches them.'), probe =>
    areClosed(probe, 'server', [literal('127.0.0.1')]),
  ),
  inside(
    2,
    about('The name localhost is closed', 'A rule about numbers has to hold for the names that lead to them.'),
    probe => areClosed(probe, 'server', [named('localhost', PORT)]),
  ),
  inside(3, about('::1 is closed', 'Rules are written for IPv4 and forgotten for IPv6.'), probe =>
    areClosed(probe, 'server', [literal('::1')]),
  ),
  inside(4, about('::ffff:127.0.0.1 is closed', 'It is 127.0.0.1 in other octets.'), probe =>
    areClosed(probe, 'server', [literal('::ffff:127.0.0.1')]),
  ),
  inside(5, about('0.0.0.0 and :: are closed', 'Linux takes them for this host.'), probe =>
    areClosed(probe, 'server', [literal('0.0.0.0'), literal('::')]),
  ),
  inside(
    6,
    about(
      'Other ways to write 127.0.0.1 are closed',
      'Resolvers read 0x7f.1, 127.1 and 2130706433; rules on text do not.',
    ),
    probe =>
      areClosed(
        probe,
        'server',
        ['127.1', '0x7f.1', '2130706433', '0177.0.0.1'].map(text => named(text, PORT)),
      ),
  ),
  inside(7, about('Private networks are closed', 'They are the inside of whoever runs the server.'), async probe => {
    if (isPrivate(probe.targets.address)) return { skip: 'the targets are in a private network, which it has to reach' }
    return areClosed(probe, 'network', ['10.255.255.254', '172.31.255.254', '192.168.255.254'].map(literal))
  }),
  inside(
    8,
    about('The metadata service of clouds is closed', '169.254.169.254 gives the keys of the machine to whoever asks.'),
    probe => areClosed(probe, 'network', [literal('169.254.169.254')]),
  ),
  inside(
    9,
    about(
      'IPv6 forms of 127.0.0.1 for translators are closed',
      '64:ff9b::/96 and 2002::/16 lead to the IPv4 address inside.',
    ),
    probe => areClosed(probe, 'network', [literal('64:ff9b::7f00:1'), literal('2002:7f00:1::1')]),
  ),
]
