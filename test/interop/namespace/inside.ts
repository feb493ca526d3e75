/**
 * Runs in a network namespace of its own (see ways-linux.test.ts): a target in a further one, two links to it, and the real
 * command between. Writes, as JSON, from which addresses the target was reached by each user, whose rule has his way.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { connect, createUdpSocket } from '@socksmith/client'
import { run, startServer } from './serve.ts'

const FAR = '10.9.9.9'
const FAR_IPV6 = '2001:db8:9::9'
const PORT = 7_000

const target = spawn(
  'unshare',
  ['-n', process.execPath, '--conditions=@socksmith/source', fileURLToPath(new URL('target.ts', import.meta.url))],
  { stdio: ['pipe', 'pipe', 'inherit'] },
)
process.on('exit', () => target.kill())
process.on('SIGTERM', () => process.exit(1))
await once(target.stdout, 'data')
layLinks(String(target.pid))

const users = ['straight', 'device', 'marked', 'gone', 'prefix', 'same']
const flags = users.flatMap(name => ['--user', `${name}:sesame`])
const serving = ['--config', 'a.yaml', '--listen', '127.0.0.1:1080', '--engine', 'linux', '--workers', '1']
const server = await startServer([...serving, ...flags])
server.stdout.resume()
const seen: { [user: string]: readonly string[] } = {}
for (const user of ['straight', 'device', 'marked']) seen[user] = [await byTcp(user, FAR), await byUdp(user)]
seen['gone'] = [await byTcp('gone', FAR)]
for (const user of ['prefix', 'same']) seen[user] = [await byTcp(user, FAR_IPV6), await byTcp(user, FAR_IPV6)]
process.stdout.write(`${JSON.stringify(seen)}\n`)
process.exit()

function via(user: string): string {
  return `socks5h://${user}:sesame@127.0.0.1:1080`
}

async function byTcp(user: string, host: string): Promise<string> {
  try {
    return await text(await connect({ via: via(user), host, port: PORT, timeout: 20_000 }))
  } catch {
    return 'refused'
  }
}

async function byUdp(user: string): Promise<string> {
  const socket = await createUdpSocket({ via: via(user) })
  const answer = once(socket, 'message') as Promise<[Uint8Array]>
  socket.send('where from', PORT, FAR)
  const [octets] = await answer
  socket.close()
  return Buffer.from(octets).toString()
}

/** Two links; everything goes by the first, unless it is told otherwise. */
function layLinks(pid: string): void {
  const there = `nsenter -t ${pid} -n ip`
  const commands = [
    'ip link set lo up',
    `${there} link set lo up`,
    ...[1, 2].flatMap(n => [
      `ip link add near${n} type veth peer name far${n} netns ${pid}`,
      `ip addr add 10.9.${n}.1/24 dev near${n}`,
      `ip -6 addr add fd09:${n}::1/64 dev near${n} nodad`,
      `ip link set near${n} up`,
      `${there} addr add 10.9.${n}.2/24 dev far${n}`,
      `${there} -6 addr add fd09:${n}::2/64 dev far${n} nodad`,
      `${there} link set far${n} up`,
      `ip route add ${FAR} via 10.9.${n}.2 metric ${n * 100}`,
    ]),
    `${there} addr add ${FAR}/32 dev lo`,
    // A datagram is answered from where it was sent to.
    ...[1, 2].map(n => `${there} route replace 10.9.${n}.0/24 dev far${n} src ${FAR}`),
    `${there} -6 addr add ${FAR_IPV6}/128 dev lo nodad`,
    `ip -6 route add ${FAR_IPV6} via fd09:1::2`,
    'ip -6 route add local 2001:db8:1::/64 dev lo',
    `${there} -6 route add 2001:db8:1::/64 via fd09:1::1`,
    'ip rule add fwmark 7 table 77',
    `ip route add ${FAR} via 10.9.2.2 table 77`,
  ]
  for (const command of commands) run(command)
}
