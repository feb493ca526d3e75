/**
 * Opens and closes tunnels through `socksmith serve`, each in one of the ways that a tunnel can end, and says what the
 * server holds afterwards. Loopback only. `--rounds N` (default 100,000), `--engine NAME`, `--workers N`. Exits with 1 when a
 * descriptor or a session is left.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, readdirSync } from 'node:fs'
import { type AddressInfo, type Socket, connect, createServer } from 'node:net'
import { readFlags } from './flags.ts'

/** Rounds at the same time. */
const AT_ONCE = 32
/** Before the first look: what a program makes once, and keeps. */
const WARM_UP_ROUNDS = 5_000
const ENGINES: readonly string[] = ['auto', 'linux', 'node']
/** As many as `serve` takes. */
const WORKERS_MAX = 64

/** How a round ends: by whom and how, or before there is a tunnel. */
const WAYS = ['fin', 'reset', 'target fin', 'target reset', 'refused', 'garbage', 'silent'] as const

const { values, refuse, whole } = readFlags('npm run endure -- [--rounds N] [--engine auto|linux|node] [--workers N]', {
  rounds: { type: 'string', default: '100000' },
  engine: { type: 'string', default: 'auto' },
  workers: { type: 'string', default: '2' },
})
const rounds = whole('--rounds', values.rounds, AT_ONCE, 10 ** 9)
const workers = whole('--workers', values.workers, 0, WORKERS_MAX)
if (!ENGINES.includes(values.engine)) refuse(`--engine ${values.engine}: there are ${ENGINES.join(', ')}`)

// The target does what the first octet says; an unknown one is echoed.
const target = createServer({ allowHalfOpen: true }, socket => {
  socket.on('error', () => {})
  socket.once('data', octets => {
    const [how] = octets.toString('latin1')
    if (how === 'f') socket.end('bye')
    else if (how === 'r') socket.resetAndDestroy()
    else socket.write(octets)
  })
  socket.on('end', () => socket.end())
}).listen(0, '127.0.0.1')
await once(target, 'listening')
const { port: targetPort } = target.address() as AddressInfo

const launcher = new URL('../packages/cli/bin/socksmith.js', import.meta.url).pathname
const flags = ['--listen', '127.0.0.1:0', '--engine', values.engine, '--workers', String(workers)]
const server = spawn(process.execPath, [launcher, 'serve', ...flags, '--log-file', '/dev/null'], {
  stdio: ['ignore', 'ignore', 'pipe'],
})
try {
  process.exitCode = await run()
} finally {
  server.kill('SIGTERM')
  target.close()
}

async function run(): Promise<number> {
  const port = await readyPort()
  await play(port, Math.min(rounds, WARM_UP_ROUNDS))
  const before = await look()
  const startedAt = Date.now()
  await play(port, rounds)
  const seconds = (Date.now() - startedAt) / 1_000
  const after = await look()
  process.stdout.write(`${rounds} rounds in ${seconds.toFixed(1)} s\n`)
  process.stdout.write(line('before', before) + line('after ', after))
  return after.descriptors <= before.descriptors && after.sessions.startsWith('0 ') ? 0 : 1
}

function line(what: string, { descriptors, mebibytes, sessions }: Held): string {
  return `${what}: ${descriptors} descriptors, ${mebibytes} MiB (PSS), ${sessions}\n`
}

async function play(port: number, count: number): Promise<void> {
  let next = 0
  const player = async (): Promise<void> => {
    while (next < count) await round(port, WAYS[next++ % WAYS.length] ?? 'fin')
  }
  await Promise.all(Array.from({ length: AT_ONCE }, player))
}

async function round(port: number, way: (typeof WAYS)[number]): Promise<void> {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => {})
  // An error closes it too; then there is no `connect`.
  const closed = new Promise<void>(resolve => socket.once('close', () => resolve()))
  await Promise.race([once(socket, 'connect').catch(() => {}), closed])
  const dialled = way === 'refused' ? 1 : targetPort
  if (way === 'garbage') socket.end('GARBAGE\r\n\r\n')
  else if (way === 'silent') socket.destroy()
  else {
    socket.write(Buffer.from([5, 1, 0, 5, 1, 0, 1, 127, 0, 0, 1, dialled >> 8, dialled & 0xff]))
    await octets(socket, 12, closed)
    if (way === 'target fin' || way === 'target reset') socket.write(way === 'target fin' ? 'f' : 'r')
    else if (way !== 'refused') {
      socket.write('echo')
      await octets(socket, 4, closed)
      if (way === 'fin') socket.end()
      else socket.resetAndDestroy()
    }
  }
  socket.resume()
  await closed
}

async function octets(socket: Socket, count: number, closed: Promise<void>): Promise<void> {
  let missing = count
  const enough = new Promise<void>(resolve => {
    socket.on('data', chunk => {
      missing -= chunk.length
      if (missing <= 0) resolve()
    })
  })
  await Promise.race([enough, closed])
  socket.removeAllListeners('data')
}

interface Held {
  readonly descriptors: number
  readonly mebibytes: number
  /** The server's own words. */
  readonly sessions: string
}

/** What the server holds, once it has no session any more. */
async function look(): Promise<Held> {
  for (;;) {
    const said = nextLine(/live sessions?/)
    server.kill('SIGUSR2')
    const sessions = await said
    if (!sessions.startsWith('0 ')) continue
    const pss = /^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${server.pid}/smaps_rollup`, 'utf8'))
    const descriptors = readdirSync(`/proc/${server.pid}/fd`).length
    return { descriptors, mebibytes: Math.round(Number(pss?.[1]) / 1_024), sessions }
  }
}

async function readyPort(): Promise<number> {
  const ready = await nextLine(/ready on/)
  return Number(/ on 127\.0\.0\.1:(\d+) /.exec(ready)?.[1])
}

function nextLine(wanted: RegExp): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    const onData = (chunk: Buffer): void => {
      text += chunk.toString()
      const line = text.split('\n').find(one => wanted.test(one))
      if (line === undefined) return
      server.stderr.off('data', onData)
      resolve(line)
    }
    server.stderr.on('data', onData)
    server.once('close', () => reject(new Error(`the server ended: ${text}`)))
  })
}
