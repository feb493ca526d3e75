/** Much at once through SOCKS5: many octets in both directions, and many tunnels. Its client shares no code with it. */
import assert from 'node:assert/strict'
import { type Hash, createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { type Socket, connect } from 'node:net'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { type TestContext, test } from 'node:test'
import { startProxy } from './server.ts'
import { echoTarget, tcpTarget } from './targets.ts'

const MIB = 1024 * 1024
const CHUNK_OCTETS = 64 * 1024

/** That many octets, never held together; each chunk differs from its neighbours. `hash` sees them all. */
function octets(mebibytes: number, hash: Hash): Readable {
  const pool = randomBytes(MIB + CHUNK_OCTETS)
  return Readable.from(
    (function* () {
      for (let index = 0; index < (mebibytes * MIB) / CHUNK_OCTETS; index++) {
        const from = (index * 4_099) % MIB
        const chunk = pool.subarray(from, from + CHUNK_OCTETS)
        hash.update(chunk)
        yield chunk
      }
    })(),
    { objectMode: false },
  )
}

/** Sends so many octets and its FIN while it reads to the other's FIN: the SHA-256 of what it sent and of what it got. */
async function exchange(socket: Socket, mebibytes: number): Promise<{ readonly sent: string; readonly got: string }> {
  const [sent, got] = [createHash('sha256'), createHash('sha256')]
  await Promise.all([
    pipeline(octets(mebibytes, sent), socket, { end: true }),
    (async () => {
      for await (const chunk of socket.iterator({ destroyOnReturn: false })) got.update(chunk as Buffer)
    })(),
  ])
  return { sent: sent.digest('hex'), got: got.digest('hex') }
}

test('256 MiB in each direction at the same time arrive as they were sent', async t => {
  const proxy = await startProxy(t)
  const far = Promise.withResolvers<Awaited<ReturnType<typeof exchange>>>()
  const target = await tcpTarget(t, '127.0.0.1', socket => {
    exchange(socket, 256).then(far.resolve, far.reject)
  })
  const near = await exchange(await tunnel(t, proxy.port, target), 256)
  const { sent, got } = await far.promise
  assert.deepEqual(near, { sent: got, got: sent })
  const [session] = await proxy.sessions()
  assert.equal(session?.up_octets, 256 * MIB)
  assert.equal(session.down_octets, 256 * MIB)
})

test('500 tunnels that are open at once each get their own octets back', async t => {
  const proxy = await startProxy(t)
  const target = await echoTarget(t)
  const indexes = Array.from({ length: 500 }, (_, index) => index)
  const tunnels = await Promise.all(indexes.map(() => tunnel(t, proxy.port, target)))
  await Promise.all(
    tunnels.map(async (socket, index) => {
      const own = Buffer.from(`tunnel ${index} `.repeat(1_000))
      socket.write(own)
      assert.ok(own.equals(await take(socket, own.length)), `tunnel ${index}`)
    }),
  )
  for (const socket of tunnels) socket.end()
  await Promise.all(tunnels.map(socket => once(socket.resume(), 'close')))
  const sessions = await proxy.sessions()
  assert.equal(sessions.length, 500)
  for (const { up_octets, down_octets, end } of sessions) {
    assert.equal(up_octets, down_octets)
    assert.equal(end, 'client-finished')
  }
})

/** A tunnel to a port on 127.0.0.1, nothing read of what comes through it. */
async function tunnel(t: TestContext, proxyPort: number, targetPort: number): Promise<Socket> {
  const socket = connect({ port: proxyPort, host: '127.0.0.1', allowHalfOpen: true })
  t.after(() => socket.destroy())
  socket.write(Buffer.from([5, 1, 0]))
  assert.deepEqual([...(await take(socket, 2))], [5, 0])
  socket.write(Buffer.from([5, 1, 0, 1, 127, 0, 0, 1, targetPort >> 8, targetPort & 0xff]))
  assert.equal((await take(socket, 10))[1], 0)
  return socket
}

/** Exactly so many octets; what follows stays in the socket. */
async function take(socket: Socket, count: number): Promise<Buffer> {
  for (;;) {
    const taken = socket.read(count) as Buffer | null
    if (taken !== null) return taken
    await once(socket, 'readable')
  }
}
