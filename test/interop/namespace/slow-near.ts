/**
 * Runs in a network namespace of its own (see slow-network.test.ts): a link of 64 kbit/s and short packets to another one, the
 * real server at this end, and ten seconds in which nothing gets through. Writes what the far end tells.
 */
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { setTimeout as pass } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { run, startServer } from './serve.ts'

const NEAR = '10.9.1.1'
const FAR = '10.9.1.2'
const BLACK_OUT_MS = 10_000
/** What would wait longer in front of the link is lost, and has to be sent again. */
const SLOW = 'tbf rate 64kbit burst 2kb latency 400ms'
const SILENT = 'blackhole'

const far = spawn(
  'unshare',
  [
    '-n',
    process.execPath,
    '--conditions=@socksmith/source',
    fileURLToPath(new URL('slow-far.ts', import.meta.url)),
    `socks5://${NEAR}:1080`,
    FAR,
  ],
  { stdio: ['pipe', 'pipe', 'inherit'] },
)
process.on('exit', () => far.kill())
process.on('SIGTERM', () => process.exit(1))
const lines = createInterface({ input: far.stdout })[Symbol.asyncIterator]()
await lines.next()
layLink(far.pid)
shape(SLOW)
const open = ['--listen', `${NEAR}:1080`, '--danger-open-proxy', '--access-inside-open', `${FAR}/32`]
const server = await startServer([...open, ...process.argv.slice(2)])
server.stdout.resume()
far.stdin.write('begin\n')
await lines.next()
shape(SILENT)
await pass(BLACK_OUT_MS)
shape(SLOW)
const { value } = await lines.next()
process.stdout.write(`${value}\n`)
process.exit()

function layLink(pid: number | undefined): void {
  const there = `nsenter -t ${pid} -n ip`
  run('ip link set lo up')
  run(`${there} link set lo up`)
  run(`ip link add near type veth peer name far netns ${pid}`)
  run(`ip addr add ${NEAR}/24 dev near`)
  run(`${there} addr add ${FAR}/24 dev far`)
  run('ip link set near mtu 600 up')
  run(`${there} link set far mtu 600 up`)
}

/** Both directions of the link. */
function shape(discipline: string): void {
  run(`tc qdisc replace dev near root ${discipline}`)
  run(`nsenter -t ${far.pid} -n tc qdisc replace dev far root ${discipline}`)
}
