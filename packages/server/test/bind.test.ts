/** BIND over SOCKS4 and 5: two replies, the expected peer and no other, limits. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { type TestContext, test } from 'node:test'
import { VirtualClock } from '../../engine/test/virtual-clock.ts'
import { FROM_OUTSIDE, RawClient, fixedResolver, listenerForStrangers, openClient, openScene } from './scene.ts'
import { createEngine } from './engine.ts'

const BIND_5 = '050100 05020001 7f000001 0015'
const BIND_4 = '0402 0015 7f000001 626f6200'

/** Connects as the peer, from `localAddress`. */
async function openPeer(t: TestContext, port: number, localAddress = '127.0.0.1'): Promise<RawClient> {
  const socket = connect({ port, host: '127.0.0.1', localAddress, allowHalfOpen: true })
  t.after(() => socket.destroy())
  const client = new RawClient(socket)
  await once(socket, 'connect')
  return client
}

async function listeningPort(client: RawClient): Promise<number> {
  await client.read(2)
  const reply = await client.read(10)
  assert.match(reply, /^050000017f000001/)
  return Number.parseInt(reply.slice(-4), 16)
}

test('SOCKS5: where it listens, who connected, then the stream both ways', async t => {
  const scene = await openScene(t)
  const client = await openClient(t, scene.port)
  client.send(BIND_5)
  const peer = await openPeer(t, await listeningPort(client))
  const second = await client.read(10)
  assert.equal(second, `050000017f000001${(peer.socket.localPort ?? 0).toString(16).padStart(4, '0')}`)
  peer.send('32323020')
  assert.equal(await client.read(4), '32323020')
  client.send('51554954')
  assert.equal(await peer.read(4), '51554954')
  client.socket.end()
  peer.socket.end()
  const record = await scene.record()
  assert.equal(record.command, 'bind')
  assert.equal(record.dialled?.port, peer.socket.localPort)
})

test('SOCKS4: both replies carry port and address', async t => {
  const scene = await openScene(t)
  const client = await openClient(t, scene.port)
  client.send(BIND_4)
  const first = await client.read(8)
  assert.match(first, /^005a....7f000001$/)
  const peer = await openPeer(t, Number.parseInt(first.slice(4, 8), 16))
  assert.match(await client.read(8), /^005a....7f000001$/)
  peer.send('68')
  assert.equal(await client.read(1), '68')
})

test('SOCKS5: a stranger is turned away and the expected peer still comes through', async t => {
  const scene = await openScene(t)
  const client = await openClient(t, scene.port)
  client.send(BIND_5)
  const port = await listeningPort(client)
  const stranger = await openPeer(t, port, '127.0.0.2')
  stranger.send('6576696c')
  assert.equal((await stranger.readToEnd()).length, 0)
  await openPeer(t, port)
  assert.match(await client.read(10), /^050000017f000001/)
})

test('SOCKS4: a stranger ends it with 91', async t => {
  const scene = await openScene(t)
  const client = await openClient(t, scene.port)
  client.send(BIND_4)
  const first = await client.read(8)
  const stranger = await openPeer(t, Number.parseInt(first.slice(4, 8), 16), '127.0.0.2')
  assert.equal((await client.readToEnd()).toString('hex'), '005b000000000000')
  assert.equal((await stranger.readToEnd()).length, 0)
})

test('a name names the peer, and only one that may be reached', async t => {
  const scene = await openScene(t, { resolver: fixedResolver({ peer: ['127.0.0.3'] }) })
  const client = await openClient(t, scene.port)
  client.send(`050100 05020003 04 ${Buffer.from('peer').toString('hex')} 0015`)
  const port = await listeningPort(client)
  await openPeer(t, port, '127.0.0.3')
  assert.match(await client.read(10), /^050000017f000003/)
})

test('refused: any peer without the option, a peer inside for clients from elsewhere', async t => {
  const scene = await openScene(t, { listeners: [listenerForStrangers()] })
  for (const sent of ['050100 05020001 00000000 0015', BIND_5]) {
    const client = await openClient(t, scene.port)
    client.send(FROM_OUTSIDE)
    client.send(sent)
    assert.equal((await client.readToEnd()).toString('hex'), '050005020001000000000000')
    client.socket.end()
  }
})

test('with the option, any peer may come', async t => {
  const scene = await openScene(t, { bind: { anyPeer: true } })
  const client = await openClient(t, scene.port)
  client.send('050100 05020001 00000000 0000')
  await openPeer(t, await listeningPort(client), '127.0.0.7')
  assert.match(await client.read(10), /^050000017f000007/)
})

test('the port comes from the range, and a range in use is a failure', async t => {
  const probe = await openScene(t)
  const range = { first: probe.port, last: probe.port }
  const scene = await openScene(t, { bind: { ports: range } })
  const client = await openClient(t, scene.port)
  client.send(BIND_5)
  assert.equal((await client.readToEnd()).toString('hex'), '050005010001000000000000')
  client.socket.end()
  await probe.server.stop({ deadlineMs: 0 })
  const second = await openClient(t, scene.port)
  second.send(BIND_5)
  assert.equal(await listeningPort(second), range.first)
})

test('nobody comes: the second reply says so after two minutes', async t => {
  const clock = new VirtualClock()
  const scene = await openScene(t, { engine: createEngine(clock) })
  const client = await openClient(t, scene.port)
  client.send(BIND_5)
  const port = await listeningPort(client)
  await clock.advance(119_999)
  assert.equal(scene.records.length, 0)
  await clock.advance(1)
  assert.equal((await client.readToEnd()).toString('hex'), '05060001000000000000')
  await assert.rejects(openPeer(t, port), { code: 'ECONNREFUSED' })
})

test('a client that leaves takes its listener with it', async t => {
  const scene = await openScene(t)
  const client = await openClient(t, scene.port)
  client.send(BIND_5)
  const port = await listeningPort(client)
  client.socket.destroy()
  await scene.record()
  await assert.rejects(openPeer(t, port), { code: 'ECONNREFUSED' })
})

test('SOCKS4a: a peer with both families is waited for by IPv4, which the reply can carry; one with IPv6 only is not', async t => {
  const names = { both: ['::1', '127.0.0.1'], six: ['::1'] }
  const scene = await openScene(t, { resolver: fixedResolver(names) })
  const both = await openClient(t, scene.port)
  both.send('0402 0015 00000001 00 626f746800')
  const first = await both.read(8)
  assert.match(first, /^005a....7f000001$/)
  await openPeer(t, Number.parseInt(first.slice(4, 8), 16))
  assert.match(await both.read(8), /^005a....7f000001$/)
  const six = await openClient(t, scene.port)
  six.send('0402 0015 00000001 00 73697800')
  assert.match(await six.read(8), /^005b/)
})
