/** Limits of a policy by the real command, in the main thread and in workers. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { createLinuxEngine } from '@socksmith/engine'
import { type Serving, serve, temporaryFolder } from '../run-command.ts'
import { type OctetStream, connectPlainly, echo, open } from '../socks-client.ts'

const made = createLinuxEngine()

const noLinuxEngine = 'reason' in made ? made.reason : false

/** One thread, and several, where they can be. */
const WORKERS: readonly (readonly [count: number, skip: string | false])[] = [
  [0, false],
  [2, noLinuxEngine],
]

interface Limited {
  readonly server: Serving
  readonly folder: string
}

async function serveWith(t: TestContext, workers: number, limit: string, ...args: readonly string[]): Promise<Limited> {
  const folder = await temporaryFolder(t)
  const policy = join(folder, 'policy.yaml')
  await writeFile(policy, `limits:\n  guest: ${limit}\nrules:\n  - allow: everything\n    limits: guest\n`)
  const flags = ['--listen', '127.0.0.1:0', '--workers', String(workers), '--policy', policy, '--log-format', 'json']
  return { server: await serve(t, [...flags, ...args]), folder }
}

async function tunnel(t: TestContext, port: number, target: number): Promise<{ stream: OctetStream; rep: number }> {
  const stream = await open(t, port)
  return { stream, rep: await connectPlainly(stream, target) }
}

for (const [workers, skip] of WORKERS) {
  test(`with ${workers} workers sessions at once are counted over all of them`, { skip }, async t => {
    const { server } = await serveWith(t, workers, '{ per: client, sessions: 5 }')
    const target = await echo(t)
    const replies: number[] = []
    const streams: OctetStream[] = []
    for (let i = 0; i < 9; i++) {
      const { stream, rep } = await tunnel(t, server.port, target)
      replies.push(rep)
      if (rep === 0) streams.push(stream)
    }
    assert.deepEqual(replies, [0, 0, 0, 0, 0, 1, 1, 1, 1])
    await server.logged('"limit":"guest","refused_by":"limit","failure":"too_busy"')
    streams[0]?.socket.end()
    await server.logged('"end":"client-finished"')
    assert.equal((await tunnel(t, server.port, target)).rep, 0)
  })

  test(`with ${workers} workers new sessions are counted over all of them`, { skip }, async t => {
    const { server } = await serveWith(t, workers, '{ per: all, new-sessions: 4/d }')
    const target = await echo(t)
    const replies: number[] = []
    for (let i = 0; i < 6; i++) replies.push((await tunnel(t, server.port, target)).rep)
    assert.deepEqual(replies, [0, 0, 0, 0, 1, 1])
  })

  test(`with ${workers} workers a session ends after its length, or when it was idle`, { skip }, async t => {
    const target = await echo(t)
    for (const [limit, end] of [
      ['{ per: session, session-length: 300ms }', '"end":"session-length","rule":"rule 1","limit":"guest"'],
      ['{ per: session, idle: 300ms }', '"end":"idle"'],
    ] as const) {
      const { server } = await serveWith(t, workers, limit)
      assert.equal((await tunnel(t, server.port, target)).rep, 0)
      await server.logged(end)
    }
  })
}

for (const [workers, skip] of WORKERS) {
  test(`with ${workers} workers octets are counted over all of them, and over a restart`, { skip }, async t => {
    const folder = await temporaryFolder(t)
    const state = join(folder, 'state.db')
    const target = await source(t, 60_000)
    const quota = '{ per: all, octets: { down: 100KiB, every: month } }'
    const first = await serveWith(t, workers, quota, '--state', state)
    const { stream } = await tunnel(t, first.server.port, target)
    await stream.take(60_000)
    await first.server.logged('"down_octets":60000')
    assert.equal(await first.server.end(), 0)
    const second = await serveWith(t, workers, quota, '--state', state)
    const cut = await tunnel(t, second.server.port, target)
    assert.equal(cut.rep, 0)
    await second.server.logged('"end":"quota"')
    const refused = await tunnel(t, second.server.port, target)
    assert.equal(refused.rep, 2)
    await second.server.logged('"limit":"guest","refused_by":"limit","failure":"not_allowed"')
    assert.equal(await second.server.end(), 0)
  })

  // The portable engine passes what it has read at once, and makes it up afterwards.
  test(`with ${workers} workers a bandwidth is kept by all sessions together`, { skip: noLinuxEngine }, async t => {
    const target = await source(t, 50_000)
    const { server } = await serveWith(t, workers, '{ per: all, bandwidth: { down: 400kbit/s } }')
    const begun = performance.now()
    const tunnels = await Promise.all(Array.from({ length: 4 }, () => tunnel(t, server.port, target)))
    await Promise.all(tunnels.map(({ stream }) => stream.take(50_000)))
    // 200,000 octets at 50,000 a second, less a burst of 5,000: never sooner, however slow the machine is.
    assert.ok(performance.now() - begun >= 3_500, `${performance.now() - begun}`)
  })
}

/** A target that sends so much to each that comes; its port. */
async function source(t: TestContext, octets: number): Promise<number> {
  const server = createServer(socket => {
    socket.on('error', () => {})
    socket.end(Buffer.alloc(octets))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  return (server.address() as AddressInfo).port
}
