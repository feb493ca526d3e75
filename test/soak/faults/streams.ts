/** Readers that do not read, at either end: nobody else may pay for them. */
import type { Socket } from 'node:net'
import { median } from '@socksmith/instruments/bench'
import { openTunnel, closed } from '../client.ts'
import { wrongPieces } from '../../simulation/world/pattern.ts'
import { SOURCE_KEY } from '../target-words.ts'
import type { Bound } from '../criteria.ts'
import type { Held, Served } from '../served.ts'
import { type Fault, type Stage, amount, times, wait } from '../stage.ts'

/** What one stalled tunnel may cost the server, buffers of both its sockets not counted. */
const STALLED_KIB_MAX = 256
/** For a few tunnels the rest of the process weighs more than they do: then it is only told. */
function bound({ size }: Stage): Bound {
  return size === 'full' ? { atMost: STALLED_KIB_MAX, unit: 'KiB' } : { unit: 'KiB' }
}

/** On a machine that does much else, one look like the other proves nothing. */
const LOOKS_ALIKE = 5
const LOOKS_MAX = 100
const LOOK_EVERY_MS = 250
const USUAL_EVERY_MS = 1_000
/** Octets that a reader takes once it reads again. */
const READ_AGAIN_OCTETS = 4_000_000

export const stalledReaders: Fault = {
  rows: ['R-07'],
  name: 'clients do not read while their target sends without end',
  // Its figure is the memory of the process.
  isAlone: true,
  async run(stage) {
    const { served, targets, criteria } = stage
    const count = amount(stage, 20, 50, 200)
    const stall = async (): Promise<readonly Socket[]> => {
      const readers = await times(count, 20, () => openTunnel(served.ports, 'socks5', { port: targets.ports.held }))
      await settled(() => targets.sent())
      return readers
    }
    const { sockets, noteMemory } = await stallTwice(stage, stall)
    const sent = await targets.sent()
    await wait(1_000)
    const now = await targets.sent()
    criteria.note('R-07', 'octets that a source sends on to a reader who reads nothing', now - sent, { atMost: 0 })
    await wait(amount(stage, 0, 5_000, 60_000))
    await noteMemory('R-07', 'a stalled reader')
    const wrong = (await Promise.all(sockets.map(readAgain))).reduce((sum, one) => sum + one, 0)
    criteria.note('R-07', 'wrong pieces when they read again', wrong, { atMost: 0 })
  },
}

type Memory = Pick<Held, 'heapOctets' | 'pssOctets'>

interface Stalled {
  readonly sockets: readonly Socket[]
  /** Notes what is held for each of them, and by how much the process grew for each. */
  readonly noteMemory: (row: string, what: string) => Promise<void>
}

/** Tunnels that stall, in two halves, and what is held for each of the second: what is taken once, is taken. */
async function stallTwice(stage: Stage, stall: () => Promise<readonly Socket[]>): Promise<Stalled> {
  const { served, criteria } = stage
  const looks = amount(stage, 1, 3, 5)
  const first = await stall()
  const [before, swept] = [await usual(served, looks), await usual(served, looks, true)]
  const second = await stall()
  return {
    sockets: [...first, ...second],
    async noteMemory(row, what) {
      const [now, sweptNow] = [await usual(served, looks), await usual(served, looks, true)]
      const kibibytes = second.length * 1_024
      const note = (figure: string, octets: number): void =>
        criteria.note(row, figure, octets / kibibytes, bound(stage))
      note(`memory held for ${what}`, now.heapOctets - before.heapOctets)
      note(`memory of the process for ${what} (PSS)`, now.pssOctets - before.pssOctets)
      note(`memory of the process for ${what} (PSS), without garbage`, sweptNow.pssOctets - swept.pssOctets)
    },
  }
}

/** What is held beside it comes and goes with each exchange of the honest clients: the median of some looks. */
async function usual(served: Served, looks: number, isThorough = false): Promise<Memory> {
  const all: Held[] = []
  for (let look = 0; look < looks; look++) {
    if (look > 0) await wait(USUAL_EVERY_MS)
    all.push(await served.look(isThorough))
  }
  const [heapOctets, pssOctets] = [median(all.map(held => held.heapOctets)), median(all.map(held => held.pssOctets))]
  return { heapOctets, pssOctets }
}

/** The count, once it has stood still for a while: every buffer on the way is full. */
async function settled(count: () => number | Promise<number>): Promise<number> {
  let last = await count()
  for (let [same, looks] = [0, 0]; same < LOOKS_ALIKE && looks < LOOKS_MAX; looks++) {
    await wait(LOOK_EVERY_MS)
    const now = await count()
    same = now === last ? same + 1 : 0
    last = now
  }
  return last
}

async function readAgain(socket: Socket): Promise<number> {
  let [offset, wrong] = [0, 0]
  socket.on('data', (chunk: Buffer) => {
    wrong += wrongPieces(SOURCE_KEY, offset, chunk)
    offset += chunk.length
    if (offset >= READ_AGAIN_OCTETS) socket.destroy()
  })
  await closed(socket)
  return offset >= READ_AGAIN_OCTETS ? wrong : wrong + 1
}

export const deafTargets: Fault = {
  rows: ['R-08'],
  name: 'targets do not read while their client sends without end',
  isAlone: true,
  async run(stage) {
    const { served, targets, criteria } = stage
    const count = amount(stage, 20, 50, 200)
    const piece = Buffer.alloc(65_536)
    let taken = 0
    const pour = (socket: Socket): void => {
      while (!socket.destroyed && !socket.writableNeedDrain) socket.write(piece, error => (taken += error ? 0 : 1))
    }
    const stall = async (): Promise<readonly Socket[]> => {
      const sockets = await times(count, 20, () => openTunnel(served.ports, 'socks5', { port: targets.ports.deaf }))
      for (const socket of sockets) {
        socket.on('drain', () => pour(socket))
        pour(socket)
      }
      await settled(() => taken)
      return sockets
    }
    const { sockets, noteMemory } = await stallTwice(stage, stall)
    const last = taken
    await wait(amount(stage, 0, 5_000, 60_000))
    criteria.note('R-08', 'pieces taken for a target that reads nothing, after it was full', taken - last, {
      atMost: 0,
    })
    await noteMemory('R-08', 'a target that does not read')
    // A FIN would leave each half open, as it should: its target might still say something.
    for (const socket of sockets) socket.resetAndDestroy()
  },
}
