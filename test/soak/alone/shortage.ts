/** A server that may open 256 descriptors, and a thousand clients that all want to stay. */
import type { Socket } from 'node:net'
import { COMMAND, Lost, Refused, dial, greet, reply, request, take } from '../client.ts'
import { notices, times, until, wait } from '../stage.ts'
import { askControl } from '../ask-control.ts'
import { type Stand, type Trial, openMs } from './trial.ts'

const DESCRIPTORS = 256
const HELD = 5
const CLIENTS = 1_000
const FULL_MS = 30_000
/** Whoever is not served must know it by then. */
const HANG_MS = 5_000
const BACK_AFTER_MS = 1_000
const CORES_MAX = 0.1
/** One in ten seconds, and the first. */
const WARNINGS_MAX = FULL_MS / 10_000 + 1
const BACK_MS_MAX = 1_000
const WAIT_MS_MAX = 20_000

export const fewDescriptorsTrial: Trial = {
  rows: ['R-13'],
  name: '1,000 clients of a server with 256 descriptors, for half a minute',
  async run({ note, serve, targets }) {
    const { echo } = targets.ports
    await serve(
      {},
      async stand => {
        const { served } = stand
        const held = await times(HELD, 1, () => comeAndStay(stand, echo))
        const [cpuMs, startedAt, warned] = [served.cpuMs, performance.now(), warnings(stand)]
        const clients = times(CLIENTS, CLIENTS, () => comeUntilServed(stand, echo, startedAt + FULL_MS))
        await wait(FULL_MS / 2)
        const echoMs = Math.max(...(await Promise.all(held.map(one => sayMs(one.socket)))))
        const askedAt = performance.now()
        await askControl(stand, { ask: 'reload' })
        const controlMs = performance.now() - askedAt
        const all = (await clients).flat()
        const cores = (served.cpuMs - cpuMs) / (performance.now() - startedAt)
        const count = (how: Came): number => all.filter(one => one.how === how).length
        note('processor while it is full', cores, { atMost: CORES_MAX, unit: 'cores' })
        note('tunnels that were opened', count('served'), { atLeast: 1 })
        note('tries that were told with REP 01', count('refused'))
        note('tries that were closed', count('closed'))
        note('tries that hung for five seconds', count('hung'), { atMost: 0 })
        note('lines in the log about it', warnings(stand) - warned, { atLeast: 1 })
        note('lines in the log about it, at most', warnings(stand) - warned, {
          atMost: WARNINGS_MAX,
        })
        note('time for an echo in a held tunnel', echoMs, { atMost: BACK_MS_MAX, unit: 'ms' })
        note('time for an answer of the control socket', controlMs, { atMost: BACK_MS_MAX, unit: 'ms' })
        for (const { socket } of [...all, ...held]) socket.destroy()
        const backMs = await until(
          () =>
            openMs(served.ports, echo).then(
              () => true,
              () => false,
            ),
          WAIT_MS_MAX,
        )
        note('time until newcomers are served when they have left', backMs, { atMost: BACK_MS_MAX, unit: 'ms' })
      },
      { by: ['prlimit', `--nofile=${DESCRIPTORS}`] },
    )
  },
}

type Came = 'served' | 'refused' | 'closed' | 'hung'

interface Visit {
  readonly how: Came
  readonly socket: Socket
}

/** Who is refused comes back after a second, so that it is full all the time. */
async function comeUntilServed(stand: Stand, echo: number, untilMs: number): Promise<readonly Visit[]> {
  const visits: Visit[] = []
  while (performance.now() < untilMs && visits.at(-1)?.how !== 'served') {
    visits.push(await comeAndStay(stand, echo))
    await wait(BACK_AFTER_MS)
  }
  await wait(Math.max(0, untilMs - performance.now()))
  return visits
}

/** Asks for a tunnel and keeps it. */
async function comeAndStay({ served }: Stand, echo: number): Promise<Visit> {
  const socket = await dial(served.ports.open)
  const asked = async (): Promise<Came> => {
    try {
      await greet(socket)
      socket.write(request(COMMAND.connect, { port: echo }))
      await reply(socket)
      return 'served'
    } catch (error) {
      if (error instanceof Refused && error.reply === 1) return 'refused'
      if (error instanceof Lost) return 'closed'
      throw error
    }
  }
  const how = await Promise.race([asked(), wait(HANG_MS).then(() => 'hung' as const)])
  if (how !== 'served') socket.destroy()
  return { how, socket }
}

async function sayMs(socket: Socket): Promise<number> {
  const startedAt = performance.now()
  socket.write('x')
  await take(socket, 1)
  return performance.now() - startedAt
}

/** What the log says about too few descriptors, of whatever kind. */
function warnings({ files }: Stand): number {
  return ['accept-failure', 'limit', 'few-descriptors'].reduce((sum, event) => sum + notices({ files }, event), 0)
}
