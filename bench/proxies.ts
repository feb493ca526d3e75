/** The proxies that are measured: ours, and others that are installed. Each is a child process on loopback. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface Proxy {
  readonly name: string
  readonly port: number
  /** CPU seconds used so far, children included. */
  cpuSeconds(): number
  stop(): Promise<void>
}

/** Clock ticks of /proc a second, on every Linux that we know. */
const TICKS = 100

export async function startProxies(): Promise<Proxy[]> {
  const folder = mkdtempSync(join(tmpdir(), 'socksmith-bench-'))
  const log = join(folder, 'sessions.log')
  const proxies = [
    await start('socksmith, portable engine', port => [
      process.execPath,
      ['packages/cli/bin/socksmith.js', 'serve', '--listen', `127.0.0.1:${port}`, '--log-file', log],
    ]),
  ]
  if (isInstalled('microsocks')) {
    proxies.push(await start('microsocks', port => ['microsocks', ['-i', '127.0.0.1', '-p', String(port)]]))
  }
  if (isInstalled('danted')) {
    proxies.push(await start('Dante', port => ['danted', ['-f', danteConfig(folder, port)]]))
  }
  return proxies
}

async function start(name: string, command: (port: number) => readonly [string, readonly string[]]): Promise<Proxy> {
  const port = await freePort()
  const [program, args] = command(port)
  const child = spawn(program, args, { stdio: 'ignore' })
  process.once('exit', () => child.kill('SIGKILL'))
  await reachable(port, child)
  return {
    name,
    port,
    cpuSeconds: () => family(child.pid ?? 0).reduce((sum, pid) => sum + ticksOf(pid), 0) / TICKS,
    async stop() {
      const closed = once(child, 'close')
      for (const pid of family(child.pid ?? 0)) process.kill(pid, 'SIGKILL')
      await closed
    },
  }
}

function isInstalled(program: string): boolean {
  return spawnSync('sh', ['-c', 'command -v "$1"', 'sh', program]).status === 0
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  return address !== null && typeof address === 'object' ? address.port : 0
}

async function reachable(port: number, child: ChildProcess): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    if (child.exitCode !== null) throw new Error(`${child.spawnfile} ended with ${child.exitCode}`)
    const socket = connect(port, '127.0.0.1')
    const isOpen = await new Promise<boolean>(resolve => {
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    })
    socket.destroy()
    if (isOpen) return
    await new Promise(resolve => setTimeout(resolve, 25))
  }
  throw new Error(`${child.spawnfile} does not listen`)
}

function danteConfig(folder: string, port: number): string {
  const path = join(folder, 'danted.conf')
  const lines = [
    'logoutput: /dev/null',
    `internal: 127.0.0.1 port = ${port}`,
    'external: 127.0.0.1',
    'clientmethod: none',
    'socksmethod: none',
    'client pass { from: 0/0 to: 0/0 }',
    'socks pass { from: 0/0 to: 0/0 }',
  ]
  writeFileSync(path, `${lines.join('\n')}\n`)
  return path
}

/** The process and all below it. */
function family(pid: number): number[] {
  const listed = spawnSync('ps', ['-o', 'pid=', '--ppid', String(pid)], { encoding: 'utf8' }).stdout
  return [
    pid,
    ...listed
      .split('\n')
      .filter(Boolean)
      .flatMap(line => family(Number(line))),
  ]
}

// Fields 14 and 15 of stat are user and system time; the name in field 2 may hold blanks.
function ticksOf(pid: number): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
    return Number(fields[11]) + Number(fields[12])
  } catch {
    return 0
  }
}
