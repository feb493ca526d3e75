/** A thousand associations, a million datagrams, and what must not get through. */
import type { Socket as DatagramSocket } from 'node:dgram'
import type { Socket } from 'node:net'
import { COMMAND, datagramHeader, dial, greet, reply, request } from '../client.ts'
import { datagramSocket } from '../faults/network.ts'
import { times, until, wait } from '../stage.ts'
import type { Setting, Stand, Trial } from './trial.ts'

const ASSOCIATIONS = 1_000
const DATAGRAMS = 1_000_000
const OCTETS = 200
/** Each way. */
const PER_SECOND = 20_000
const TICK_MS = 5
const LOSS_PERCENT_MAX = 1
const GONE_MS_MAX = 1_000
const WAIT_MS_MAX = 10_000
/** The process more than when all associations were there. */
const MEMORY_MIB_MAX = 16
/** For datagrams that must not come, and those that are late. */
const QUIET_MS = 1_000
/** RFC 768: what a datagram may hold, without the header of SOCKS for IPv4. */
const LONGEST = 65_507 - 10

/** To each side of a relay. */
const FORGED = 1_000

interface Association {
  readonly control: Socket
  readonly socket: DatagramSocket
  readonly relay: number
}

export const datagramTrial: Trial = {
  rows: ['R-26'],
  name: '1,000 associations, 1,000,000 datagrams there and back at 20,000 a second',
  async run({ note, serve, targets }) {
    await serve({}, async stand => {
      const { served } = stand
      const all = await times(ASSOCIATIONS, 50, () => associate(stand))
      const header = datagramHeader(targets.ports.datagrams)
      const datagram = Buffer.concat([header, Buffer.alloc(OCTETS, 'x')])
      let [echoed, wrong] = [0, 0]
      for (const { socket } of all) socket.on('message', octets => (octets.equals(datagram) ? echoed++ : wrong++))
      // One each, so that every association has its socket to the outside.
      for (const { socket, relay } of all) socket.send(datagram, relay, '127.0.0.1')
      await until(() => echoed === ASSOCIATIONS, WAIT_MS_MAX)
      const before = await served.look(true)
      const took = await sendSteadily(all, datagram)
      await wait(QUIET_MS)
      const after = await served.look(true)
      const sent = DATAGRAMS + ASSOCIATIONS
      note('datagrams a second, each way', DATAGRAMS / took, { atLeast: PER_SECOND * 0.99 })
      note('lost on the way there and back', (100 * (sent - echoed)) / sent, { atMost: LOSS_PERCENT_MAX, unit: '%' })
      note('altered', wrong, { atMost: 0 })
      note('memory of the process more after a million (PSS)', (after.pssOctets - before.pssOctets) / 1_048_576, {
        atMost: MEMORY_MIB_MAX,
        unit: 'MiB',
      })
      const goneMs = await endAll(stand, all)
      note('time until 1,000 associations are gone after their connections', goneMs, {
        atMost: GONE_MS_MAX,
        unit: 'ms',
      })
    })
  },
}

/** Seconds that it took. Each tick what is due by then, each association in turn. */
async function sendSteadily(all: readonly Association[], datagram: Buffer): Promise<number> {
  const startedAt = performance.now()
  for (let sent = 0; sent < DATAGRAMS; await wait(TICK_MS)) {
    const due = Math.min(DATAGRAMS, ((performance.now() - startedAt) / 1_000) * PER_SECOND)
    for (; sent < due; sent++) {
      const { socket, relay } = all[sent % all.length] as Association
      socket.send(datagram, relay, '127.0.0.1')
    }
  }
  return (performance.now() - startedAt) / 1_000
}

/** Milliseconds until the server has no descriptor of them any more. */
async function endAll({ served }: Stand, all: readonly Association[]): Promise<number> {
  const sockets = (): number => served.descriptorKinds.get('socket:') ?? 0
  // Each has its connection and a socket to either side.
  const rest = sockets() - 3 * all.length
  for (const { control } of all) control.destroy()
  const goneMs = await until(() => sockets() <= rest, WAIT_MS_MAX)
  for (const { socket } of all) socket.close()
  return goneMs
}

export const foreignDatagramTrial: Trial = {
  rows: ['R-26'],
  name: 'bad headers, fragments, the longest datagram, foreign senders; nobody is answered who did not ask',
  async run(setting) {
    const { note, serve } = setting
    await serve({}, async stand => {
      const { control, socket, relay } = await associate(stand)
      const target = await datagramSocket('127.0.0.1')
      const header = datagramHeader(target.address().port)
      let [atTarget, atClient, outside] = [0, 0, 0]
      let longest = 0
      target.on('message', (octets, from) => {
        atTarget++
        longest = Math.max(longest, octets.length)
        outside = from.port
      })
      socket.on('message', () => atClient++)
      const send = (octets: Buffer): void => socket.send(octets, relay, '127.0.0.1')
      send(Buffer.concat([header, Buffer.alloc(LONGEST)]))
      await until(() => atTarget === 1, WAIT_MS_MAX)
      note('octets of the longest datagram that came through', longest, { atLeast: LONGEST })
      for (const bad of badDatagrams(setting, header)) send(bad)
      const answered = await askAsStranger(relay, header, outside)
      await wait(QUIET_MS)
      note('bad, fragmented or foreign datagrams that came to a target', atTarget - 1, { atMost: 0 })
      note('datagrams that came to a client who had asked for no answer', atClient, { atMost: 0 })
      note('datagrams that came back to a stranger', answered, { atMost: 0 })
      for (const one of [socket, target]) one.close()
      control.destroy()
    })
  },
}

/** Cut short, with a wrong reserved octet or type, and fragments. */
function badDatagrams({ random }: Setting, header: Buffer): readonly Buffer[] {
  const whole = Buffer.concat([header, Buffer.from('bad')])
  const cut = Array.from({ length: header.length }, (_, length) => whole.subarray(0, length))
  const changed = [0, 1, 2, 3].map(at => {
    const other = Buffer.from(whole)
    other[at] = random.between(5, 255)
    return other
  })
  return [...cut, ...changed]
}

/** From another address, to both sides of the relay: how many answers came. */
async function askAsStranger(relay: number, header: Buffer, outside: number): Promise<number> {
  const stranger = await datagramSocket('127.0.1.1')
  const forged = Buffer.concat([header, Buffer.from('forged')])
  let answered = 0
  stranger.on('message', () => answered++)
  for (let i = 0; i < FORGED; i++) {
    stranger.send(forged, relay, '127.0.0.1')
    stranger.send('forged', outside, '127.0.0.1')
  }
  await wait(QUIET_MS)
  stranger.close()
  return answered
}

async function associate({ served }: Stand): Promise<Association> {
  const control = await dial(served.ports.open)
  await greet(control)
  const socket = await datagramSocket('127.0.0.1')
  control.write(request(COMMAND.udpAssociate, { port: socket.address().port }))
  return { control, socket, relay: await reply(control) }
}
