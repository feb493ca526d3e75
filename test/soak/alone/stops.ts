/** Servers that stop, and servers that take the place of another one. */
import type { Socket } from 'node:net'
import { closeSharedListener, openSharedListener } from '@socksmith/engine'
import { openTunnel, restOf, take } from '../client.ts'
import { Served } from '../served.ts'
import { type Stage, times, until, wait } from '../stage.ts'
import { type Setting, type Trial, openMs } from './trial.ts'

const TUNNELS = 1_000
/** Of them, as many have something to say. */
const MOVING = 100
const DRAIN_MS = 5_000
/** They have said it within the time for the drain. */
const MOVING_MS = 3_000
const MESSAGE = 'x'.repeat(1_000)
const EVERY_MS = 50
const LATE_MS_MAX = 1_000
/** For the listener to be gone, and for a second signal. */
const AT_ONCE_MS_MAX = 500
const WAIT_MS_MAX = 30_000

export const stopTrial: Trial = {
  rows: ['R-16'],
  name: 'SIGTERM with 1,000 tunnels, a hundred of which move data, and a second one',
  async run({ note, serve, targets }) {
    const echo = { port: targets.ports.echo }
    await serve({ drain: `${DRAIN_MS}ms` }, async ({ served }) => {
      const sockets = await times(TUNNELS, 50, () => openTunnel(served.ports, 'socks5', echo))
      const lost = sockets.slice(0, MOVING).map(moveAndEnd)
      const startedAt = performance.now()
      const ended = served.end()
      const deafMs = await until(() => isRefused(served.ports, targets.ports.echo), WAIT_MS_MAX)
      note('time until nobody is let in', deafMs, { atMost: AT_ONCE_MS_MAX, unit: 'ms' })
      const sum = (await Promise.all(lost)).reduce((all, one) => all + one, 0)
      note('octets lost in tunnels that end in time', sum, { atMost: 0 })
      note('exit code', (await ended) ?? Number.NaN, { atMost: 0 })
      note('time to the end beyond the limit of the drain', performance.now() - startedAt - DRAIN_MS, {
        atMost: LATE_MS_MAX,
        unit: 'ms',
      })
    })
    await serve({ drain: `${DRAIN_MS}ms` }, async ({ served }) => {
      await times(TUNNELS, 50, () => openTunnel(served.ports, 'socks5', echo))
      const ended = served.end()
      await served.said(/stopping/)
      const startedAt = performance.now()
      served.child.kill('SIGTERM')
      await ended
      note('time from a second SIGTERM to the end', performance.now() - startedAt, {
        atMost: AT_ONCE_MS_MAX,
        unit: 'ms',
      })
    })
  },
}

/** Talks for a while, then ends; the octets that did not come back. */
async function moveAndEnd(socket: Socket): Promise<number> {
  let missing = 0
  for (const untilMs = performance.now() + MOVING_MS; performance.now() < untilMs; await wait(EVERY_MS)) {
    socket.write(MESSAGE)
    missing += MESSAGE.length
    missing -= await take(socket, MESSAGE.length).then(
      octets => octets.length,
      () => 0,
    )
  }
  socket.end(MESSAGE)
  return missing + MESSAGE.length - (await restOf(socket).catch(() => 0))
}

async function isRefused(ports: Stage['served']['ports'], echo: number): Promise<boolean> {
  return openMs(ports, echo).then(
    () => false,
    () => true,
  )
}

const RESTARTS = 20
/** 200 a second. */
const NEWCOMER_EVERY_MS = 5

export const restartTrial: Trial = {
  rows: ['R-18'],
  name: '20 times a new server takes the place of an old one on the same socket, with 200 newcomers a second',
  async run(setting) {
    const { note, targets } = setting
    const shared = await openSharedListener({ place: LOOPBACK_PLACE, backlog: 4_096 }, 1)
    if (!('place' in shared) || shared.place.kind !== 'ip') throw new Error('no socket can be opened to hand over')
    const [descriptor = -1] = shared.descriptors
    const { port } = shared.place.endpoint
    const start = (): Promise<Served> => startOn(setting, descriptor, port)
    let served = await start()
    const ports = { open: port, password: port, strangers: port }
    let [came, refused] = [0, 0]
    const newcomers: Promise<void>[] = []
    const timer = setInterval(() => {
      came++
      newcomers.push(
        openMs(ports, targets.ports.echo).then(
          () => {},
          () => void refused++,
        ),
      )
    }, NEWCOMER_EVERY_MS)
    for (let restart = 0; restart < RESTARTS; restart++) {
      const next = await start()
      await served.end()
      served = next
    }
    clearInterval(timer)
    await Promise.all(newcomers)
    await served.end()
    closeSharedListener(shared)
    note('newcomers during 20 restarts', came, { atLeast: RESTARTS })
    note('of them, not served', refused, { atMost: 0 })
  },
}

const LOOPBACK_PLACE = {
  kind: 'ip',
  endpoint: { address: { type: 'ipv4', octets: Uint8Array.of(127, 0, 0, 1) }, port: 0 },
} as const

async function startOn({ engine, workers }: Setting, descriptor: number, port: number): Promise<Served> {
  // LISTEN_PID is the process that sh becomes.
  const by = ['sh', '-c', 'export LISTEN_FDS=1 LISTEN_PID=$$; exec "$@"', 'sh']
  const listen = ['--listen', `127.0.0.1:${port}`, '--log-file', '/dev/null']
  const args = [...listen, '--engine', engine, '--workers', String(workers)]
  return Served.start(args, workers, { by, descriptors: [descriptor] })
}

const HELD = 200
const REPLACED_MS_MAX = 1_000

export const killedWorkerTrial: Trial = {
  rows: ['R-19'],
  name: 'one of two workers dies under load',
  cannot: ({ workers }) => (workers < 2 ? 'there are no two workers' : undefined),
  async run({ note, serve, targets, workers }) {
    await serve({}, async ({ served }) => {
      const open = (): Promise<Socket> => openTunnel(served.ports, 'socks5', { port: targets.ports.echo })
      // One worker has all that come at once, and another those that come when it has many more: so each has some.
      const sockets = [
        ...(await times(HELD / 2, 20, open)),
        ...(await wait(1_000).then(() => times(HELD / 2, 20, open))),
      ]
      for (const socket of sockets) socket.resume()
      const talk = setInterval(() => sockets.forEach(socket => socket.write(MESSAGE)), EVERY_MS)
      const before = await served.threads()
      served.killWorker()
      const goneMs = await until(async () => (await served.threads()) < before, WAIT_MS_MAX)
      const replacedMs = await until(async () => (await served.threads()) === before, WAIT_MS_MAX)
      note('threads before', before, { atLeast: workers + 1 })
      note('time until it is replaced', goneMs + replacedMs, { atMost: REPLACED_MS_MAX, unit: 'ms' })
      const lost = sockets.filter(socket => socket.destroyed || socket.readableEnded).length
      note('tunnels lost with it, of 200', lost, { atMost: HELD - 1 })
      clearInterval(talk)
      for (const socket of sockets) socket.resetAndDestroy()
      note('time of a new tunnel at once', await openMs(served.ports, targets.ports.echo), {
        atMost: REPLACED_MS_MAX,
        unit: 'ms',
      })
    })
  },
}
