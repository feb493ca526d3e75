/** What an operator does and what befalls files and clocks, while others are served. */
import { readFileSync, writeFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import { openTunnel, take } from '../client.ts'
import { reloadInTurn } from '../faults/operations.ts'
import { resize, usedKib } from '../faults/shortage.ts'
import { notices, times, until, wait } from '../stage.ts'
import { askControl } from '../ask-control.ts'
import { logIn, wrong } from './login.ts'
import { type Stand, type Trial, during, openMs, othersP99Ms } from './trial.ts'

const TUNNELS = 500
const RELOADS = 50
const RELOAD_EVERY_MS = 200
/** 200 newcomers a second. */
const NEWCOMER_EVERY_MS = 5
const RELOADS_MEASURED = 1_000
const HEAP_MIB_MAX = 1
const WAIT_MS_MAX = 20_000

export const reloadTrial: Trial = {
  rows: ['R-17'],
  name: '50 reloads in ten seconds beside 500 tunnels and 200 newcomers a second, and 2,000 after them',
  async run({ note, serve, targets, workers }) {
    const { echo, spare } = targets.ports
    await serve({}, async stand => {
      const { served } = stand
      const sockets = await times(TUNNELS, 50, () => openTunnel(served.ports, 'socks5', { port: echo }))
      const newcomers: Promise<number>[] = []
      const timer = setInterval(
        () =>
          newcomers.push(
            openMs(served.ports, echo).then(
              () => 0,
              () => 1,
            ),
          ),
        NEWCOMER_EVERY_MS,
      )
      let wrong = 0
      for (let i = 0; i < RELOADS; i++) {
        const nextAt = wait(RELOAD_EVERY_MS)
        if (!(await reloadInTurn(stand, spare, i))) wrong++
        await nextAt
      }
      clearInterval(timer)
      const refused = (await Promise.all(newcomers)).reduce((sum, one) => sum + one, 0)
      const silent = (await Promise.all(sockets.map(answers))).filter(one => !one).length
      note('newcomers during 50 reloads', newcomers.length, { atLeast: 1_000 })
      note('of them, not served', refused, { atMost: 0 })
      note('tunnels of 500 that do not answer afterwards', silent, { atMost: 0 })
      // What is compiled for a thousand of them is there before the next thousand.
      const reloads = async (): Promise<void> => {
        for (let i = 0; i < RELOADS_MEASURED; i++) if (!(await reloadInTurn(stand, spare, i))) wrong++
      }
      await reloads()
      const before = await served.look()
      await reloads()
      const after = await served.look()
      note('reloads that did something else than they should, of 2,050', wrong, { atMost: 0 })
      const more = (after.heapOctets - before.heapOctets) / 1_048_576 / (workers + 1)
      note('heap more after the last 1,000, for each thread', more, { atMost: HEAP_MIB_MAX, unit: 'MiB' })
      for (const socket of sockets) socket.resetAndDestroy()
    })
  },
}

async function answers(socket: Socket): Promise<boolean> {
  socket.write('x')
  return take(socket, 1).then(
    () => true,
    () => false,
  )
}

const QUIET_MS = 10_000
const FULL_MS = 30_000
const ROOM_KIB = 8
/** What a log that is stuck may keep is 4 MiB; the rest is what the server needs for its tunnels. */
const MEMORY_MIB_MAX = 16

export const fullDiskTrial: Trial = {
  rows: ['R-21'],
  name: 'the disk of the log is full for half a minute',
  cannot: ({ ownNetwork }) => (ownNetwork ? undefined : 'no file system can be mounted here'),
  async run({ note, serve, targets }) {
    const { echo } = targets.ports
    await serve({}, async stand => {
      const { served, files } = stand
      const path = files.logMount as string
      const beforeMs = await othersP99Ms(served.ports, echo, load(stand, echo, QUIET_MS))
      const before = await served.look(true)
      while (!resize(path, usedKib(path) + ROOM_KIB));
      const fullMs = await othersP99Ms(served.ports, echo, load(stand, echo, FULL_MS))
      const full = await served.look(true)
      resize(path, 1_048_576)
      const toldMs = await until(async () => {
        await openMs(served.ports, echo)
        return notices(stand, 'log-dropped') > 0
      }, WAIT_MS_MAX)
      note('time of a new tunnel before, p99', beforeMs, { unit: 'ms' })
      note('time of a new tunnel while the disk is full, p99, in parts of that before', fullMs / beforeMs, {
        atMost: 2,
      })
      note('memory of the process more (PSS)', (full.pssOctets - before.pssOctets) / 1_048_576, {
        atMost: MEMORY_MIB_MAX,
        unit: 'MiB',
      })
      note('time until the lost lines are counted in the log', toldMs, { atMost: WAIT_MS_MAX, unit: 'ms' })
    })
  },
}

/** Enough lines of the log that what is kept of them overflows. */
async function load({ served }: Stand, echo: number, ms: number): Promise<void> {
  const untilMs = performance.now() + ms
  await times(8, 8, async () => {
    while (performance.now() < untilMs) await openMs(served.ports, echo)
  })
}

const IDLE_MS = 8_000
const TALK_EVERY_MS = 1_000
const QUIET_TUNNELS = 100
const FAILURES = 10
const GUESSER = '127.0.9.9'
/** The smallest jump of the clock. */
const HOUR_MS = 3_600_000

export const clockTrial: Trial = {
  rows: ['R-22'],
  name: 'the clock jumps by an hour, a day and ten years, each way',
  async run({ note, serve, targets }) {
    const open = ({ served }: Stand): Promise<Socket> =>
      openTunnel(served.ports, 'socks5', { port: targets.ports.echo })
    const keys = {
      limits: { idle: `${IDLE_MS}ms` },
      login: { trusted: [], 'delay-after': 1_000, 'ban-login-after': FAILURES },
    }
    await serve(
      keys,
      async stand => {
        const talking = await times(QUIET_TUNNELS, 20, () => open(stand))
        await times(FAILURES, 10, () => logIn(stand, GUESSER, wrong()))
        note('bans before', (await askControl(stand, { ask: 'bans' })).bans?.length ?? 0, { atLeast: 1 })
        for (const jump of ['-1h', '+1h', '+1d', '-10y', '+10y', '+0']) {
          writeFileSync(stand.files.clock as string, `${jump}\n`)
          const silent = await times(QUIET_TUNNELS, 20, () => open(stand))
          const lives = Promise.all(silent.map(lifeMs))
          await during(lives, async () => {
            const lost = (await Promise.all(talking.map(answers))).filter(one => !one).length
            note('tunnels of 100 that talk and were closed', lost, { atMost: 0 })
            await wait(TALK_EVERY_MS)
          })
          const all = await lives
          note('silent tunnels with a limit of 8,000 ms: the first ends after', Math.min(...all), {
            atLeast: 0.9 * IDLE_MS,
            unit: 'ms',
          })
          note('silent tunnels with a limit of 8,000 ms: the last ends after', Math.max(...all), {
            atMost: 1.2 * IDLE_MS,
            unit: 'ms',
          })
        }
        note('bans that a jump has ended', (await logIn(stand, GUESSER)) === 'let in' ? 1 : 0, { atMost: 0 })
        for (const socket of talking) socket.resetAndDestroy()
        const durations = readFileSync(stand.files.log, 'latin1').matchAll(/"duration_ms":(-?\d+)/g)
        const odd = [...durations].filter(([, ms]) => Number(ms) < 0 || Number(ms) > HOUR_MS * 0.9)
        note('sessions in the log whose time makes no sense', odd.length, { atMost: 0 })
      },
      { hasClock: true },
    )
  },
}

async function lifeMs(socket: Socket): Promise<number> {
  const startedAt = performance.now()
  await new Promise<void>(resolve => {
    socket
      .on('end', () => socket.destroy())
      .on('close', () => resolve())
      .resume()
  })
  return performance.now() - startedAt
}
