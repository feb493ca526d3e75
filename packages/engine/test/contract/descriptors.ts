/** A process that runs out of descriptors lives, keeps what it has, spins not, and takes new ones as soon as it can. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { test } from 'node:test'
import { ipPlace, plainClient, plainServer, portOf, until } from './scene.ts'
import type { Peer } from './scene.ts'
import type { Told } from './descriptor-server.ts'

const DESCRIPTORS = 64
const CLIENTS = 100

/**
 * Runs the contract of an engine whose process has no descriptor left. `newcomers` says what becomes of those who come then:
 * they are closed, or wait in the kernel's queue for their turn.
 */
export function descriptorContract(engine: 'linux' | 'node', newcomers: 'closed' | 'waiting', cannot?: string): void {
  test(
    `out of descriptors: held tunnels go on, newcomers are ${newcomers}, and all is well once some are free`,
    { skip: cannot ?? (existsSync('/proc/self/limits') ? false : 'the limit cannot be read here'), timeout: 60_000 },
    () => runOut(engine, newcomers),
  )
}

async function runOut(engine: 'linux' | 'node', newcomers: 'closed' | 'waiting'): Promise<void> {
  const target = await plainServer()
  const { child, told } = start(portOf(target.place), engine)
  try {
    await until(() => told.some(one => one.kind === 'port'), 'the child listens')
    const port = told.find(one => one.kind === 'port')?.port ?? 0
    const clients: Peer[] = []
    for (let i = 0; i < CLIENTS; i++) clients.push((await plainClient(ipPlace('127.0.0.1', port))).listen())
    await until(() => told.some(one => one.kind === 'accept-failure'), 'descriptors have run out')
    const known = (): number => target.peers.length + clients.filter(isOver).length
    if (newcomers === 'closed') await until(() => known() === CLIENTS, 'every client knows')
    else await until(() => target.peers.length >= 4, 'some are served')
    const before = await settled(child, told)
    const failures = told.filter(one => one.kind === 'accept-failure')
    assert.deepEqual(failures, [{ kind: 'accept-failure', errno: 'EMFILE' }], 'told once, not for each')
    const held = target.peers.length
    assert.ok(held >= 4 && held < DESCRIPTORS / 2, `${held} are held`)
    assert.equal(before.relays, held)
    assert.equal(clients.filter(isOver).length, newcomers === 'closed' ? CLIENTS - held : 0)

    for (const [i, peer] of target.peers.entries()) peer.listen().socket.write(`still ${i}`)
    const served = (): Peer[] => clients.filter(client => client.text.startsWith('still '))
    await until(() => served().length === held, 'held tunnels go on')
    const idleFrom = Date.now()
    await until(() => Date.now() - idleFrom >= 1_000, 'a second passed')
    const spent = (await measure(child, told)).cpuMicroseconds - before.cpuMicroseconds
    assert.ok(spent < 500_000, `no spinning: ${spent} microseconds of CPU in a second`)

    for (const client of served()) client.socket.destroy()
    for (const peer of target.peers.slice(0, held)) peer.socket.destroy()
    if (newcomers === 'closed') {
      // Nobody waits for a free one: who comes too early would be closed too.
      while ((await measure(child, told)).relays > 0);
      clients.push((await plainClient(ipPlace('127.0.0.1', port))).listen())
    }
    await until(() => target.peers.length > held, 'the next one has its turn')
    target.peers[held]?.socket.write('fresh')
    await until(() => clients.some(client => client.text === 'fresh'), 'and it carries')
    assert.equal(child.exitCode, null)
    for (const client of clients) client.socket.destroy()
    for (const peer of target.peers) peer.socket.destroy()
  } finally {
    child.kill('SIGKILL')
    target.close()
  }
}

/** What the child holds, once that does not change any more. */
async function settled(child: ChildProcess, told: Told[]): Promise<Told & { kind: 'measured' }> {
  let last = await measure(child, told)
  for (let same = 0; same < 20;) {
    const now = await measure(child, told)
    same = now.relays === last.relays ? same + 1 : 0
    last = now
  }
  return last
}

function isOver(client: Peer): boolean {
  return client.hasEnd || client.hasClosed
}

function start(targetPort: number, engine: string): { child: ChildProcess; told: Told[] } {
  const told: Told[] = []
  const script = fileURLToPath(new URL('descriptor-server.ts', import.meta.url))
  const run = `ulimit -n ${DESCRIPTORS} && exec "$0" --conditions=@socksmith/source "$1" "$2" "$3"`
  const child = spawn('/bin/sh', ['-c', run, process.execPath, script, String(targetPort), engine], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  child.on('message', one => told.push(one as Told))
  return { child, told }
}

async function measure(child: ChildProcess, told: Told[]): Promise<Told & { kind: 'measured' }> {
  const known = told.length
  child.send('measure')
  const measured = (): Told | undefined => told.slice(known).find(one => one.kind === 'measured')
  await until(() => measured() !== undefined, 'measured')
  return measured() as Told & { kind: 'measured' }
}
