/** A row of the plan by itself: in the plan's own amounts, held to its own limits, on a server that nobody else loads. */
import { once } from 'node:events'
import { type AddressInfo, type Server, type Socket, createServer } from 'node:net'
import { type ProxyPorts, openTunnel, take } from '../client.ts'
import type { Bound } from '../criteria.ts'
import type { Random } from '../../simulation/world/random.ts'
import type { Served, StartOptions } from '../served.ts'
import type { Keys } from '../server-files.ts'
import { type StageFiles, p99, wait } from '../stage.ts'
import type { Targets } from '../targets.ts'

export interface Trial {
  /** Rows of the table in docs/reliability.md. */
  readonly rows: readonly string[]
  readonly name: string
  /** Why it cannot be had here. */
  readonly cannot?: (setting: Setting) => string | undefined
  run(setting: Setting): Promise<void>
}

export interface Setting {
  readonly engine: 'linux' | 'node'
  readonly workers: number
  /** True in a network of its own, where some addresses lead nowhere. */
  readonly ownNetwork: boolean
  readonly targets: Targets
  readonly random: Random
  /**
   * Starts a server with these keys of its configuration, warms it up, has the work done at it, and looks whether it is healthy
   * afterwards, unless the work has ended it. Then it is gone.
   */
  readonly serve: (keys: Keys, work: (stand: Stand) => Promise<void>, how?: ServeOptions) => Promise<void>
  /** Notes a figure of the row, and what the plan asks of it. */
  readonly note: Note
}

export type Note = (what: string, figure: number, bound?: Bound) => void

export interface ServeOptions extends StartOptions {
  /** The server's wall clock is that of `files.clock`. */
  readonly hasClock?: boolean
  /** Changes the files before the start. */
  readonly prepare?: (files: StageFiles) => void
}

/** A server of its own, and what it was started with. */
export interface Stand {
  readonly served: Served
  readonly files: StageFiles
}

/** Milliseconds from the dial until an octet has come back. */
export async function openMs(ports: ProxyPorts, echo: number): Promise<number> {
  const startedAt = performance.now()
  const socket = await openTunnel(ports, 'socks5', { port: echo })
  socket.write('x')
  await take(socket, 1)
  socket.resetAndDestroy()
  return performance.now() - startedAt
}

/** The work again and again, one after the other, as long as the trouble lasts; what came of it. */
export async function during<T>(trouble: Promise<unknown>, work: () => Promise<T>): Promise<readonly T[]> {
  const all: T[] = []
  const state = { isOver: false }
  const over = trouble.finally(() => (state.isOver = true))
  while (!state.isOver) all.push(await work())
  await over
  return all
}

/** Between two looks of somebody who has nothing to do with a trouble. */
const OTHERS_EVERY_MS = 10

/** The p99, in milliseconds, of tunnels for an octet there and back, one after the other as long as the trouble lasts. */
export async function othersP99Ms(ports: ProxyPorts, echo: number, trouble: Promise<unknown>): Promise<number> {
  const all = await during(trouble, async () => {
    const ms = await openMs(ports, echo)
    await wait(OTHERS_EVERY_MS)
    return ms
  })
  return p99(all)
}

/** A target in this process, whose ends can be watched. */
export class NearTarget {
  readonly #server: Server
  readonly port: number

  private constructor(server: Server) {
    this.#server = server
    this.port = (server.address() as AddressInfo).port
  }

  static async start(onSocket: (socket: Socket) => void = () => {}): Promise<NearTarget> {
    const server = createServer({ allowHalfOpen: true }, socket => {
      socket.on('error', () => {})
      onSocket(socket)
    })
    server.listen({ port: 0, host: '127.0.0.1', backlog: 4_096 })
    await once(server, 'listening')
    return new NearTarget(server)
  }

  /** A tunnel to it, by both its ends. One after the other, so that they belong together. */
  async pair(ports: ProxyPorts): Promise<{ readonly client: Socket; readonly target: Socket }> {
    const accepted = once(this.#server, 'connection') as Promise<[Socket]>
    const client = await openTunnel(ports, 'socks5', { port: this.port })
    return { client, target: (await accepted)[0] }
  }

  close(): void {
    this.#server.close()
  }
}
