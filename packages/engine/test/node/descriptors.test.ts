/** A process that runs out of descriptors lives, keeps what it has, spins not, and takes new ones as soon as it can. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { test } from 'node:test'
import { ipPlace, plainClient, plainServer, portOf, until } from '../contract/scene.ts'
import type { Peer } from '../contract/scene.ts'
import type { Told } from './descriptor-server.ts'

const DESCRIPTORS = 64
const CLIENTS = 100

test(
  'out of descriptors: held tunnels go on, newcomers are closed, and all is well once some are free',
  {
    skip: existsSync('/proc/self/limits') ? false : 'the limit cannot be read here',
    timeout: 60_000,
  },
  async () => {
    const target = await plainServer()
    const { child, told } = start(portOf(target.place))
    try {
      await until(() => told.some(one => one.kind === 'port'), 'the child listens')
      const port = told.find(one => one.kind === 'port')?.port ?? 0
      const clients: Peer[] = []
      for (let i = 0; i < CLIENTS; i++) clients.push((await plainClient(ipPlace('127.0.0.1', port))).listen())
      // Each client is either relayed, or closed; none is left hanging.
      await until(() => target.peers.length + clients.filter(isOver).length === CLIENTS, 'every client knows')
      const held = clients.filter(client => !isOver(client))
      assert.ok(held.length >= 4 && held.length < DESCRIPTORS / 2, `${held.length} are held`)
      const failures = told.filter(one => one.kind === 'accept-failure')
      assert.deepEqual(failures, [{ kind: 'accept-failure', errno: 'EMFILE' }], 'told once, not for each')

      const before = await measure(child, told)
      assert.equal(before.relays, held.length)
      for (const [i, peer] of target.peers.entries()) peer.listen().socket.write(`still ${i}`)
      await until(() => held.every(client => client.text.startsWith('still ')), 'held tunnels go on')
      const idleFrom = Date.now()
      await until(() => Date.now() - idleFrom >= 1_000, 'a second passed')
      const spent = (await measure(child, told)).cpuMicroseconds - before.cpuMicroseconds
      assert.ok(spent < 500_000, `no spinning: ${spent} microseconds of CPU in a second`)

      for (const client of held) client.socket.destroy()
      for (const peer of target.peers) peer.socket.destroy()
      let relays = held.length
      while (relays > 0) ({ relays } = await measure(child, told))
      const count = target.peers.length
      const fresh = (await plainClient(ipPlace('127.0.0.1', port))).listen()
      await until(() => target.peers.length === count + 1, 'a new tunnel', 1_000)
      target.peers.at(-1)?.socket.write('fresh')
      await until(() => fresh.text === 'fresh', 'and it carries')
      assert.equal(child.exitCode, null)
      fresh.socket.destroy()
      target.peers.at(-1)?.socket.destroy()
    } finally {
      child.kill('SIGKILL')
      target.close()
    }
  },
)

function isOver(client: Peer): boolean {
  return client.hasEnd || client.hasClosed
}

function start(targetPort: number): { child: ChildProcess; told: Told[] } {
  const told: Told[] = []
  const script = fileURLToPath(new URL('descriptor-server.ts', import.meta.url))
  const run = `ulimit -n ${DESCRIPTORS} && exec "$0" --conditions=@socksmith/source "$1" "$2"`
  const child = spawn('/bin/sh', ['-c', run, process.execPath, script, String(targetPort)], {
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
