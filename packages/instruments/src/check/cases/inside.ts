/**
 * Whether a server on another host lets its clients reach what is inside: itself and its network. Asked by CONNECT; an
 * answer that shows that the server tried is a failure.
 */
import { type Destination, type IpAddress, parseIp } from '@socksmith/protocol'
import type { Case } from '../case.ts'
import { at, named } from '../dialogue.ts'
import { expectThat } from '../finding.ts'
import { family } from '../family.ts'
import { COMMAND, type Probe } from '../probe.ts'
import { repText } from '../words.ts'

const inside = family({ prefix: 'INS', area: 'inside', needs: ['socks5', 'elsewhere'] })
/** discard: whether somebody listens there or not, nothing happens. */
const PORT = 9
/** What a server answers that has tried: success, refused, or no answer from there. */
const TRIED = new Set([0x00, 0x05, 0x06])

async function isClosed(probe: Probe, to: Destination): Promise<void> {
  const dialogue = await probe.enter()
  dialogue.request(COMMAND.connect, to)
  const { rep } = await dialogue.reply()
  expectThat(!TRIED.has(rep), 'a refusal by rule', `${repText(rep)}: it tried`)
}

function literal(text: string): Destination {
  return at(parseIp(text) as IpAddress, PORT)
}

const about = (title: string, why: string): Pick<Case, 'title' | 'why' | 'clause' | 'level'> => ({
  title,
  why,
  clause: 'practice',
  level: 'safety',
})

export const INSIDE_CASES: readonly Case[] = [
  inside(1, about('127.0.0.1 is closed', 'Services on loopback trust whoever reaches them.'), probe =>
    isClosed(probe, literal('127.0.0.1')),
  ),
  inside(
    2,
    about('The name localhost is closed', 'A rule about numbers has to hold for the names that lead to them.'),
    probe => isClosed(probe, named('localhost', PORT)),
  ),
  inside(3, about('::1 is closed', 'Rules are written for IPv4 and forgotten for IPv6.'), probe =>
    isClosed(probe, literal('::1')),
  ),
  inside(4, about('::ffff:127.0.0.1 is closed', 'It is 127.0.0.1 in other octets.'), probe =>
    isClosed(probe, literal('::ffff:127.0.0.1')),
  ),
  inside(5, about('0.0.0.0 and :: are closed', 'Linux takes them for this host.'), async probe => {
    await isClosed(probe, literal('0.0.0.0'))
    await isClosed(probe, literal('::'))
  }),
  inside(
    6,
    about(
      'Other ways to write 127.0.0.1 are closed',
      'Resolvers read 0x7f.1, 127.1 and 2130706433; rules on text do not.',
    ),
    async probe => {
      for (const text of ['127.1', '0x7f.1', '2130706433', '0177.0.0.1']) await isClosed(probe, named(text, PORT))
    },
  ),
  inside(7, about('Private networks are closed', 'They are the inside of whoever runs the server.'), async probe => {
    for (const text of ['10.255.255.254', '172.31.255.254', '192.168.255.254']) await isClosed(probe, literal(text))
  }),
  inside(
    8,
    about('The metadata service of clouds is closed', '169.254.169.254 gives the keys of the machine to whoever asks.'),
    probe => isClosed(probe, literal('169.254.169.254')),
  ),
  inside(
    9,
    about(
      'IPv6 forms of 127.0.0.1 for translators are closed',
      '64:ff9b::/96 and 2002::/16 lead to the IPv4 address inside.',
    ),
    async probe => {
      await isClosed(probe, literal('64:ff9b::7f00:1'))
      await isClosed(probe, literal('2002:7f00:1::1'))
    },
  ),
]
