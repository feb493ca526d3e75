/** Several workers as one server: limits, records and sessions of all, and the death of one. */
import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { createServer } from 'node:net'
import { once } from 'node:events'
import { type TestContext, test } from 'node:test'
import { type OctetStream, connectPlainly, echo, open, whenClosed } from '../socks-client.ts'
import { skip, startPool, until } from './pool-scene.ts'

async function openTunnels(t: TestContext, port: number, target: number, count: number): Promise<OctetStream[]> {
  const tunnels: OctetStream[] = []
  for (let i = 0; i < count; i++) {
    const tunnel = await open(t, port)
    await connectPlainly(tunnel, target)
    tunnels.push(tunnel)
  }
  return tunnels
}

async function echoes(tunnel: OctetStream): Promise<boolean> {
  tunnel.socket.write('ping')
  return tunnel.take(4).then(
    octets => octets.toString() === 'ping',
    () => false,
  )
}

test(
  'limits hold for all workers together, and every session has a number and a line of its own',
  { skip },
  async t => {
    const { pool, port, lines } = await startPool(t, 2, { limits: { connections: 6 } })
    const target = await echo(t)
    const tunnels = await openTunnels(t, port, target, 6)
    assert.equal(pool.sessionCount, 6)
    const late = await open(t, port)
    await assert.rejects(connectPlainly(late, target), 'the seventh is closed')
    const live = await pool.sessions()
    assert.deepEqual(
      live.map(session => [session.id, session.command]),
      [1, 2, 3, 4, 5, 6].map(id => [id, 'connect']),
    )
    for (const tunnel of tunnels) tunnel.socket.end()
    await until(() => lines.length === 6, 'a line for each')
    await until(() => pool.sessionCount === 0, 'all places are free again')
    const ids = lines.map(line => (JSON.parse(line) as { id: number }).id)
    assert.deepEqual(
      ids.toSorted((a, b) => a - b),
      [1, 2, 3, 4, 5, 6],
    )
  },
)

test(
  'a worker that dies under load takes only its own tunnels with it, and another takes its place',
  { skip },
  async t => {
    const { pool, port, threads, notices } = await startPool(t, 2)
    const [target, source] = [await echo(t), await endless(t)]
    // Enough that both have some, wherever the kernel puts them.
    const tunnels = await openTunnels(t, port, target, 40)
    const busy = await openTunnels(t, port, source, 8)
    for (const one of busy) one.socket.removeAllListeners('data').resume()
    const before = readdirSync('/proc/self/fd').length
    threads[0]?.postMessage({ kind: 'die' })
    await until(() => threads.length === 3, 'replaced')
    await until(() => notices.some(notice => notice.startsWith('worker-died')), 'told')
    const alive = await Promise.all(tunnels.map(tunnel => Promise.race([echoes(tunnel), whenClosed(tunnel.socket)])))
    const survivors = alive.filter(one => one === true).length
    assert.ok(survivors > 0 && survivors < 40, `${survivors} of 40 are alive`)
    const busySurvivors = busy.filter(one => !one.socket.closed).length
    assert.equal(pool.sessionCount, survivors + busySurvivors, 'the places of the dead are free again')
    const lost = 48 - survivors - busySurvivors
    assert.match(String(notices[0]), new RegExp(`worker 1 died and its ${lost} connections with it[^]*a planted fault`))
    await until(() => readdirSync('/proc/self/fd').length <= before - lost, 'its descriptors are closed')
    const fresh = await openTunnels(t, port, target, 10)
    assert.ok((await Promise.all(fresh.map(echoes))).every(Boolean), 'new ones are served')
  },
)

test(
  'a worker that dies at its start is started again once a second at most, and the other one serves',
  { skip },
  async t => {
    const { port, threads, notices } = await startPool(t, 2)
    const target = await echo(t)
    const startedAt = performance.now()
    for (let deaths = 1; deaths <= 3; deaths++) {
      threads.at(-1)?.postMessage({ kind: 'die' })
      await until(() => notices.length === deaths, 'told')
      const [tunnel] = await openTunnels(t, port, target, 1)
      assert.ok(tunnel !== undefined && (await echoes(tunnel)), 'served')
      tunnel.socket.destroy()
      await until(() => threads.length === 2 + deaths, 'replaced')
    }
    // The first one may have lived for a second; the others had no time to.
    assert.ok(performance.now() - startedAt >= 2_000)
  },
)

/** A server that sends without end; its port. */
async function endless(t: TestContext): Promise<number> {
  const server = createServer(socket => {
    // At a pace that leaves this process time for the test.
    const pour = setInterval(() => socket.writableNeedDrain || socket.write(Buffer.alloc(65_536)), 1)
    socket.on('close', () => clearInterval(pour)).on('error', () => {})
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  const address = server.address()
  return address !== null && typeof address === 'object' ? address.port : 0
}

test('a stop lets the sessions of every worker finish, and ends the rest at the deadline', { skip }, async t => {
  const { pool, port, lines } = await startPool(t, 2)
  const target = await echo(t)
  const tunnels = await openTunnels(t, port, target, 8)
  const stopped = pool.stop({ deadlineMs: 60_000 })
  await until(() => lines.length === 0, 'none has ended')
  assert.ok((await Promise.all(tunnels.map(echoes))).every(Boolean), 'they live on')
  for (const tunnel of tunnels.slice(0, 5)) tunnel.socket.end()
  await until(() => lines.length === 5, 'five finished')
  await assert.rejects(open(t, port), /ECONNREFUSED/)
  assert.equal(await pool.stop({ deadlineMs: 0 }), 3)
  await stopped
  assert.equal(lines.filter(line => line.includes('"end":"stopped"')).length, 3)
})

test('a port that is taken is a failure, and what was opened before it is closed again', { skip }, async t => {
  const taken = createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  t.after(() => taken.close())
  const address = taken.address()
  assert.ok(address !== null && typeof address === 'object')
  const before = await steadyDescriptors()
  const listen = ['127.0.0.1:0', `127.0.0.1:${address.port}`]
  await assert.rejects(startPool(t, 2, { listen }), /EADDRINUSE/)
  assert.equal(readdirSync('/proc/self/fd').length, before)
})

/** Descriptors, once the workers of the tests before are gone. */
async function steadyDescriptors(): Promise<number> {
  let last = -1
  for (let same = 0; same < 20;) {
    const now = readdirSync('/proc/self/fd').length
    same = now === last ? same + 1 : 0
    last = now
    await new Promise(resolve => setTimeout(resolve, 5))
  }
  return last
}
