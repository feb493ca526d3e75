/**
 * The targets of the soak, in a process of their own: they can be killed, and do not wait for anybody's test. Tells its parent
 * the ports; `{ names }` says what becomes of DNS questions.
 */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { type AddressInfo, type Socket, createServer } from 'node:net'
import { type DnsRecord, QUESTION_AT, RCODE, TYPE, dnsAnswer, questionOf } from './dns-answer.ts'
import { type FromTargets, type NameService, SOURCE_KEY, type ToTargets } from './target-words.ts'
import { PIECE_OCTETS_MAX, patternOctets } from '../simulation/world/pattern.ts'

/** How late a slow answer comes, in milliseconds. */
const SLOW_MS = 1_500

/** What `steady` sends to each, and how often: 110 KiB a second. */
const STEADY_OCTETS = 11_264
const STEADY_EVERY_MS = 100

let names: NameService = 'good'
/** Octets that `held` and `measured` could hand to the kernel on all their connections. */
let sent = 0
const count = (octets: number): void => void (sent += octets)

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

function pourSteadily(socket: Socket): void {
  let offset = 0
  const timer = setInterval(() => {
    if (socket.writableNeedDrain) return
    const octets = patternOctets(SOURCE_KEY, offset, STEADY_OCTETS)
    offset += octets.length
    socket.write(octets)
  }, STEADY_EVERY_MS)
  socket
    .on('close', () => clearInterval(timer))
    .on('end', () => socket.destroy())
    .resume()
}

function dnsAnswers(query: Buffer): readonly Buffer[] {
  if (names === 'gone') return []
  if (names === 'failing') return [dnsAnswer(query, [], RCODE.serverFailure)]
  const { name, type } = questionOf(query)
  const isKnown = name.endsWith('.good.test')
  const to = (...octets: number[]): readonly DnsRecord[] =>
    type === TYPE.a ? [{ type, data: Buffer.from(octets) }] : []
  const truth = isKnown ? dnsAnswer(query, to(127, 0, 0, 1)) : dnsAnswer(query, [], RCODE.noSuchName)
  if (names !== 'lying') return [truth]
  // Of another question, for another name, cut off, and of no DNS at all; each would lead to a port where nobody is.
  const ofAnother = dnsAnswer(query, to(127, 9, 9, 9))
  ofAnother.writeUInt16BE((query.readUInt16BE(0) + 1) & 0xffff, 0)
  const forAnother = dnsAnswer(query, to(127, 9, 9, 9))
  forAnother[QUESTION_AT + 1] = (forAnother[QUESTION_AT + 1] ?? 0) ^ 1
  return [ofAnother, forAnother, truth.subarray(0, 15), Buffer.from('no answer'), truth]
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
    steady: await listen(pourSteadily),
    held: await listen(socket => pour(socket, count)),
    deaf: await listen(socket => socket.pause()),
    reset: await listen(socket => socket.once('data', () => socket.resetAndDestroy())),
    measured: await listen(socket => socket.once('data', line => pour(socket, count, Number(line.toString())))),
    datagrams: await answerDatagrams(
      octets => [octets],
      () => 0,
    ),
    names: await answerDatagrams(dnsAnswers, () => (names === 'slow' ? SLOW_MS : 0)),
  },
})
