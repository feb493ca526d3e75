/** The proxies that can be measured, as child processes: how each is started, and the processor time it takes. */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, readdirSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { type AddressInfo, connect, createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'

export interface Proxy {
  readonly name: string
  readonly port: number
  /** Seconds of processor time so far, of all its processes. */
  cpuSeconds(): number
  end(): Promise<void>
}

interface Program {
  readonly name: string
  readonly command: string
  /** `folder` is for a configuration file. */
  args(port: number, folder: string): Promise<readonly string[]> | readonly string[]
}

const LAUNCHER = join(import.meta.dirname, '../packages/cli/bin/socksmith.js')

/** The first is ours; of the others, those that are installed. All on 127.0.0.1, without a password. */
const PROGRAMS: readonly Program[] = [
  {
    name: 'socksmith, portable engine',
    command: process.execPath,
    args: port => [LAUNCHER, 'serve', '--engine', 'node', '--listen', `127.0.0.1:${port}`],
  },
  {
    name: 'socksmith, Linux engine',
    command: process.execPath,
    args: port => [LAUNCHER, 'serve', '--engine', 'linux', '--listen', `127.0.0.1:${port}`],
  },
  { name: 'microsocks', command: 'microsocks', args: port => ['-i', '127.0.0.1', '-p', String(port)] },
  {
    name: 'Dante',
    command: 'danted',
    async args(port, folder) {
      const path = join(folder, 'danted.conf')
      await writeFile(path, danteConfiguration(port))
      return ['-f', path, '-p', join(folder, 'danted.pid')]
    },
  },
]

/** Starts every proxy that is installed here; `folder` is for their files. */
export async function startProxies(folder: string): Promise<readonly Proxy[]> {
  const proxies: Proxy[] = []
  try {
    for (const program of PROGRAMS) if (isInstalled(program)) proxies.push(await start(program, folder))
  } catch (error) {
    await Promise.all(proxies.map(proxy => proxy.end()))
    throw error
  }
  return proxies
}

function isInstalled({ command }: Program): boolean {
  return spawnSync('sh', ['-c', 'command -v "$1"', 'sh', command]).status === 0
}

/** Milliseconds that a proxy may take to listen. */
const START_MS = 10_000

async function start(program: Program, folder: string): Promise<Proxy> {
  const port = await freePort()
  const child = spawn(program.command, await program.args(port, folder), { stdio: 'ignore' })
  const closed = once(child, 'close')
  const proxy: Proxy = {
    name: program.name,
    port,
    cpuSeconds: () => cpuSeconds(child.pid ?? 0),
    async end() {
      child.kill('SIGTERM')
      const late = setTimeout(START_MS, undefined, { ref: false }).then(() => child.kill('SIGKILL'))
      await Promise.race([closed, late])
      await closed
    },
  }
  if (await isListening(child, port)) return proxy
  await proxy.end()
  throw new Error(`${program.name} does not listen on 127.0.0.1:${port}`)
}

async function isListening(child: ChildProcess, port: number): Promise<boolean> {
  for (const untilMs = Date.now() + START_MS; Date.now() < untilMs && child.exitCode === null; await setTimeout(20)) {
    const socket = connect(port, '127.0.0.1')
    const isOpen = await once(socket, 'connect').then(
      () => true,
      () => false,
    )
    socket.destroy()
    if (isOpen) return true
  }
  return false
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

const TICKS_PER_SECOND = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }))

/** Of the process, the children it has and those it had (proc(5): utime, stime, cutime, cstime). */
function cpuSeconds(root: number): number {
  const processes = readdirSync('/proc').filter(name => /^\d+$/.test(name))
  const stats = new Map(processes.map(name => [Number(name), readStat(name)]))
  const isOurs = (pid: number): boolean => pid === root || (pid > 1 && isOurs(stats.get(pid)?.parent ?? 0))
  let ticks = 0
  for (const [pid, stat] of stats) if (isOurs(pid)) ticks += stat?.ticks ?? 0
  return ticks / TICKS_PER_SECOND
}

function readStat(name: string): { readonly parent: number; readonly ticks: number } | undefined {
  try {
    const text = readFileSync(`/proc/${name}/stat`, 'utf8')
    // The second field is the program's name, which may hold spaces and brackets.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    return { parent: Number(fields[1]), ticks: fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0) }
  } catch {
    return undefined // It ended since it was listed.
  }
}

function danteConfiguration(port: number): string {
  return `logoutput: /dev/null
internal: 127.0.0.1 port = ${port}
external: 127.0.0.1
clientmethod: none
socksmethod: none
client pass { from: 127.0.0.0/8 to: 0.0.0.0/0 }
socks pass { from: 127.0.0.0/8 to: 0.0.0.0/0 command: connect }
`
}
