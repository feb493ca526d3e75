/** Names whose server says nothing, nonsense, too much or too late, and addresses that lead nowhere. */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { COMMAND, Refused, type Target, dial, greet, openTunnel, reply, request } from '../client.ts'
import { type DnsRecord, RCODE, TYPE, dnsAnswer, nameOctets, questionOf } from '../dns-answer.ts'
import { times, until } from '../stage.ts'
import { type Stand, type Trial, othersP99Ms } from './trial.ts'

const STUCK = 1_000
/** A look-up is given up by the server after 10 s. */
const LOOKUP_MS = 10_000
/** Longer than a look-up. */
const DIAL_MS = 15_000
const UNHARMED = { atMost: 100, unit: 'ms' } as const
/** Happy Eyeballs (RFC 8305) waits a quarter of a second for the one before. */
const NEXT_ADDRESS = { atMost: 300, unit: 'ms' } as const
const IN_TIME = { atMost: 1.1 * LOOKUP_MS, unit: 'ms' } as const
const LATE_ANSWER_MS = 5_000
/** Of each kind. */
const TRIES = 20
const ADDRESSES = 100
const REP = { granted: 0, unreachable: 4, ttlExpired: 6 } as const

/** Nobody answers there; see room.ts. */
const SILENT = Uint8Array.of(198, 51, 100, 7)
const needsRoom: Trial['cannot'] = ({ ownNetwork }) =>
  ownNetwork ? undefined : 'no network of its own can be had here'

export const nameTrial: Trial = {
  rows: ['R-23'],
  name: 'names that are unknown, loop, fail, come late, have a hundred addresses or a dead one first; 1,000 without an answer',
  cannot: needsRoom,
  async run({ note, serve, targets }) {
    const names = await startNames()
    const { echo } = targets.ports
    await serve({ dns: { servers: [`127.0.0.1:${names.port}`] }, limits: { dial: `${DIAL_MS}ms` } }, async stand => {
      const ask = (kind: string, count = TRIES): Promise<Told[]> =>
        times(count, count, index => openNamed(stand, { port: echo, name: `${kind}-${index}.test` }))
      for (const kind of ['unknown', 'failing', 'loop'] as const) {
        const all = await ask(kind)
        note(`${kind}: replies other than REP 04, of 20`, otherThan(all, REP.unreachable), { atMost: 0 })
        note(`${kind}: time until the reply`, slowestMs(all), { atMost: LOOKUP_MS, unit: 'ms' })
      }
      const deadFirst = await ask('dead-first')
      note('a dead address first: not reached by the next one, of 20', otherThan(deadFirst, REP.granted), { atMost: 0 })
      note('a dead address first: time until the next one is reached', slowestMs(deadFirst), NEXT_ADDRESS)
      const late = await ask('late')
      // Whoever has asked again meanwhile does not hear the answer to the first question.
      const unlike = otherThan(late, REP.granted, REP.unreachable)
      note('an answer after five seconds: neither reached nor REP 04, of 20', unlike, { atMost: 0 })
      note('an answer after five seconds: time until the reply', slowestMs(late), IN_TIME)
      const many = await ask('hundred', 1)
      note('a hundred dead addresses: neither REP 04 nor 06', otherThan(many, REP.unreachable, REP.ttlExpired), {
        atMost: 0,
      })
      note('a hundred dead addresses: reply after', slowestMs(many), { atMost: 1.1 * DIAL_MS, unit: 'ms' })
      const stuck = ask('silent', STUCK)
      const othersMs = await othersP99Ms(stand.served.ports, echo, stuck)
      const told = await stuck
      note('1,000 look-ups without an answer: time of a tunnel to an address, p99', othersMs, UNHARMED)
      note('1,000 look-ups without an answer: replies other than REP 04', otherThan(told, REP.unreachable), {
        atMost: 0,
      })
      note('1,000 look-ups without an answer: the last reply after', slowestMs(told), IN_TIME)
    })
    names.close()
  },
}

/** How many were told something else. */
function otherThan(all: readonly Told[], ...reps: readonly number[]): number {
  return all.filter(({ rep }) => !reps.includes(rep)).length
}

function slowestMs(all: readonly Told[]): number {
  return Math.max(...all.map(({ ms }) => ms))
}

interface Told {
  /** 0 for a tunnel; -1 for no answer. */
  readonly rep: number
  readonly ms: number
}

async function openNamed({ served }: Stand, target: Target): Promise<Told> {
  const startedAt = performance.now()
  const rep = await openTunnel(served.ports, 'socks5-name', target).then(socket => {
    socket.resetAndDestroy()
    return 0
  }, repOf)
  return { rep, ms: performance.now() - startedAt }
}

function repOf(error: unknown): number {
  return error instanceof Refused ? error.reply : -1
}

/** What is answered is said by the name itself, up to its last dash. */
async function startNames(): Promise<{ readonly port: number; close(): void }> {
  const socket = createSocket('udp4')
  socket.on('message', (query, from) => {
    const { name, type } = questionOf(query)
    const kind = name.slice(0, name.lastIndexOf('-'))
    const answer = (): void => {
      const octets = answerTo(kind, query, type)
      if (octets !== undefined) socket.send(octets, from.port, from.address)
    }
    if (kind === 'late') setTimeout(answer, LATE_ANSWER_MS)
    else answer()
  })
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  return { port: socket.address().port, close: () => socket.close() }
}

const HERE = Uint8Array.of(127, 0, 0, 1)

function answerTo(kind: string, query: Buffer, type: number): Buffer | undefined {
  const addresses = (list: readonly Uint8Array[]): readonly DnsRecord[] =>
    type === TYPE.a ? list.map(data => ({ type, data })) : []
  switch (kind) {
    case 'silent':
      return undefined
    case 'unknown':
      return dnsAnswer(query, [], RCODE.noSuchName)
    case 'failing':
      return dnsAnswer(query, [], RCODE.serverFailure)
    case 'loop': {
      const there = 'there.loop.test'
      const [to, back] = [nameOctets(there), nameOctets(questionOf(query).name)]
      return dnsAnswer(query, [
        { type: TYPE.cname, data: to },
        { name: there, type: TYPE.cname, data: back },
      ])
    }
    case 'dead-first':
      return dnsAnswer(query, addresses([SILENT, HERE]))
    case 'hundred':
      return dnsAnswer(
        query,
        addresses(Array.from({ length: ADDRESSES }, (_, i) => Uint8Array.of(198, 51, 100, 1 + i))),
      )
    default:
      return dnsAnswer(query, addresses([HERE]))
  }
}

/** What each is, and the REP that may tell it. */
const DEAD_ENDS: Readonly<
  Record<
    string,
    {
      readonly address: readonly [number, number, number, number]
      readonly port: number
      readonly reps: readonly number[]
    }
  >
> = {
  'nobody listens': { address: [127, 0, 0, 1], port: 1, reps: [5] },
  'no way': { address: [203, 0, 113, 200], port: 80, reps: [3, 4] },
  'forbidden by the system': { address: [203, 0, 113, 5], port: 80, reps: [2] },
  'port 0': { address: [127, 0, 0, 1], port: 0, reps: [1] },
}
const CD_REFUSED = 91

export const dialTrial: Trial = {
  rows: ['R-24'],
  name: 'targets that refuse, have no way, are forbidden or have port 0; 1,000 that answer nothing',
  cannot: needsRoom,
  async run({ note, serve, targets }) {
    await serve({ limits: { dial: `${LOOKUP_MS}ms` } }, async stand => {
      const { ports } = stand.served
      for (const [what, { address, port, reps }] of Object.entries(DEAD_ENDS)) {
        const all = await times(TRIES, 4, async () => {
          const startedAt = performance.now()
          const rep = await openTunnel(ports, 'socks5', { address, port }).then(() => REP.granted, repOf)
          return { rep, ms: performance.now() - startedAt }
        })
        note(`${what}: replies that tell another cause, of 20`, otherThan(all, ...reps), { atMost: 0 })
        note(`${what}: time until the reply`, slowestMs(all), IN_TIME)
      }
      const cd = await openTunnel(ports, 'socks4', { port: 1 }).then(() => 0, repOf)
      note('nobody listens: reply of SOCKS4', cd, { atLeast: CD_REFUSED, atMost: CD_REFUSED })
      const pending = times(STUCK, STUCK, () => openSilent(stand))
      await until(async () => (await stand.served.sessions()) >= STUCK, LOOKUP_MS / 2)
      const othersMs = await othersP99Ms(ports, targets.ports.echo, pending)
      const told = await pending
      note('1,000 dials that hang: time of another tunnel, p99', othersMs, UNHARMED)
      const unlike = otherThan(told, REP.unreachable, REP.ttlExpired)
      note('1,000 dials that hang: replies other than REP 04 and 06', unlike, { atMost: 0 })
      note('1,000 dials that hang: the last reply after', slowestMs(told), IN_TIME)
    })
  },
}

async function openSilent({ served }: Stand): Promise<Told> {
  const socket = await dial(served.ports.open)
  await greet(socket)
  const startedAt = performance.now()
  socket.write(request(COMMAND.connect, { port: 80, address: [198, 51, 100, 7] }))
  const rep = await reply(socket).then(() => 0, repOf)
  socket.destroy()
  return { rep, ms: performance.now() - startedAt }
}
