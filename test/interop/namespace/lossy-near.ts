/**
 * Runs in a network namespace of its own (see lossy-network.test.ts): a bad line to another one, the real server at this end,
 * and clients at both, so that the line is behind the server for some and before it for others. Writes, as JSON, what the
 * ends, the line and the server's log tell. With ROUNDS=5 it measures: so often the same streams, directly and by the server.
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { PYTHON } from '../program.ts'
import { type Answer, LIMITS_S, type LinkCounts, OCTETS, type Report, type Task } from './lossy-task.ts'
import { run, startServer } from './serve.ts'

const NEAR = '10.9.1.1'
const FAR = '10.9.1.2'
const PROXY = `socks5://${NEAR}:1080`
/** Reno is in every kernel, and slows down for each loss. */
const { SEED = '30', ROUNDS = '0', CONGESTION = 'reno' } = process.env

/** A child that answers each line of its input with one. */
interface Child {
  readonly process: ChildProcessByStdio<Writable, Readable, null>
  readonly lines: AsyncIterator<string, undefined>
}

process.on('SIGTERM', () => process.exit(1))
const end = [
  process.execPath,
  '--conditions=@socksmith/source',
  fileURLToPath(new URL('lossy-end.ts', import.meta.url)),
]
const [near, far, link] = await Promise.all([
  start(end),
  start(['unshare', '-n', ...end]),
  start([PYTHON, fileURLToPath(new URL('lossy-link.py', import.meta.url)), 'near', 'far', SEED]),
])
layLink(far.process.pid)
const limits = Object.entries(LIMITS_S).flatMap(([name, seconds]) => ['--limit', `${name}=${seconds}s`])
const open = ['--listen', `${NEAR}:1080`, '--danger-open-proxy', '--access-inside-open', '10.9.1.0/24']
const server = await startServer([...open, ...limits, '--log-format', 'json', ...process.argv.slice(2)])
const log = text(server.stdout)
if (ROUNDS === '0') process.stdout.write(`${JSON.stringify(await report())}\n`)
else await measure(Number(ROUNDS))
process.exit()

async function report(): Promise<Report> {
  const answers = await Promise.all([
    ask<Answer>(near, { kind: 'everything', via: PROXY, host: FAR }),
    ask<Answer>(far, { kind: 'everything', via: PROXY, host: NEAR }),
  ])
  server.kill()
  const sessions = (await log).split('\n').filter(line => line.includes('"id"'))
  link.process.stdin.end()
  const counts = await lineOf<readonly LinkCounts[]>(link)
  return { answers, link: counts, sessions: sessions.map(line => JSON.parse(line) as Report['sessions'][number]) }
}

/** Directly and by the server in turns, over the same line; of all streams of a kind, the median. */
async function measure(rounds: number): Promise<void> {
  const kinds = [
    { name: 'the line behind the server', end: near, host: FAR },
    { name: 'the line before the server', end: far, host: NEAR },
  ].map(kind => ({ ...kind, direct: [] as number[], proxied: [] as number[] }))
  for (let round = 0; round < rounds; round += 1) {
    for (const { end: child, host, direct, proxied } of kinds) {
      direct.push(...(await ask<Answer>(child, { kind: 'streams', via: undefined, host })).streams)
      proxied.push(...(await ask<Answer>(child, { kind: 'streams', via: PROXY, host })).streams)
    }
  }
  for (const { name, direct, proxied } of kinds) {
    const [alone, by] = [rateOf(direct), rateOf(proxied)]
    const share = `${Math.round((by / alone) * 100)} %`
    process.stdout.write(`${name}: ${by.toFixed(1)} KiB/s each way, ${alone.toFixed(1)} without it: ${share}\n`)
  }
}

/** KiB in a second of the stream in the middle. */
function rateOf(times: readonly number[]): number {
  return OCTETS / 1_024 / ((times.toSorted((one, other) => one - other)[times.length >> 1] ?? Number.NaN) / 1_000)
}

async function start([program = '', ...args]: readonly string[]): Promise<Child> {
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] })
  process.on('exit', () => child.kill())
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  if ((await lines.next()).value !== 'ready') throw new Error(`${program} did not start`)
  return { process: child, lines }
}

async function ask<T>(child: Child, task: Task): Promise<T> {
  child.process.stdin.write(`${JSON.stringify(task)}\n`)
  return lineOf<T>(child)
}

async function lineOf<T>({ process: child, lines }: Child): Promise<T> {
  const { value } = await lines.next()
  if (value === undefined) throw new Error(`${child.spawnfile} has ended`)
  return JSON.parse(value) as T
}

function layLink(pid: number | undefined): void {
  const there = `nsenter -t ${pid} -n ip`
  run('ip link set lo up')
  run(`${there} link set lo up`)
  run(`ip link set far netns ${pid}`)
  run(`ip addr add ${NEAR}/24 dev near`)
  run(`${there} addr add ${FAR}/24 dev far`)
  run('ip link set near up')
  run(`${there} link set far up`)
  run(`ip route replace 10.9.1.0/24 dev near congctl ${CONGESTION}`)
  run(`${there} route replace 10.9.1.0/24 dev far congctl ${CONGESTION}`)
}
