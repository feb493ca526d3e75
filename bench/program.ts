/** One SOCKS server as child processes of this one: started on loopback, waited for, ended. Knows none by name. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { type AddressInfo, connect, createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'

export interface Credentials {
  readonly user: string
  readonly password: string
}

/** What a start is told. */
export interface Terms {
  /** On 127.0.0.1, free a moment ago. */
  readonly port: number
  /** For its files; its own. */
  readonly folder: string
  readonly credentials?: Credentials
}

export interface Command {
  readonly command: string
  readonly args: readonly string[]
}

export interface Program {
  /** For `--programs`. */
  readonly key: string
  readonly name: string
  /** Files and programs without which it cannot run. */
  readonly needs: readonly string[]
  readonly can: { readonly password: boolean; readonly udp: boolean }
  /** As a person would type it, for the page. */
  readonly shown: string
  /** Everything to be started, in this order; the last one listens on `port`, and all of them count. */
  readonly commands: (terms: Terms) => Promise<readonly Command[]>
}

export interface Running {
  readonly program: Program
  /** Its `socks5://` URL. */
  readonly url: string
  readonly pids: readonly number[]
  end(): Promise<void>
}

export function isInstalled({ needs }: Program): boolean {
  return needs.every(need => spawnSync('sh', ['-c', 'command -v "$1"', 'sh', need]).status === 0)
}

/** Milliseconds that a server may take to listen, and to end. */
const START_MS = 60_000
const END_MS = 5_000
let starts = 0
const alive = new Set<ChildProcess>()

/** Ends everything that was started, at once: for a signal. */
export function killAll(): void {
  for (const child of alive) child.kill('SIGKILL')
}

/** Starts it and waits until it listens; throws when it does not. Its files go below `parent`. */
export async function start(program: Program, parent: string, credentials?: Credentials): Promise<Running> {
  const folder = join(parent, `${program.key}-${++starts}`)
  await mkdir(folder)
  const port = await freePort()
  const commands = await program.commands({ port, folder, ...(credentials === undefined ? {} : { credentials }) })
  const children: ChildProcess[] = []
  const login = credentials === undefined ? '' : `${credentials.user}:${credentials.password}@`
  const running: Running = {
    program,
    url: `socks5://${login}127.0.0.1:${port}`,
    pids: [],
    async end() {
      for (const child of children.toReversed()) await endChild(child)
    },
  }
  const output = openSync(join(folder, 'output'), 'a')
  for (const { command, args } of commands) {
    const child = spawn(command, args, { stdio: ['ignore', output, output] })
    alive.add(child)
    child.on('close', () => alive.delete(child))
    children.push(child)
  }
  closeSync(output)
  if (await isListening(children, port)) return { ...running, pids: children.map(({ pid }) => pid ?? 0) }
  await running.end()
  throw new Error(`${program.name} does not listen on 127.0.0.1:${port}; see ${folder}`)
}

async function endChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return
  const closed = once(child, 'close')
  child.kill('SIGTERM')
  const late = setTimeout(END_MS, undefined, { ref: false }).then(() => child.kill('SIGKILL'))
  await Promise.race([closed, late])
  await closed
}

async function isListening(children: readonly ChildProcess[], port: number): Promise<boolean> {
  const isAlive = (): boolean => children.every(({ exitCode, pid }) => exitCode === null && pid !== undefined)
  for (const untilMs = Date.now() + START_MS; Date.now() < untilMs && isAlive(); await setTimeout(20)) {
    const socket = connect(port, '127.0.0.1')
    const isOpen = await once(socket, 'connect').then(
      () => true,
      () => false,
    )
    socket.resetAndDestroy()
    if (isOpen) return true
  }
  return false
}

/** A TCP port of 127.0.0.1 that nobody listens on now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
