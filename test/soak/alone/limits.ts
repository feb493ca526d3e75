/** Limits of a hundred, and five hundred who come. */
import type { Socket } from 'node:net'
import { Lost, Refused, openTunnel } from '../client.ts'
import { type Keys, LOGIN } from '../server-files.ts'
import { times, until } from '../stage.ts'
import type { Note, Setting, Stand, Trial } from './trial.ts'

const LIMIT = 100
const CLIENTS = 500
const CYCLES = 10_000
/** So few that the limit is not reached, where those that have left are still counted in a thread that is behind. */
const CYCLES_AT_ONCE = 25
/** Tries of one after the other, while all places are taken. */
const LATE_TRIES = 200
const REFUSED_MS_MAX = 100
const REST_MS_MAX = 10_000
/** Longer than it takes until all five hundred have come. */
const DIAL_MS = 3_000
const REP_GENERAL_FAILURE = 1

interface Kind {
  readonly what: string
  readonly keys: (setting: Setting) => Keys
  readonly open: (stand: Stand, setting: Setting) => Promise<Socket>
  /** How it is told by the docs. */
  readonly isRefusal: (error: unknown) => boolean
}

const plainly: Kind['open'] = ({ served }, { targets }) =>
  openTunnel(served.ports, 'socks5', { port: targets.ports.echo })
const isClosed: Kind['isRefusal'] = error => error instanceof Lost
const isReply: Kind['isRefusal'] = error => error instanceof Refused && error.reply === REP_GENERAL_FAILURE

/** A policy with one limit for all that its condition holds for. */
function limited(limit: object): Keys {
  return { policy: { limits: { few: { ...limit, sessions: LIMIT } }, rules: [{ allow: 'everything' }] } }
}

const KINDS: readonly Kind[] = [
  {
    what: 'connections',
    keys: () => ({ limits: { connections: LIMIT } }),
    open: plainly,
    isRefusal: isClosed,
  },
  {
    what: 'connections of one client',
    keys: () => ({ limits: { 'connections-per-client': LIMIT } }),
    open: plainly,
    isRefusal: isClosed,
  },
  {
    what: 'sessions of one user',
    keys: () => limited({ of: { user: LOGIN.name }, per: 'user' }),
    open: ({ served }, { targets }) =>
      openTunnel(served.ports, 'socks5-login', { port: targets.ports.echo }, { login: LOGIN }),
    isRefusal: isReply,
  },
  {
    what: 'sessions to one target',
    keys: ({ targets }) => limited({ of: { port: targets.ports.spare }, per: 'all' }),
    open: ({ served }, { targets }) => openTunnel(served.ports, 'socks5', { port: targets.ports.spare }),
    isRefusal: isReply,
  },
]

export const limitTrial: Trial = {
  rows: ['R-14'],
  name: 'limits of 100 connections and sessions, 500 clients, 10,000 cycles',
  async run(setting) {
    for (const kind of KINDS) await setting.serve(kind.keys(setting), stand => hold(kind, stand, setting))
  },
}

async function hold(kind: Kind, stand: Stand, setting: Setting): Promise<void> {
  const note: Note = (what, figure, bound) => setting.note(`${kind.what}: ${what}`, figure, bound)
  const come = async (): Promise<Socket | 'refused' | 'otherwise'> =>
    kind.open(stand, setting).catch((error: unknown) => (kind.isRefusal(error) ? 'refused' : 'otherwise'))
  const crowd = async (when: string): Promise<readonly Socket[]> => {
    const all = await times(CLIENTS, CLIENTS, come)
    const open = all.filter(one => typeof one !== 'string')
    note(`let in of 500, off by, ${when}`, Math.abs(open.length - LIMIT), { atMost: 0 })
    note('refused otherwise than documented', all.filter(one => one === 'otherwise').length, { atMost: 0 })
    return open
  }
  const held = await crowd('at first')
  const lateMs = await times(LATE_TRIES, 1, async () => {
    const startedAt = performance.now()
    const socket = await come()
    return typeof socket === 'string' ? performance.now() - startedAt : Number.NaN
  })
  note('time until a late one is refused', Math.max(...lateMs), { atMost: REFUSED_MS_MAX, unit: 'ms' })
  await leave(held, stand)
  const cycles = await times(CYCLES, CYCLES_AT_ONCE, async () => {
    const socket = await come()
    if (typeof socket === 'string') return 1
    socket.resetAndDestroy()
    return 0
  })
  note(
    'refused in 10,000 cycles of 25 at once',
    cycles.reduce((sum: number, one) => sum + one, 0),
    { atMost: 0 },
  )
  await leave([], stand)
  await leave(await crowd('after 10,000 cycles'), stand)
}

async function leave(held: readonly Socket[], { served }: Stand): Promise<void> {
  for (const socket of held) socket.resetAndDestroy()
  await until(async () => (await served.sessions()) === 0, REST_MS_MAX)
}

/** Where nobody answers; see room.ts. */
const SILENT = { port: 1, address: [198, 51, 100, 7] } as const

export const pendingDialTrial: Trial = {
  rows: ['R-14'],
  name: '100 dials at once, and 500 clients that ask for a silent target',
  cannot: ({ ownNetwork }) => (ownNetwork ? undefined : 'no network of its own can be had here'),
  async run({ note, serve }) {
    await serve({ limits: { 'pending-dials': LIMIT, dial: `${DIAL_MS}ms` } }, async ({ served }) => {
      const ask = async (): Promise<{ isRefused: boolean; ms: number }> => {
        const startedAt = performance.now()
        const error = await openTunnel(served.ports, 'socks5', SILENT).catch((cause: unknown) => cause)
        return { isRefused: isReply(error), ms: performance.now() - startedAt }
      }
      for (let turn = 0; turn < 2; turn++) {
        const hanging = times(LIMIT, LIMIT, ask)
        await until(async () => (await served.sessions()) === LIMIT, REST_MS_MAX)
        const late = await times(CLIENTS - LIMIT, 4, ask)
        const wrong = [...(await hanging).filter(one => one.isRefused), ...late.filter(one => !one.isRefused)]
        note('dials at once: one of 100 refused, or one of 400 more not', wrong.length, { atMost: 0 })
        note('dials at once: time until a late one is refused', Math.max(...late.map(({ ms }) => ms)), {
          atMost: REFUSED_MS_MAX,
          unit: 'ms',
        })
      }
    })
  },
}
