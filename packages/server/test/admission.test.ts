/** Who is let in where descriptors are few, what is kept for whom, and that all of them come back. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer as createWebServer } from 'node:http'
import { type TestContext, test } from 'node:test'
import type { Engine } from '@socksmith/engine'
import { VirtualClock } from '../../engine/test/virtual-clock.ts'
import { type RawClient, type Scene, connectRequest, echo, openClient, openScene, openTarget } from './scene.ts'
import { createEngine } from './engine.ts'
import { rules } from './rules.ts'
import { openUdpScene } from './udp-scene.ts'

/** Of the process's descriptors so many are for no client. */
const RESERVED = 64

function engineWith(descriptors: number, engine: Engine = createEngine()): Engine {
  return { ...engine, descriptorsMax: RESERVED + descriptors }
}

/** So many clients that have greeted and ask for nothing yet. */
async function waitingClients(t: TestContext, scene: Scene, count: number): Promise<RawClient[]> {
  const clients: RawClient[] = []
  for (let i = 0; i < count; i++) {
    const client = await openClient(t, scene.port)
    client.send('050100')
    assert.equal(await client.read(2), '0500', `client ${i}`)
    clients.push(client)
  }
  return clients
}

/** REP of the answer to CONNECT. */
async function rep(client: RawClient, port: number): Promise<number> {
  client.send(connectRequest(port).slice('050100'.length))
  const reply = await client.read(10)
  return Number.parseInt(reply.slice(2, 4), 16)
}

async function isTurnedAway(t: TestContext, scene: Scene): Promise<boolean> {
  const client = await openClient(t, scene.port)
  client.send('050100')
  return (await client.readToEnd()).length === 0
}

function refusals(scene: Scene): number {
  return scene.events.filter(event => event.kind === 'limit' && event.limit === 'descriptors').length
}

test('clients in their handshakes may hold all descriptors but an eighth, and those serve whoever asks', async t => {
  const target = await openTarget(t, echo)
  const scene = await openScene(t, { engine: engineWith(16) })
  const clients = await waitingClients(t, scene, 14)
  assert.equal(await isTurnedAway(t, scene), true)
  assert.equal(refusals(scene), 1)
  const [first, second, third] = clients as [RawClient, RawClient, RawClient]
  assert.equal(await rep(first, target.port), 0)
  assert.equal(await rep(second, target.port), 0)
  // None is left: told in a reply, and in the record.
  assert.equal(await rep(third, target.port), 1)
  await third.readToEnd()
  third.socket.end()
  const refused = await scene.record()
  assert.deepEqual([refused.end, refused.failure], ['failed', 'too_busy'])
  for (const tunnel of [first, second]) {
    tunnel.send('6869')
    assert.equal(await tunnel.read(2), '6869', 'held tunnels go on')
  }
  first.socket.end()
  await scene.record(({ end }) => end === 'client-finished')
  assert.equal(await rep(clients[4] as RawClient, target.port), 0, 'free again')
})

test('whoever is let in while few wait gets a tunnel: as many as there are pairs of descriptors', async t => {
  const target = await openTarget(t, echo)
  const scene = await openScene(t, { engine: engineWith(16) })
  const tunnels: RawClient[] = []
  for (let i = 0; i < 8; i++) {
    const [client] = await waitingClients(t, scene, 1)
    assert.ok(client)
    assert.equal(await rep(client, target.port), 0)
    tunnels.push(client)
  }
  assert.equal(await isTurnedAway(t, scene), true)
  tunnels[0]?.socket.end()
  await scene.record()
  const [client] = await waitingClients(t, scene, 1)
  assert.ok(client)
  assert.equal(await rep(client, target.port), 0)
})

test('fewer descriptors than the configured connections need: that is told at the start', async t => {
  const scene = await openScene(t, { engine: engineWith(16), limits: { connections: 9 } })
  assert.deepEqual(scene.events[0], { kind: 'few-descriptors', connections: 9, tunnels: 8 })
  const enough = await openScene(t, { engine: engineWith(18), limits: { connections: 9 } })
  assert.ok(enough.events.every(({ kind }) => kind !== 'few-descriptors'))
})

test('requests over HTTP take one for their connection, which a tunnel on it takes over', async t => {
  const web = createWebServer((_request, response) => response.end('plain')).listen(0, '127.0.0.1')
  t.after(() => web.close())
  await once(web, 'listening')
  const address = web.address()
  assert.ok(address !== null && typeof address === 'object')
  const request = Buffer.from(`GET http://127.0.0.1:${address.port}/ HTTP/1.1\r\nHost: x\r\n\r\n`)
  const target = await openTarget(t, echo)
  const scene = await openScene(t, { engine: engineWith(3) })
  const [waiting] = await waitingClients(t, scene, 1)
  assert.ok(waiting)
  const client = await openClient(t, scene.port)
  client.send(request)
  assert.match(await readUntil(client, 'plain'), /^HTTP\/1\.1 200 /)
  client.send(Buffer.from(`CONNECT 127.0.0.1:${target.port} HTTP/1.1\r\nHost: x\r\n\r\n`))
  assert.match(await readUntil(client, '\r\n\r\n'), /^HTTP\/1\.1 200 /)
  client.socket.destroy()
  await scene.record(({ command }) => command === 'connect')
  const late = await openClient(t, scene.port)
  assert.equal(await rep(waiting, target.port), 0)
  late.send(request)
  assert.match(await readUntil(late, '\r\n\r\n'), /^HTTP\/1\.1 503 /)
  waiting.socket.end()
  await scene.record(({ protocol }) => protocol === 'socks5')
  const again = await openClient(t, scene.port)
  again.send(request)
  assert.match(await readUntil(again, 'plain'), /^HTTP\/1\.1 200 /)
})

async function readUntil(client: RawClient, end: string): Promise<string> {
  let text = ''
  while (!text.endsWith(end)) text += Buffer.from(await client.read(1), 'hex').toString()
  return text
}

test('the sockets of associations count too; one that got none asks again', async t => {
  const clock = new VirtualClock()
  const lacking = Promise.withResolvers<void>()
  const scene = await openUdpScene(t, rules({ allow: 'everything' }), {
    engine: engineWith(4, createEngine(clock)),
    onEvent: event => event.kind === 'limit' && event.limit === 'descriptors' && lacking.resolve(),
  })
  const target = await openTarget(t, echo)
  const client = await openClient(t, scene.port)
  client.send(connectRequest(target.port))
  assert.equal((await client.read(12)).slice(0, 8), '05000500')
  const port = await scene.echo()
  await scene.send(port)
  await lacking.promise
  client.socket.end()
  await scene.record()
  await clock.advance(1_000)
  assert.equal(await scene.ask(port), 'answer')
})
