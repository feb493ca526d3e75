/** UDP ASSOCIATE: who may send, what comes back, and when it ends. */
import assert from 'node:assert/strict'
import { type Socket as UdpSocket, createSocket } from 'node:dgram'
import { EventEmitter, once } from 'node:events'
import { type TestContext, test } from 'node:test'
import { parseIp } from '@socksmith/protocol'
import { VirtualClock } from '../../engine/test/virtual-clock.ts'
import {
  FROM_OUTSIDE,
  type RawClient,
  type Scene,
  fixedResolver,
  hex,
  listenerForStrangers,
  loopbackListener,
  openClient,
  openScene,
  portHex,
} from './scene.ts'
import { createEngine } from './engine.ts'

async function openUdp(t: TestContext, address = '127.0.0.1'): Promise<UdpSocket & { readonly port: number }> {
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4')
  socket.bind(0, address)
  await once(socket, 'listening')
  t.after(() => socket.close())
  return Object.assign(socket, { port: socket.address().port })
}

async function openEcho(t: TestContext, address = '127.0.0.1'): Promise<{ readonly port: number; seen: number }> {
  const socket = await openUdp(t, address)
  const target = { port: socket.port, seen: 0 }
  socket.on('message', (octets, from) => {
    target.seen++
    socket.send(octets, from.port, from.address)
  })
  return target
}

/** The next datagram, as hex. */
async function next(socket: UdpSocket): Promise<string> {
  const [octets] = (await once(socket, 'message')) as [Buffer]
  return octets.toString('hex')
}

async function associate(t: TestContext, scene: Scene): Promise<{ control: RawClient; relay: number }> {
  const control = await openClient(t, scene.port)
  control.send('050100 05030001 00000000 0000')
  assert.equal(await control.read(2), '0500')
  const reply = await control.read(10)
  assert.match(reply, /^050000017f000001/)
  return { control, relay: Number.parseInt(reply.slice(-4), 16) }
}

const to4 = (port: number): string => `00000001 7f000001 ${portHex(port)}`

test('datagrams go to IPv4, IPv6 and named targets, and answers carry who sent them', async t => {
  const scene = await openScene(t)
  const [v4, v6] = [await openEcho(t), await openEcho(t, '::1')]
  const { control, relay } = await associate(t, scene)
  const client = await openUdp(t)
  const six = `00000004 ${'0'.repeat(31)}1 ${portHex(v6.port)}`
  const named = `00000003 09 ${Buffer.from('localhost').toString('hex')} ${portHex(v4.port)}`
  for (const [header, answer] of [
    [to4(v4.port), to4(v4.port)],
    [six, six],
    [named, to4(v4.port)],
  ] as const) {
    client.send(hex(`${header} 70696e67`), relay, '127.0.0.1')
    assert.equal(await next(client), `${answer} 70696e67`.replaceAll(' ', ''))
  }
  control.socket.end()
  const record = await scene.record()
  assert.equal(record.command, 'udp-associate')
  assert.equal(record.clientToTarget, 12)
  assert.equal(record.targetToClient, 12)
})

test('empty datagrams and those of 65,497 octets pass whole', async t => {
  const scene = await openScene(t)
  const target = await openEcho(t)
  const { relay } = await associate(t, scene)
  const client = await openUdp(t)
  for (const size of [0, 65_497]) {
    client.send(Buffer.concat([hex(to4(target.port)), Buffer.alloc(size, 7)]), relay, '127.0.0.1')
    assert.equal((await next(client)).length / 2, 10 + size)
  }
})

test('malformed, fragmented and foreign datagrams are dropped; the first valid one fixes the port', async t => {
  const scene = await openScene(t)
  const target = await openEcho(t)
  const { relay } = await associate(t, scene)
  const [client, second, foreign] = [await openUdp(t), await openUdp(t), await openUdp(t, '127.0.0.2')]
  foreign.send(hex(`${to4(target.port)} 01`), relay, '127.0.0.1')
  second.send(hex('00000001 7f00'), relay, '127.0.0.1')
  second.send(hex(`0001${to4(target.port).slice(4)} 02`), relay, '127.0.0.1')
  second.send(hex(`000001 01 7f000001 ${portHex(target.port)} 03`), relay, '127.0.0.1')
  client.send(hex(`${to4(target.port)} 04`), relay, '127.0.0.1')
  assert.match(await next(client), /04$/)
  second.send(hex(`${to4(target.port)} 05`), relay, '127.0.0.1')
  client.send(hex(`${to4(target.port)} 06`), relay, '127.0.0.1')
  assert.match(await next(client), /06$/)
  assert.equal(target.seen, 2)
})

test('strangers outside are not let in, unless full cone is asked for', async t => {
  for (const fullCone of [false, true]) {
    const scene = await openScene(t, { udp: { fullCone } })
    const { relay } = await associate(t, scene)
    const client = await openUdp(t)
    // The target on 127.0.0.1 is written to; the stranger on 127.0.0.9 is not.
    const [target, stranger] = [await openUdp(t), await openUdp(t, '127.0.0.9')]
    client.send(hex(`${to4(target.port)} 01`), relay, '127.0.0.1')
    const [, outside] = (await once(target, 'message')) as [Buffer, { port: number }]
    stranger.send('evil', outside.port, '127.0.0.1')
    if (fullCone) assert.match(await next(client), /^000000017f000009/)
    target.send('good', outside.port, '127.0.0.1')
    assert.match(await next(client), /676f6f64$/)
  }
})

test('fragments are put together when that is asked for', async t => {
  const scene = await openScene(t, { udp: { reassemble: true } })
  const target = await openEcho(t)
  const { relay } = await associate(t, scene)
  const client = await openUdp(t)
  client.send(hex(`000001 01 7f000001 ${portHex(target.port)} 6161`), relay, '127.0.0.1')
  client.send(hex(`000082 01 7f000001 ${portHex(target.port)} 6262`), relay, '127.0.0.1')
  assert.match(await next(client), /61616262$/)
})

test('the association ends with its TCP connection', async t => {
  const scene = await openScene(t)
  const target = await openEcho(t)
  const { control, relay } = await associate(t, scene)
  const client = await openUdp(t)
  client.send(hex(`${to4(target.port)} 01`), relay, '127.0.0.1')
  await next(client)
  control.socket.end()
  assert.equal((await control.readToEnd()).length, 0)
  assert.equal((await scene.record()).end, 'client-finished')
  // The port is free again: whoever binds it gets the datagram, and the target sees nothing more.
  const successor = createSocket('udp4').bind(relay, '127.0.0.1')
  await once(successor, 'listening')
  client.send(hex(`${to4(target.port)} 02`), relay, '127.0.0.1')
  await once(successor, 'message')
  successor.close()
  assert.equal(target.seen, 1)
})

test('octets on the control connection are ignored, and five idle minutes end the association', async t => {
  const clock = new VirtualClock()
  const scene = await openScene(t, { engine: createEngine(clock) })
  const target = await openEcho(t)
  const { control, relay } = await associate(t, scene)
  const client = await openUdp(t)
  control.send('00112233')
  await clock.advance(200_000)
  client.send(hex(`${to4(target.port)} 01`), relay, '127.0.0.1')
  await next(client)
  await clock.advance(200_000)
  assert.equal(scene.records.length, 0)
  await clock.advance(101_000)
  assert.equal((await control.readToEnd()).length, 0)
  assert.equal((await scene.record()).end, 'idle')
})

test('targets inside are closed to clients from elsewhere, for each datagram', async t => {
  const scene = await openScene(t, {
    listeners: [listenerForStrangers()],
    resolver: fixedResolver({ localhost: ['127.0.0.1'] }),
  })
  const target = await openEcho(t)
  const control = await openClient(t, scene.port)
  control.send(Buffer.from('PROXY TCP4 127.0.0.1 127.0.0.1 40000 1080\r\n'))
  control.send('050100 05030001 00000000 0000')
  const relay = Number.parseInt((await control.read(12)).slice(-4), 16)
  const inside = await openUdp(t)
  inside.send(hex(`${to4(target.port)} 01`), relay, '127.0.0.1')
  assert.match(await next(inside), /01$/)
  const outsider = await openClient(t, scene.port)
  outsider.send(FROM_OUTSIDE)
  outsider.send('050100 05030001 00000000 0000')
  assert.match(await outsider.read(12), /^0500050000017f000001/)
})

test('limits: associations, remotes, datagrams a second', async t => {
  const clock = new VirtualClock()
  const engine = createEngine(clock)
  const arrivals = new EventEmitter()
  const scene = await openScene(t, {
    engine: {
      ...engine,
      openDatagrams: (local, handler) =>
        engine.openDatagrams(local, {
          ...handler,
          onDatagram: (octets, from, room) => {
            handler.onDatagram(octets, from, room)
            arrivals.emit(Buffer.from(octets.subarray(-1)).toString('hex'))
          },
        }),
    },
    limits: { udpAssociations: 1, udpRemotes: 1, udpDatagramsPerSecond: 3 },
  })
  const [target, other] = [await openEcho(t), await openEcho(t, '127.0.0.8')]
  const { relay } = await associate(t, scene)
  const refused = await openClient(t, scene.port)
  refused.send('050100 05030001 00000000 0000')
  assert.equal((await refused.readToEnd()).toString('hex'), '050005010001000000000000')
  refused.socket.end()
  const client = await openUdp(t)
  client.send(hex(`${to4(target.port)} 01`), relay, '127.0.0.1')
  await next(client)
  client.send(hex(`00000001 7f000008 ${portHex(other.port)} 02`), relay, '127.0.0.1')
  client.send(hex(`${to4(target.port)} 03`), relay, '127.0.0.1')
  await next(client)
  const fourth = once(arrivals, '04')
  client.send(hex(`${to4(target.port)} 04`), relay, '127.0.0.1')
  await fourth
  await clock.advance(1_000)
  client.send(hex(`${to4(target.port)} 05`), relay, '127.0.0.1')
  assert.match(await next(client), /05$/)
  assert.equal(other.seen, 0)
  assert.equal(target.seen, 3)
})

test('behind NAT the advertised address is told, but not to clients on this host', async t => {
  const advertised = parseIp('198.51.100.7')
  assert.ok(advertised?.type === 'ipv4')
  const scene = await openScene(t, { listeners: [loopbackListener({ advertise: { ipv4: advertised } })] })
  await associate(t, scene)
})

test('the relay port comes from the range', async t => {
  const probe = await openUdp(t)
  const free = probe.port
  const scene = await openScene(t, { udp: { ports: { first: free, last: free + 1 } } })
  const { relay } = await associate(t, scene)
  assert.equal(relay, free + 1)
})
