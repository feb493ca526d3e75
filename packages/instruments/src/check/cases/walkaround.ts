/** Ways around the password: other protocols and commands of the same server, tried without it. */
import { ANY_IPV4, formatDestination } from '@socksmith/protocol'
import type { Case } from '../case.ts'
import { at } from '../dialogue.ts'
import { expectThat } from '../finding.ts'
import { family } from '../family.ts'
import { COMMAND, type Probe } from '../probe.ts'

const around = family({ prefix: 'WAY', area: 'walkaround', needs: ['auth', 'connect'] })

/** A SOCKS4 request is not granted. */
async function notGranted4(
  probe: Probe,
  options: { readonly userid?: Uint8Array; readonly host?: string },
): Promise<void> {
  const dialogue = await probe.open()
  const place = options.host === undefined ? probe.targets.tcp('echo') : at(ANY_IPV4, probe.targets.port('echo'))
  dialogue.request4(COMMAND.connect, place, options)
  await dialogue.notServed(octets => octets[1] === 90 && octets[0] !== 5, 'no grant')
}

/** An HTTP request head is not answered by a 2xx, nor by what the target would say. */
async function notServedHttp(probe: Probe, head: string): Promise<void> {
  const before = probe.targets.visits('echo').length
  const dialogue = await probe.open()
  dialogue.stream.send(Buffer.from(head), head.split('\r\n', 1)[0])
  await dialogue.notServed(octets => /^HTTP\/1\.[01] 2/.test(Buffer.from(octets).toString('latin1')), 'no 2xx')
  expectThat(probe.targets.visits('echo').length === before, 'no connection to the target', 'a connection')
}

export const WALKAROUND_CASES: readonly Case[] = [
  around(
    1,
    {
      title: 'SOCKS4 does not lead around the password',
      clause: 'practice',
      level: 'safety',
      why: 'SOCKS4 can carry no password; leaving it open next to SOCKS5 with one is an open proxy.',
      needs: ['ipv4'],
    },
    probe => notGranted4(probe, {}),
  ),
  around(
    2,
    {
      title: 'SOCKS4a does not lead around the password',
      clause: 'practice',
      level: 'safety',
      why: 'Servers have two readers for the two forms, and one of them forgets to ask.',
    },
    probe => notGranted4(probe, { host: probe.targets.name }),
  ),
  around(
    3,
    {
      title: 'The name of a user in SOCKS4 does not stand for the password',
      clause: 'practice',
      level: 'safety',
      why: 'A user id is what the client claims; names are no secret.',
      needs: ['ipv4'],
    },
    probe => notGranted4(probe, { userid: probe.proxy.username ?? new Uint8Array(0) }),
  ),
  around(
    4,
    {
      title: 'HTTP CONNECT on the same port does not lead around the password',
      clause: 'RFC 9110 section 9.3.6',
      level: 'safety',
      why: 'Ports that speak several protocols have several doors.',
    },
    probe => {
      const place = formatDestination(probe.targets.tcp('echo'))
      return notServedHttp(probe, `CONNECT ${place} HTTP/1.1\r\nHost: ${place}\r\n\r\n`)
    },
  ),
  around(
    5,
    {
      title: 'A plain HTTP request on the same port does not lead around the password',
      clause: 'RFC 9112 section 3.2.2',
      level: 'safety',
      why: 'Ports that speak several protocols have several doors.',
    },
    probe => {
      const place = formatDestination(probe.targets.tcp('echo'))
      return notServedHttp(probe, `GET http://${place}/ HTTP/1.1\r\nHost: ${place}\r\nConnection: close\r\n\r\n`)
    },
  ),
  around(
    6,
    {
      title: 'BIND and UDP ASSOCIATE are not served without the login',
      clause: 'RFC 1929 section 2',
      level: 'safety',
      why: 'What holds for one command has to hold for each: servers have a way of their own for every command.',
    },
    async probe => {
      for (const command of [COMMAND.bind, COMMAND.udpAssociate]) {
        const dialogue = await probe.open()
        dialogue.greet(dialogue.entryMethod)
        await dialogue.selection()
        dialogue.request(command, probe.targets.tcp('echo'))
        await dialogue.notServed(octets => octets[0] === 5 && octets[1] === 0, 'no grant')
      }
    },
  ),
]
