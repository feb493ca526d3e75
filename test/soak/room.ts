/**
 * A network and a mount table of its own for the soak: nothing can leave the machine, some addresses lead nowhere, and a small
 * file system can be made full. Where the system does not allow that, the soak runs without.
 */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'

/** Set for the process inside. */
const INSIDE = 'SOCKSMITH_SOAK_ROOM'

const ROOM = ['--net', '--mount', ...(process.getuid?.() === 0 ? [] : ['--map-root-user'])]

// A packet that is sent to the loopback device for an address that is not of this machine is dropped there, in silence.
const SET_UP = [
  'ip link set lo up',
  'ip route add 198.51.100.0/24 dev lo src 127.0.0.1',
  'ip route add prohibit 203.0.113.0/25',
  'ip route add unreachable 203.0.113.128/25',
  // A thousand streams that nobody reads would fill all the memory that the kernel has for TCP, which then resets anybody's.
  "echo '4096 65536 262144' > /proc/sys/net/ipv4/tcp_rmem",
  "echo '4096 65536 262144' > /proc/sys/net/ipv4/tcp_wmem",
].join(' && ')

/** True when this process is in such a room. */
export function isInside(): boolean {
  return process.env[INSIDE] === 'ready'
}

/** Runs this program once more in a room, and answers its exit code; `undefined` where there can be none. */
export async function runInside(): Promise<number | undefined> {
  if (process.env[INSIDE] !== undefined) return undefined
  if (spawnSync('unshare', [...ROOM, 'sh', '-c', SET_UP]).status !== 0) return undefined
  const again = [process.execPath, ...process.execArgv, ...process.argv.slice(1)]
  const child = spawn('unshare', [...ROOM, 'sh', '-c', `${SET_UP} && exec "$@"`, 'sh', ...again], {
    stdio: 'inherit',
    env: { ...process.env, [INSIDE]: 'ready' },
  })
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal))
  const [code] = (await once(child, 'close')) as [number | null]
  return code ?? 1
}
