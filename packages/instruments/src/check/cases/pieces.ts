/** Octets that come split, glued or early: TCP keeps no borders between messages. */
import { METHOD, concat } from '@socksmith/protocol'
import { type Case, unnamed } from '../case.ts'
import { greeting, named, request } from '../dialogue.ts'
import { expectThat } from '../finding.ts'
import { family } from '../family.ts'
import { pause } from '../octet-stream.ts'
import { COMMAND } from '../probe.ts'
import { HELLO } from '../targets.ts'
import { longOctets } from '../transcript.ts'
import { methodText } from '../words.ts'

const pieces = family({ prefix: 'S5-PIE', area: 'pieces', needs: ['socks5', 'connect'] })
const STREAM = 'RFC 9293 section 3.8'

export const PIECES_CASES: readonly Case[] = [
  pieces(
    1,
    {
      title: 'A greeting that comes octet by octet is read whole',
      clause: STREAM,
      level: 'must',
      why: 'Servers that take one read for one message fail on slow and on busy links, now and then.',
    },
    async probe => {
      const dialogue = await probe.open()
      await dialogue.stream.sendOneByOne(greeting([dialogue.entryMethod]), 'a greeting, octet by octet')
      const method = await dialogue.selection()
      expectThat(method === dialogue.entryMethod, methodText(dialogue.entryMethod), methodText(method))
    },
  ),
  pieces(
    2,
    {
      title: 'A request that comes octet by octet is read whole',
      clause: STREAM,
      level: 'must',
      why: 'Servers that take one read for one message fail on slow and on busy links, now and then.',
    },
    async probe => {
      const dialogue = await probe.enter()
      await dialogue.stream.sendOneByOne(
        request(COMMAND.connect, probe.targets.tcp('echo')),
        'a request, octet by octet',
      )
      await dialogue.success()
      await dialogue.echo()
    },
  ),
  pieces(
    3,
    {
      title: 'A request that is cut anywhere in two is read whole',
      clause: STREAM,
      level: 'must',
      why: 'Servers that read the fixed part first and the address by a second read stumble over one of the cuts.',
    },
    async probe => {
      const octets = request(COMMAND.connect, probe.targets.tcp('echo'))
      for (let cut = 1; cut < octets.length; cut++) {
        const dialogue = await probe.enter()
        dialogue.stream.send(octets.subarray(0, cut), `a request, cut after ${cut} octets`)
        await pause(SEGMENTS_APART_MS)
        dialogue.stream.send(octets.subarray(cut))
        await dialogue.success()
      }
    },
  ),
  pieces(
    4,
    {
      title: 'A request for a name that is cut inside the name is read whole',
      clause: STREAM,
      level: 'must',
      why: 'The length octet tells how much is still to come; half a name is another name.',
      needs: ['name'],
    },
    async probe => {
      const skip = unnamed(probe)
      if (skip !== undefined) return skip
      const dialogue = await probe.enter()
      const octets = request(COMMAND.connect, named(probe.targets.name, probe.targets.port('echo')))
      dialogue.stream.send(octets.subarray(0, 9), 'a request, cut inside the name')
      await pause(SEGMENTS_APART_MS)
      dialogue.stream.send(octets.subarray(9))
      await dialogue.success()
      await dialogue.echo()
    },
  ),
  pieces(
    5,
    {
      title: 'Greeting and request in one segment are both read',
      clause: 'practice',
      level: 'should',
      why: 'Clients that save a round trip send both at once; a server that throws the rest away leaves them waiting.',
      needs: ['open'],
    },
    async probe => {
      const dialogue = await probe.open()
      const octets = concat([greeting([METHOD.none]), request(COMMAND.connect, probe.targets.tcp('echo'))])
      dialogue.stream.send(octets, 'greeting and request at once')
      await dialogue.selection()
      await dialogue.success()
      await dialogue.echo()
    },
  ),
  pieces(
    6,
    {
      title: 'Octets behind the request reach the target',
      clause: 'practice',
      level: 'should',
      why: 'A client may send its first data with the request; lost octets show as a request that is never answered.',
    },
    async probe => {
      const dialogue = await probe.enter()
      const early = longOctets(100)
      dialogue.request(COMMAND.connect, probe.targets.tcp('echo'), early)
      await dialogue.success()
      await dialogue.expectOctets(early, 'the early octets back from the echo')
    },
  ),
  pieces(
    7,
    {
      title: 'Sixteen kibioctets behind the request reach the target, in order and before what follows',
      clause: 'practice',
      level: 'should',
      why: 'A TLS greeting with large keys is that long; what is kept must not overflow, nor be overtaken.',
    },
    async probe => {
      const dialogue = await probe.enter()
      const early = longOctets(16_384)
      dialogue.request(COMMAND.connect, probe.targets.tcp('echo'), early)
      await dialogue.success()
      const late = Buffer.from('and what was sent after the reply')
      dialogue.stream.send(late, 'after the reply')
      await dialogue.expectOctets(concat([early, late]), 'early and late octets, in order')
    },
  ),
  pieces(
    8,
    {
      title: 'What a target says first arrives right behind the reply',
      clause: 'RFC 1928 section 6',
      level: 'must',
      why: 'SSH, SMTP and FTP servers speak first; octets that come with the end of the dial are easily lost.',
    },
    async probe => {
      const dialogue = await probe.tunnel(probe.targets.tcp('speaks-first'))
      await dialogue.expectOctets(HELLO, 'what the target says first')
    },
  ),
  pieces(
    9,
    {
      title: 'Greeting, request and data all come octet by octet',
      clause: STREAM,
      level: 'must',
      why: 'Each border between two messages is a place where octets can be lost.',
      needs: ['open'],
    },
    async probe => {
      const dialogue = await probe.open()
      const data = Buffer.from('data')
      const octets = concat([greeting([METHOD.none]), request(COMMAND.connect, probe.targets.tcp('echo')), data])
      await dialogue.stream.sendOneByOne(octets, 'everything, octet by octet')
      await dialogue.selection()
      await dialogue.success()
      await dialogue.expectOctets(data, 'the data back from the echo')
    },
  ),
]

/** Long enough that the server reads the first part by itself. */
const SEGMENTS_APART_MS = 5
