/**
 * The targets of the soak, in a process of their own: they can be killed, and do not wait for anybody's test. Tells its parent
 * the ports; `{ names }` says what becomes of DNS questions.
 */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { type AddressInfo, type Socket, createServer } from 'node:net'
import { type FromTargets, type NameService, SOURCE_KEY, type ToTargets } from './target-words.ts'
import { PIECE_OCTETS_MAX, patternOctets } from '../simulation/world/pattern.ts'

/** How late a slow answer comes, in milliseconds. */
const SLOW_MS = 1_500

let names: NameService = 'good'
/** Octets that `held` could hand to the kernel on all its connections. */
let sent = 0

async function listen(serve: (socket: Socket) => void): Promise<number> {
  const server = createServer({ allowHalfOpen: true }, socket => {
    socket.on('error', () => {})
    serve(socket)
  })
  server.listen({ port: 0, host: '127.0.0.1', backlog: 4_096 })
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

async function answerDatagrams(answer: (octets: Buffer) => readonly Buffer[], lateMs: () => number): Promise<number> {
  const socket = createSocket({ type: 'udp4', recvBufferSize: 1 << 22 })
  socket.on('message', (octets, from) => {
    const answers = answer(octets)
    const send = (): void => {
      for (const one of answers) socket.send(one, from.port, from.address)
    }
    const wait = lateMs()
    if (wait === 0) send()
    else setTimeout(send, wait)
  })
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  return socket.address().port
}

/** Sends the pattern, and FIN behind so many octets. */
function pour(socket: Socket, count: (octets: number) => void = () => {}, total = Infinity): void {
  let offset = 0
  const more = (): void => {
    while (!socket.destroyed && !socket.writableNeedDrain && offset < total) {
      const octets = patternOctets(SOURCE_KEY, offset, Math.min(PIECE_OCTETS_MAX, total - offset))
      offset += octets.length
      socket.write(octets, error => {
        if (!error) count(octets.length)
      })
    }
    if (offset === total) socket.end()
  }
  socket
    .on('drain', more)
    .on('end', () => socket.destroy())
    .resume()
  more()
}

// RFC 1035 section 4.1: the header is 12 octets, the question's name ends with an empty label.
const QUESTION_AT = 12
const TYPE_A = 1
const SERVFAIL = 2
const NXDOMAIN = 3

function dnsAnswers(query: Buffer): readonly Buffer[] {
  if (names === 'gone') return []
  const nameEnd = query.indexOf(0, QUESTION_AT) + 1
  const question = query.subarray(QUESTION_AT, nameEnd + 4)
  const isKnown = query.toString('latin1', QUESTION_AT, nameEnd).toLowerCase().endsWith('\u{4}good\u{4}test\0')
  const wantsA = query.readUInt16BE(nameEnd) === TYPE_A
  if (names === 'failing') return [dnsAnswer(query, question, SERVFAIL)]
  const truth = isKnown
    ? dnsAnswer(query, question, 0, wantsA ? [127, 0, 0, 1] : undefined)
    : dnsAnswer(query, question, NXDOMAIN)
  if (names !== 'lying') return [truth]
  // Of another question, for another name, cut off, and of no DNS at all; each would lead to a port where nobody is.
  const false1 = dnsAnswer(query, question, 0, wantsA ? [127, 9, 9, 9] : undefined)
  false1.writeUInt16BE((query.readUInt16BE(0) + 1) & 0xffff, 0)
  const false2 = Buffer.from(dnsAnswer(query, question, 0, wantsA ? [127, 9, 9, 9] : undefined))
  false2[QUESTION_AT + 1] = (false2[QUESTION_AT + 1] ?? 0) ^ 1
  return [false1, false2, truth.subarray(0, 15), Buffer.from('no answer'), truth]
}

function dnsAnswer(query: Buffer, question: Buffer, code: number, address?: readonly number[]): Buffer {
  const header = Buffer.of(query[0] ?? 0, query[1] ?? 0, 0x85, 0x80 | code, 0, 1, 0, address ? 1 : 0, 0, 0, 0, 0)
  // The answer's name points at the question's; class IN, no second to keep it.
  const record = address && Buffer.of(0xc0, QUESTION_AT, 0, TYPE_A, 0, 1, 0, 0, 0, 0, 0, 4, ...address)
  return Buffer.concat(record ? [header, question, record] : [header, question])
}

const tell = (message: FromTargets): void => void process.send?.(message)

process.on('message', (message: ToTargets) => {
  if (message === 'sent') tell({ sent })
  else {
    names = message.names
    tell({ names })
  }
})
process.on('disconnect', () => process.exit())

tell({
  ports: {
    echo: await listen(socket => socket.pipe(socket)),
    spare: await listen(socket => socket.pipe(socket)),
    source: await listen(socket => pour(socket)),
    held: await listen(socket => pour(socket, octets => (sent += octets))),
    deaf: await listen(socket => socket.pause()),
    reset: await listen(socket => socket.once('data', () => socket.resetAndDestroy())),
    measured: await listen(socket => socket.once('data', line => pour(socket, () => {}, Number(line.toString())))),
    datagrams: await answerDatagrams(
      octets => [octets],
      () => 0,
    ),
    names: await answerDatagrams(dnsAnswers, () => (names === 'slow' ? SLOW_MS : 0)),
  },
})
