/** Connections that end badly: reset in every phase, their process killed at either end. */
import type { Socket } from 'node:net'
import { COMMAND, closed, dial, greet, openTunnel, request, take } from '../client.ts'
import { Crowd } from '../crowd.ts'
import { LATE_MS_MAX, type Fault, type Stage, amount, times, until, wait } from '../stage.ts'
import { Targets } from '../targets.ts'

/** Between two reads of a stream without end. */
const REST_MS = 200
/** What has happened on the connection by the time it is reset. */
const PHASES: readonly ((socket: Socket, stage: Stage) => Promise<void>)[] = [
  async () => {},
  async socket => void socket.write(Buffer.of(5, 1)),
  async socket => greet(socket),
  async socket => {
    await greet(socket)
    socket.write(Buffer.of(5, 1, 0, 3, 200, 0x78))
  },
  // The reply meets the reset.
  async (socket, { targets }) => {
    await greet(socket)
    socket.write(request(COMMAND.connect, { port: targets.ports.echo }))
  },
  async (socket, { targets }) => {
    await greet(socket)
    socket.write(request(COMMAND.connect, { port: targets.ports.echo }))
    await take(socket, 10)
    socket.write('half of it')
  },
  async (socket, { targets }) => {
    await greet(socket)
    socket.write(request(COMMAND.connect, { port: targets.ports.source }))
    await take(socket, 100_000)
  },
  async socket => {
    await greet(socket)
    socket.write(request(COMMAND.bind, { port: 0 }))
    await take(socket, 10)
  },
  async socket => {
    await greet(socket)
    socket.write(request(COMMAND.udpAssociate, { port: 0 }))
    await take(socket, 10)
  },
  async socket => void socket.write('CONNECT 127.0.0.1:1 HT'),
  async socket => void socket.write(Buffer.of(4, 1, 0, 80, 0, 0, 0, 1, 0x61)),
]

export const resets: Fault = {
  rows: ['R-10'],
  name: 'clients reset in every phase, and targets in mid-stream',
  async run(stage) {
    const { served, targets, criteria } = stage
    const rounds = PHASES.length * amount(stage, 10, 40, 500)
    await times(rounds, 50, async index => {
      const socket = await dial(served.ports.open)
      await (PHASES[index % PHASES.length] as (typeof PHASES)[number])(socket, stage).catch(() => {})
      socket.resetAndDestroy()
      await closed(socket)
    })
    let clean = 0
    await times(rounds / 4, 50, async () => {
      const socket = await openTunnel(served.ports, 'socks5', { port: targets.ports.reset })
      let code: string | undefined
      socket.on('error', (error: NodeJS.ErrnoException) => (code = error.code)).resume()
      socket.on('end', () => socket.destroy())
      socket.write('x')
      await closed(socket)
      if (code !== 'ECONNRESET') clean++
    })
    criteria.note('R-10', 'connections reset by a client', rounds, { atLeast: 1 })
    criteria.note('R-10', 'resets of a target that a client saw as a clean end', clean, { atMost: 0 })
  },
}

export const killedTargets: Fault = {
  rows: ['R-11'],
  name: 'a target is killed with -9 in mid-stream',
  async run(stage) {
    const { served, criteria } = stage
    const victim = await Targets.start()
    const count = amount(stage, 30, 100, 500)
    const sockets = await times(count, 20, () => openTunnel(served.ports, 'socks5', { port: victim.ports.source }))
    let open = count
    // FIN or RST, by what its kernel still had to read.
    for (const socket of sockets)
      socket
        .on('end', () => socket.destroy())
        .on('close', () => open--)
        .resume()
    await wait(300)
    await victim.kill()
    criteria.note(
      'R-11',
      'time until all clients of a killed target know',
      await until(() => open === 0, LATE_MS_MAX),
      {
        atMost: LATE_MS_MAX,
        unit: 'ms',
      },
    )
    const next = await Targets.start()
    const refused = await openTunnel(served.ports, 'socks5', { port: next.ports.echo }).then(
      socket => {
        socket.destroy()
        return 0
      },
      () => 1,
    )
    criteria.note('R-11', 'refused when the target is back', refused, { atMost: 0 })
    await next.kill()
  },
}

export const killedClients: Fault = {
  rows: ['R-12'],
  name: 'a process of many clients is killed with -9',
  // The descriptors of others would be counted too.
  isAlone: true,
  async run(stage) {
    const { served, targets, criteria } = stage
    const crowd = new Crowd()
    const count = amount(stage, 100, 300, 1_000)
    const before = served.descriptors
    await crowd.start({ do: 'streams', ports: served.ports, source: targets.ports.source, count, restMs: REST_MS })
    const { open } = await crowd.tell()
    await crowd.kill()
    // Honest clients come and go meanwhile, with a socket at either side and a pipe or two.
    const goneMs = await until(() => served.descriptors <= before + 200, LATE_MS_MAX)
    criteria.note('R-12', 'clients killed', open, { atLeast: count })
    criteria.note('R-12', 'time until their descriptors are given back', goneMs, { atMost: LATE_MS_MAX, unit: 'ms' })
  },
}

export const stoppedClients: Fault = {
  rows: ['R-07', 'R-12'],
  name: 'a process of many clients is stopped for a while (SIGSTOP)',
  async run(stage) {
    const { served, targets, criteria } = stage
    const crowd = new Crowd()
    const count = amount(stage, 30, 100, 200)
    await crowd.start({ do: 'streams', ports: served.ports, source: targets.ports.source, count, restMs: REST_MS })
    const before = await crowd.tell()
    crowd.stop()
    await wait(amount(stage, 2_000, 10_000, 60_000))
    crowd.goOn()
    await until(async () => (await crowd.tell()).octets > before.octets + 1e6, LATE_MS_MAX)
    const after = await crowd.tell()
    await crowd.kill()
    criteria.note('R-07', 'tunnels of stopped clients that were lost', count - after.open, { atMost: 0 })
    criteria.note('R-07', 'wrong pieces in the streams of stopped clients', after.wrong, { atMost: 0 })
    criteria.note('R-07', 'octets that came after they went on', after.octets - before.octets, { atLeast: 1 })
  },
}
