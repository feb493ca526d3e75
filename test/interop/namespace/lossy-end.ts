/**
 * One end of a bad line (see lossy-network.test.ts): targets for the other end, and clients of the other's. Answers each task
 * with a line. Knows neither where the line is nor what it does with packets.
 */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { type Socket, connect as connectDirectly, createServer } from 'node:net'
import { createInterface } from 'node:readline'
import { buffer, text } from 'node:stream/consumers'
import { setInterval } from 'node:timers/promises'
import { SocksError, connect, createUdpSocket, listen } from '@socksmith/client'
import {
  type Answer,
  BIND_OCTETS,
  DATAGRAMS,
  type DatagramCounts,
  NOBODY,
  OCTETS,
  STREAMS,
  type Task,
} from './lossy-task.ts'

const ECHO = 7_000
const CALL_BACK = 7_001
/** The last does not fit into a packet, and crosses in fragments. */
const DATAGRAM_OCTETS = [4, 10, 100, 500, 1_000, 1_400, 4_000]
const BETWEEN_DATAGRAMS_MS = 5

await startTargets()
process.stdout.write('ready\n')
for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(await perform(JSON.parse(line) as Task))}\n`)
}
process.exit()

async function perform({ kind, via, host }: Task): Promise<Answer> {
  const streams = Promise.all(Array.from({ length: STREAMS }, (_, seed) => timeOfStream(via, host, seed)))
  if (kind === 'streams') return { streams: (await streams).filter(ms => ms !== undefined) }
  const rest = [bind(via, host), datagrams(via, host), fallSilent(via, host)] as const
  const [whole, said, came] = await Promise.all([streams, ...rest])
  return { streams: whole.filter(ms => ms !== undefined), bind: said, datagrams: came }
}

/** Streams and datagrams come back; who names an address on the other port is called there, and told how that went. */
async function startTargets(): Promise<void> {
  const echo = createServer({ allowHalfOpen: true }, socket => socket.pipe(socket))
  const caller = createServer({ allowHalfOpen: true }, socket => void callBack(socket))
  const datagram = createSocket('udp4', (payload, from) => datagram.send(payload, from.port, from.address))
  datagram.bind(ECHO)
  echo.listen(ECHO)
  caller.listen(CALL_BACK)
  await Promise.all([datagram, echo, caller].map(server => once(server, 'listening')))
}

async function callBack(control: Socket): Promise<void> {
  const [line] = (await once(createInterface({ input: control }), 'line')) as [string]
  const [host, port] = line.split(' ')
  const isSame = await isWhole(connectDirectly({ host, port: Number(port) }), octets(0, BIND_OCTETS))
  control.end(isSame ? 'whole' : 'not what was sent')
}

async function timeOfStream(via: string | undefined, host: string, seed: number): Promise<number | undefined> {
  const sent = octets(seed, OCTETS)
  const at = { host, port: ECHO }
  const socket = via === undefined ? connectDirectly(at) : await connect({ via, ...at })
  if (socket.connecting) await once(socket, 'connect')
  const began = performance.now()
  return (await isWhole(socket, sent)) ? performance.now() - began : undefined
}

/** The target finishes first here, and everything comes back to it behind its FIN. */
async function bind(via: string, host: string): Promise<string> {
  const listener = await listen({ via, host, allowHalfOpen: true })
  const control = await connect({ via, host, port: CALL_BACK })
  control.write(`${listener.address.host} ${listener.address.port}\n`)
  const socket = await listener.accept()
  socket.pipe(socket)
  return text(control)
}

/** Sends until so many have come back; those that are lost are for UDP to lose. */
async function datagrams(via: string, host: string): Promise<DatagramCounts> {
  const unchanged = new Set<number>()
  let altered = 0
  await using socket = await createUdpSocket({ via })
  socket.on('message', payload => {
    const number = payload.readUInt32LE(0)
    if (payload.equals(datagramOf(number))) unchanged.add(number)
    else altered += 1
  })
  let number = 0
  for await (const _ of setInterval(BETWEEN_DATAGRAMS_MS)) {
    if (unchanged.size >= DATAGRAMS) break
    socket.send(datagramOf(number), ECHO, host)
    number += 1
  }
  return { unchanged: unchanged.size, altered }
}

function datagramOf(number: number): Buffer {
  const payload = octets(number, DATAGRAM_OCTETS[number % DATAGRAM_OCTETS.length] ?? 4)
  payload.writeUInt32LE(number)
  return payload
}

/** For each limit of the server one who makes it wait until then: in the handshake, in a tunnel, and for a target. */
async function fallSilent(via: string, host: string): Promise<void> {
  const { hostname, port } = new URL(via)
  const newcomer = connectDirectly(Number(port), hostname)
  newcomer.write(Buffer.of(5))
  const idle = await connect({ via, host, port: ECHO })
  const nobody = connect({ via, host: NOBODY, port: ECHO }).then(
    () => Promise.reject(new Error('nobody answered')),
    (error: unknown) => {
      if (!(error instanceof SocksError)) throw error
    },
  )
  await Promise.all([ended(newcomer), ended(idle), nobody])
}

/** However it ends; why, the server's log tells. */
async function ended(socket: Socket): Promise<void> {
  await once(socket.resume(), 'close').catch(() => undefined)
}

/** Sends all and FIN while it reads what comes back. */
async function isWhole(socket: Socket, sent: Buffer): Promise<boolean> {
  socket.end(sent)
  return (await buffer(socket)).equals(sent)
}

/** Of four octets each, no two are alike, and those of another seed are others at the same place. */
function octets(seed: number, length: number): Buffer {
  const words = Uint32Array.from(
    { length: Math.ceil(length / 4) },
    (_, index) => Math.imul(index + 1, 0x9e3779b1) ^ seed,
  )
  return Buffer.from(words.buffer, 0, length)
}
