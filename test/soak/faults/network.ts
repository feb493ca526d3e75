/** Names that are not answered, addresses that lead nowhere, datagrams from strangers, peers that are the wrong ones. */
import { type Socket as DatagramSocket, createSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect } from 'node:net'
import {
  COMMAND,
  Lost,
  Refused,
  closed,
  datagramHeader,
  dial,
  greet,
  openTunnel,
  reply,
  request,
  take,
} from '../client.ts'
import type { NameService } from '../target-words.ts'
import { LATE_MS_MAX, type Fault, type Stage, amount, p99, times, until, wait } from '../stage.ts'

/** The server's limit for a dial in the soak, in milliseconds; see its configuration. */
export const DIAL_MS = 10_000
/** REP of a target that refuses. */
const REFUSED_BY_TARGET = 5
/** A look-up is given up by the server after 10 s. */
const LOOKUP_MS = 10_000
/** For anybody who has nothing to do with what is stuck: shorter than any limit above, so that a stall shows. */
const UNHARMED_MS_MAX = 8_000

/** Milliseconds of 50 tunnels to an address, one after the other: nobody else's trouble may delay them. */
async function addressMs(stage: Stage): Promise<number> {
  const all = await times(50, 1, async () => {
    const startedAt = performance.now()
    const socket = await openTunnel(stage.served.ports, 'socks5', { port: stage.targets.ports.echo })
    socket.destroy()
    return performance.now() - startedAt
  })
  return p99(all)
}

function names(service: NameService, shortMs: number): Fault {
  return {
    rows: ['R-23'],
    name: `the name server is ${service}`,
    // There is one name server, and it can be in trouble in one way at a time.
    isAlone: true,
    async run(stage) {
      const { targets, criteria, honest, random } = stage
      await honest.expecting(['names'], async () => {
        await targets.answerNames(service)
        const count = amount(stage, 200, 1_000, 1_000)
        const stuck = times(count, count, index => {
          const name = `${service}${random.between(0, 1e9)}-${index}.good.test`
          // Nobody waits for the answers in a short run: the client that leaves is part of it.
          return askFor(stage, name, stage.size === 'short' ? shortMs : undefined)
        })
        criteria.note('R-23', `time of a tunnel to an address while names are ${service}`, await addressMs(stage), {
          atMost: UNHARMED_MS_MAX,
          unit: 'ms',
        })
        const answers = await stuck
        if (stage.size !== 'short') {
          const lost = answers.filter(({ code }) => code === -1).length
          criteria.note('R-23', `clients without a reply while names are ${service}`, lost, { atMost: 0 })
        }
        if (stage.size !== 'short' && service === 'gone') {
          criteria.note(
            'R-23',
            'replies other than REP 04 and 06 to a name that nobody answers',
            answers.filter(({ code }) => code !== 4 && code !== 6).length,
            { atMost: 0 },
          )
          criteria.note(
            'R-23',
            'reply to it, behind the limit of a look-up by',
            Math.max(...answers.map(({ ms }) => ms)) - LOOKUP_MS,
            { atMost: LATE_MS_MAX, unit: 'ms' },
          )
        }
        if (service === 'lying') {
          criteria.note(
            'R-23',
            'tunnels led astray by a false answer',
            // Where the false addresses lead nobody listens.
            answers.filter(({ code }) => code === REFUSED_BY_TARGET).length,
            { atMost: 0 },
          )
        }
        await targets.answerNames('good')
      })
    },
  }
}

/** The reply to a tunnel by name, -1 without one, and how long it took. */
async function askFor(
  { served, targets }: Stage,
  name: string,
  leavesAfterMs: number | undefined,
): Promise<{ readonly code: number; readonly ms: number }> {
  const startedAt = performance.now()
  const socket = await dial(served.ports.open).catch(() => undefined)
  const leaves = leavesAfterMs === undefined ? undefined : setTimeout(() => socket?.destroy(), leavesAfterMs)
  try {
    if (socket === undefined) throw new Lost('not accepted')
    await greet(socket)
    socket.write(request(COMMAND.connect, { port: targets.ports.echo, name }))
    await reply(socket)
    return { code: 0, ms: performance.now() - startedAt }
  } catch (error) {
    return { code: error instanceof Refused ? error.reply : -1, ms: performance.now() - startedAt }
  } finally {
    clearTimeout(leaves)
    socket?.destroy()
  }
}

export const nameFaults: readonly Fault[] = [
  names('slow', 2_000),
  names('failing', 1_000),
  names('lying', 1_000),
  names('gone', 1_000),
]

export const strangers: Fault = {
  rows: ['R-28'],
  name: 'clients from elsewhere ask for what is inside, by address and by a name that leads there',
  async run(stage) {
    const { served, targets, criteria } = stage
    const count = amount(stage, 40, 200, 2_000)
    const port = targets.ports.echo
    const asked = [{ port }, { port, name: 'evil.good.test' }, { port: served.ports.open }, { port, name: 'localhost' }]
    const replies = await times(count, 20, async index => {
      const socket = await dial(served.ports.strangers)
      socket.write('PROXY TCP4 203.0.113.5 192.0.2.1 40000 1080\r\n')
      await greet(socket)
      socket.write(request(COMMAND.connect, asked[index % asked.length] ?? { port }))
      const rep = (await take(socket, 10))[1]
      socket.destroy()
      return rep
    })
    criteria.note('R-28', 'strangers that were let inside', replies.filter(rep => rep === 0).length, { atMost: 0 })
  },
}

/** In the network of the soak: silence, no route, forbidden; see own-network.ts. */
const NOWHERE: readonly {
  readonly address: readonly [number, number, number, number]
  readonly replies: readonly number[]
}[] = [
  { address: [198, 51, 100, 7], replies: [4, 6] },
  { address: [203, 0, 113, 200], replies: [3, 4] },
  { address: [203, 0, 113, 5], replies: [2] },
  { address: [127, 0, 0, 1], replies: [5] },
]

export const deadEnds: Fault = {
  rows: ['R-24'],
  name: 'targets that answer nothing, have no route, are forbidden or refuse',
  cannot: ({ ownNetwork }) => (ownNetwork ? undefined : 'no network of its own can be had here'),
  async run(stage) {
    const { served, criteria } = stage
    const count = amount(stage, 300, 1_000, 1_000)
    let wrong = 0
    const dials = times(count, count, async index => {
      const { address, replies } = NOWHERE[index < count * 0.9 ? 0 : index % NOWHERE.length] as (typeof NOWHERE)[number]
      const startedAt = performance.now()
      const code = await openTunnel(served.ports, 'socks5', { port: 1, address }).then(
        () => 0,
        (error: unknown) => (error instanceof Refused ? error.reply : -1),
      )
      if (!replies.includes(code)) wrong++
      return performance.now() - startedAt
    })
    criteria.note('R-24', 'time of a tunnel to an address while dials hang', await addressMs(stage), {
      atMost: UNHARMED_MS_MAX,
      unit: 'ms',
    })
    criteria.note(
      'R-24',
      'reply to a silent target, behind the limit of a dial by',
      Math.max(...(await dials)) - DIAL_MS,
      {
        atMost: LATE_MS_MAX,
        unit: 'ms',
      },
    )
    criteria.note('R-24', 'dials that hang at once', count * 0.9)
    criteria.note('R-24', 'replies that tell another cause', wrong, { atMost: 0 })
  },
}

export const binds: Fault = {
  rows: ['R-25'],
  name: 'BIND: the wrong peer comes, or the client leaves',
  async run(stage) {
    const { served, criteria } = stage
    const count = amount(stage, 50, 300, 1_000)
    let [wrong, slowest] = [0, 0]
    await times(count, 50, async index => {
      const control = await dial(served.ports.open)
      await greet(control)
      control.write(request(COMMAND.bind, { port: 0 }))
      const port = await reply(control)
      if (index % 2 === 0) {
        const stranger = connect({ port, host: '127.0.0.1', localAddress: '127.0.0.9' })
        stranger.on('error', () => {}).on('connect', () => stranger.write('from a stranger'))
        await closed(stranger)
        if (control.readableLength > 0) wrong++
      }
      control.destroy()
      const goneMs = await until(() => isClosed(port), LATE_MS_MAX)
      slowest = Math.max(slowest, goneMs)
    })
    criteria.note('R-25', 'strangers that a BIND took for its peer', wrong, { atMost: 0 })
    criteria.note('R-25', 'time until the listener of a client that left is gone', slowest, {
      atMost: LATE_MS_MAX,
      unit: 'ms',
    })
  },
}

async function isClosed(port: number): Promise<boolean> {
  // From a stranger's address: the port may be another BIND's by now, whose peer this must not be.
  const socket = connect({ port, host: '127.0.0.1', localAddress: '127.0.0.8' })
  socket.on('error', () => {})
  const opened = await Promise.race([once(socket, 'connect').then(() => true), closed(socket).then(() => false)]).catch(
    () => false,
  )
  socket.destroy()
  return !opened
}

const FORGED = 'forged'

/** Bound to any port of this address; keeps its errors to itself. */
export async function datagramSocket(address: string): Promise<DatagramSocket> {
  const socket = createSocket('udp4').on('error', () => {})
  socket.bind(0, address)
  await once(socket, 'listening')
  return socket
}

export const floods: Fault = {
  rows: ['R-26'],
  name: 'datagrams from other addresses flood a relay port',
  async run(stage) {
    const { served, criteria } = stage
    const count = amount(stage, 20_000, 200_000, 1_000_000)
    const target = await datagramSocket('127.0.0.1')
    const owner = await datagramSocket('127.0.0.1')
    const forgers = await Promise.all(Array.from({ length: 10 }, (_, index) => datagramSocket(`127.0.1.${index + 1}`)))
    const control = await dial(served.ports.open)
    await greet(control)
    control.write(request(COMMAND.udpAssociate, { port: owner.address().port }))
    const relay = await reply(control)
    let [forgedAtTarget, forgedAtOwner, pings, echoes] = [0, 0, 0, 0]
    let outside = 0
    target.on('message', (octets, from) => {
      outside = from.port
      if (octets.toString() === FORGED) forgedAtTarget++
      else target.send(octets, from.port, from.address)
    })
    owner.on('message', octets => (octets.toString().includes(FORGED) ? forgedAtOwner++ : echoes++))
    const header = datagramHeader(target.address().port)
    const forged = Buffer.concat([header, Buffer.from(FORGED)])
    for (let sent = 0; sent < count; sent += 500) {
      for (let i = 0; i < 500; i++) {
        const forger = forgers[i % forgers.length] as DatagramSocket
        forger.send(forged, relay, '127.0.0.1')
        // From the side of the targets, to the address that the real target saw.
        if (outside > 0 && i % 5 === 0) forger.send(FORGED, outside, '127.0.0.1')
      }
      owner.send(Buffer.concat([header, Buffer.from(`ping ${pings++}`)]), relay, '127.0.0.1')
      await wait(0)
    }
    await until(() => echoes >= pings * 0.9, 3_000)
    criteria.note('R-26', 'datagrams with a forged source', count * 1.2)
    criteria.note('R-26', 'of them, passed on to a target', forgedAtTarget, { atMost: 0 })
    criteria.note('R-26', 'of them, passed on to the client', forgedAtOwner, { atMost: 0 })
    criteria.note('R-26', "of the owner's own, echoed in the middle of the flood", (100 * echoes) / pings, {
      atLeast: 1,
      unit: '%',
    })
    for (const socket of [target, owner, ...forgers]) socket.close()
    control.destroy()
    await closed(control)
    if (!served.isAlive) throw new Lost('the server is gone')
  },
}
