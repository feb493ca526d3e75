/** Readers and targets that do not read, for a minute; then they do, and all has to be there. */
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { PIECE_OCTETS_MAX, patternOctets, wrongPieces } from '../../simulation/world/pattern.ts'
import { openTunnel } from '../client.ts'
import { SOURCE_KEY } from '../target-words.ts'
import { times, wait } from '../stage.ts'
import { NearTarget, type Setting, type Stand, type Trial, othersP99Ms } from './trial.ts'

const TUNNELS = 200
const STALL_MS = 60_000
/** From when on nothing may grow any more. */
const FLAT_AFTER_MS = 5_000
/** As long as others are looked at. */
const OTHERS_MS = 10_000
/** More than all buffers on the way hold. */
const STREAM_OCTETS = 4 * 1_048_576
const KIBIBYTES_MAX = 256
/** Of the whole process: what counts as flat. */
const FLAT_MIB_MAX = 8

/** Streams that stall, and go on when they are let. */
interface Stalled {
  /** Octets that the kernel took from the sources so far. */
  readonly sent: () => number | Promise<number>
  /** How many octets came in all, and how many pieces were wrong. */
  readonly goOn: () => Promise<{ readonly octets: number; readonly wrong: number }>
}

export const stalledReaderTrial: Trial = {
  rows: ['R-07'],
  name: '200 readers that read nothing for a minute',
  run: setting => stall(setting, ({ served }) => stalledReaders(setting, served.ports)),
}

export const deafTargetTrial: Trial = {
  rows: ['R-08'],
  name: '200 targets that read nothing for a minute',
  run: setting => stall(setting, ({ served }) => deafTargets(served.ports)),
}

async function stall({ note, serve, targets }: Setting, open: (stand: Stand) => Promise<Stalled>): Promise<void> {
  await serve({}, async stand => {
    const { served } = stand
    const before = await served.look(true)
    const stalled = await open(stand)
    await wait(FLAT_AFTER_MS)
    const [early, sentEarly] = [await served.look(true), await stalled.sent()]
    await wait(STALL_MS - FLAT_AFTER_MS)
    const [late, sentLate] = [await served.look(true), await stalled.sent()]
    // Only then: what others need is not held for those that stall.
    const others = await othersP99Ms(served.ports, targets.ports.echo, wait(OTHERS_MS))
    const { octets, wrong } = await stalled.goOn()
    note('memory of the process for each after a minute (PSS)', (late.pssOctets - before.pssOctets) / 1_024 / TUNNELS, {
      atMost: KIBIBYTES_MAX,
      unit: 'KiB',
    })
    note('memory of the process more than after five seconds', (late.pssOctets - early.pssOctets) / 1_048_576, {
      atMost: FLAT_MIB_MAX,
      unit: 'MiB',
    })
    note('octets that the sources sent on after five seconds', sentLate - sentEarly, { atMost: 0 })
    note('time of a new tunnel meanwhile, p99', others, { atMost: 100, unit: 'ms' })
    note('octets that did not come when they read again', TUNNELS * STREAM_OCTETS - octets, { atMost: 0 })
    note('wrong pieces in them', wrong, { atMost: 0 })
  })
}

async function stalledReaders({ targets }: Setting, ports: Stand['served']['ports']): Promise<Stalled> {
  const sockets = await times(TUNNELS, 20, async () => {
    const socket = await openTunnel(ports, 'socks5', { port: targets.ports.measured })
    socket.write(String(STREAM_OCTETS))
    return socket
  })
  const key = SOURCE_KEY
  return { sent: () => targets.sent(), goOn: () => readAll(sockets.map(socket => ({ socket, key }))) }
}

async function deafTargets(ports: Stand['served']['ports']): Promise<Stalled> {
  const near = await NearTarget.start(socket => socket.pause())
  let sent = 0
  const readers: { socket: Socket; key: number }[] = []
  for (let key = 0; key < TUNNELS; key++) {
    const { client, target } = await near.pair(ports)
    readers.push({ socket: target, key })
    void pour(client, key, octets => (sent += octets))
  }
  near.close()
  return { sent: () => sent, goOn: () => readAll(readers) }
}

async function pour(socket: Socket, key: number, count: (octets: number) => void): Promise<void> {
  for (let offset = 0; offset < STREAM_OCTETS;) {
    const octets = patternOctets(key, offset, Math.min(PIECE_OCTETS_MAX, STREAM_OCTETS - offset))
    offset += octets.length
    const taken = socket.write(octets, error => {
      if (!error) count(octets.length)
    })
    if (!taken) await once(socket, 'drain')
  }
  socket.end()
}

async function readAll(
  readers: readonly { readonly socket: Socket; readonly key: number }[],
): Promise<{ octets: number; wrong: number }> {
  const sum = { octets: 0, wrong: 0 }
  await Promise.all(
    readers.map(async ({ socket, key }) => {
      let offset = 0
      socket.on('data', (chunk: Buffer) => {
        sum.wrong += wrongPieces(key, offset, chunk)
        offset += chunk.length
        sum.octets += chunk.length
      })
      socket.resume()
      await once(socket, 'end')
      socket.end()
    }),
  )
  return sum
}
