/**
 * How exactly bandwidth is kept, how evenly it is shared, and what a limit costs: by the real command on loopback, with a
 * target and clients in this process. Writes a table; judges nothing.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { type AddressInfo, type Socket, connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { median } from '@socksmith/instruments/bench'
import { readFlags } from './flags.ts'

readFlags('npm run bench:limits', {})

const SPEEDS_MBIT = [1, 10, 100]
const SESSIONS = [1, 8]
const PRECISION_MS = 10_000
const COST_MS = 4_000
const COST_ROUNDS = 3
/** Ticks of a second in /proc/PID/stat, on every Linux that Node runs on. */
const TICKS = 100
const CHUNK = Buffer.alloc(65_536)

interface Proxy {
  readonly child: ChildProcess
  readonly port: number
}

const folder = await mkdtemp(join(tmpdir(), 'socksmith-bench-limits-'))
const target = createServer(socket => {
  socket.on('error', () => {})
  const fill = (): void => {
    while (socket.writable && socket.write(CHUNK));
  }
  socket.on('drain', fill)
  fill()
})
target.listen(0, '127.0.0.1')
await once(target, 'listening')
const { port: targetPort } = target.address() as AddressInfo

async function startProxy(name: string, limit: string | undefined): Promise<Proxy> {
  const policy = join(folder, `${name}.yaml`)
  const limits = limit === undefined ? '' : `limits:\n  bench: { per: all, bandwidth: ${limit} }\n`
  await writeFile(policy, `${limits}rules:\n  - allow: everything\n${limit === undefined ? '' : '    limits: bench\n'}`)
  const args = [
    'packages/cli/bin/socksmith.js',
    'serve',
    '--listen',
    '127.0.0.1:0',
    '--policy',
    policy,
    '--workers',
    '2',
  ]
  const child = spawn(process.execPath, [...args, '--log-sessions', 'none'], { stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  for await (const chunk of child.stderr.iterator({ destroyOnReturn: false })) {
    said += String(chunk)
    const port = /ready on 127\.0\.0\.1:(\d+)/.exec(said)?.[1]
    if (port !== undefined) return { child, port: Number(port) }
  }
  throw new Error(`the server did not start: ${said}`)
}

/** Octets that each session got in this time, counted from its first one. */
async function download(port: number, sessions: number, ms: number): Promise<readonly number[]> {
  const sockets: Socket[] = []
  const counts = Array.from({ length: sessions }, () => 0)
  for (let i = 0; i < sessions; i++) {
    const socket = connect(port, '127.0.0.1')
    sockets.push(socket)
    await once(socket, 'connect')
    socket.write(Buffer.from([5, 1, 0, 5, 1, 0, 1, 127, 0, 0, 1, targetPort >> 8, targetPort & 0xff]))
    socket.on('error', () => {})
    socket.on('data', octets => (counts[i] = (counts[i] ?? 0) + octets.length))
  }
  while (counts.some(count => count === 0)) await sleep(1)
  const [before, begun] = [[...counts], performance.now()]
  await sleep(ms)
  const scale = ms / (performance.now() - begun)
  const got = counts.map((count, index) => (count - (before[index] ?? 0)) * scale)
  for (const socket of sockets) socket.destroy()
  return got
}

async function cpuSeconds({ child }: Proxy): Promise<number> {
  const text = await readFile(`/proc/${child.pid}/stat`, 'utf8')
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / TICKS
}

async function precision(mbit: number): Promise<readonly string[]> {
  const proxy = await startProxy(`precise-${mbit}`, `${mbit}Mbit/s`)
  const rows: string[] = []
  for (const sessions of SESSIONS) {
    const got = await download(proxy.port, sessions, PRECISION_MS)
    const sum = got.reduce((one, other) => one + other, 0)
    const measured = (sum * 8) / (PRECISION_MS * 1_000)
    const off = (measured / mbit - 1) * 100
    // Jain's index: 1 is equal parts.
    const fairness = (sum * sum) / (got.length * got.reduce((all, one) => all + one * one, 0))
    rows.push(
      `| ${mbit} Mbit/s | ${sessions} | ${measured.toFixed(3)} Mbit/s | ${off.toFixed(1)} % | ${fairness.toFixed(4)} |`,
    )
    await sleep(500)
  }
  proxy.child.kill()
  return rows
}

interface Cost {
  readonly mibPerSecond: number
  readonly cpuPerGib: number
}

async function cost(proxy: Proxy): Promise<Cost> {
  const before = await cpuSeconds(proxy)
  const [octets = 0] = await download(proxy.port, 1, COST_MS)
  const cpu = (await cpuSeconds(proxy)) - before
  return { mibPerSecond: octets / 1_048_576 / (COST_MS / 1_000), cpuPerGib: cpu / (octets / 1_073_741_824) }
}

const rows = await Promise.all(SPEEDS_MBIT.map(precision))
console.log('| limit | sessions | measured over 10 s | off by | fairness (Jain) |\n|---|---|---|---|---|')
console.log(rows.flat().join('\n'))
const proxies = { 'no limit': await startProxy('free', undefined), '80Gbit/s': await startProxy('wide', '80Gbit/s') }
const costs: { [name: string]: Cost[] } = {}
for (let round = 0; round < COST_ROUNDS; round++) {
  for (const [name, proxy] of Object.entries(proxies)) (costs[name] ??= []).push(await cost(proxy))
}
console.log('\n| one stream under | MiB/s | CPU s a GiB |\n|---|---|---|')
for (const [name, all] of Object.entries(costs)) {
  const [rate, cpu] = [median(all.map(one => one.mibPerSecond)), median(all.map(one => one.cpuPerGib))]
  console.log(`| ${name} | ${rate.toFixed(0)} | ${cpu.toFixed(3)} |`)
}
for (const { child } of Object.values(proxies)) child.kill()
target.close()
await rm(folder, { recursive: true, force: true })
process.exit(0)
