/** Bad input at the running server, by TCP and UDP: it answers as the vectors say, gives everything back, and serves others. */
import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { connect } from 'node:net'
import { type TestContext, test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { type Engine } from '@socksmith/engine'
import { METHOD, failure } from '@socksmith/protocol'
import type { ServerOptions } from '@socksmith/server'
import { until } from '../../engine/test/contract/scene.ts'
import { type Context, vectors } from '../../protocol/test/vectors.ts'
import {
  ALL_PROTOCOLS,
  type Scene,
  connectRequest,
  echo,
  hex,
  listenerForStrangers,
  loopbackListener,
  openClient,
  openScene,
  openTarget,
  portHex,
} from './scene.ts'
import { createEngine } from './engine.ts'

/** Dials only on this host: random octets may name any address in the world. */
function cagedEngine(): Engine {
  const engine = createEngine()
  return {
    ...engine,
    dial(to, options) {
      if (to.kind === 'ip' && to.endpoint.address.octets[0] === 127) return engine.dial(to, options)
      return { result: Promise.resolve(failure('host_unreachable', 'target')), cancel: () => {} }
    },
    openDatagrams(local, handler) {
      return engine.openDatagrams(local, handler).then(socket => {
        if ('code' in socket) return socket
        const send: typeof socket.send = (octets, to) => to.address.octets[0] === 127 && socket.send(octets, to)
        return { local: socket.local, send, close: () => socket.close() }
      })
    },
  }
}

async function roundTrip(t: TestContext, scene: Scene, targetPort: number): Promise<void> {
  const client = await openClient(t, scene.port)
  client.send(`${connectRequest(targetPort)} 78`)
  await client.read(12)
  assert.equal(await client.read(1), '78')
  client.socket.destroy()
}

const openDescriptors = (): number => readdirSync('/proc/self/fd').length

function heapOctets(): number {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
  return process.memoryUsage().heapUsed
}

/** What has to be said before a message, and what is answered to that. */
const BEFORE: Readonly<Record<string, readonly [sent: string, answer: string]>> = {
  'socks4.request': ['', ''],
  'socks5.greeting': ['', ''],
  'http.connect-request': ['', ''],
  'proxy.v1': ['', ''],
  'proxy.v2': ['', ''],
  'socks5.request': ['050100', '0500'],
  'rfc1929.request': ['050102', '0502'],
}

function listenerFor(message: string, context: Context): ServerOptions['listeners'][number] {
  if (message.startsWith('proxy.')) return listenerForStrangers()
  const asksPassword = message === 'rfc1929.request' || context.supported?.includes(METHOD.none) === false
  // The vectors of SOCKS5 are those of a port without HTTP.
  const protocols = { ...ALL_PROTOCOLS, http: !message.startsWith('socks5.') }
  return loopbackListener({ authentication: asksPassword ? 'password' : 'none', protocols })
}

for (const { id, message, hex: sent, expect, context = {} } of vectors.malformed) {
  const before = BEFORE[message]
  // The server has no switch that makes RSV count.
  if (before === undefined || id === 's5-request-rsv-strict') continue
  test(`${id}: the running server does what the vector says`, async t => {
    const onlyConnect = context.commands?.length === 1 ? { bind: false, udpAssociate: false } : {}
    const listeners = [listenerFor(message, context)]
    const scene = await openScene(t, { engine: cagedEngine(), listeners, access: onlyConnect })
    const client = await openClient(t, scene.port)
    client.send(`${before[0]}${sent}`)
    if (expect.outcome === 'need_more' || expect.outcome === 'close') client.socket.end()
    const answer = await client.readToEnd()
    // What is accepted although odd names a host that does not exist here.
    const reply = expect.outcome === 'accept' ? '05040001000000000000' : (expect.replyHex ?? '')
    if (expect.outcome === 'http_error') assert.ok(answer.toString().startsWith(`HTTP/1.1 ${expect.http} `))
    else assert.equal(answer.toString('hex'), before[1] + reply)
  })
}

test('every malformed datagram is dropped, and the association goes on', async t => {
  const scene = await openScene(t, { engine: cagedEngine() })
  const target = createSocket('udp4').bind(0, '127.0.0.1')
  await once(target, 'listening')
  let seen = 0
  target.on('message', () => seen++)
  const control = await openClient(t, scene.port)
  control.send('050100 05030001 00000000 0000')
  const relay = Number.parseInt((await control.read(12)).slice(-4), 16)
  const client = createSocket('udp4').bind(0, '127.0.0.1')
  await once(client, 'listening')
  t.after(() => {
    client.close()
    target.close()
  })
  for (const { message, hex: sent } of vectors.malformed) {
    if (message === 'socks5.udp') client.send(hex(sent), relay, '127.0.0.1')
  }
  client.send(hex(`00000001 7f000001 ${portHex(target.address().port)} 78`), relay, '127.0.0.1')
  await once(target, 'message')
  assert.equal(seen, 1)
})

/** Random octets that look like the beginning of something, from a seed that is printed with a failure. */
function randomOctets(random: () => number): Buffer {
  const starts = [
    '',
    '04',
    '0401',
    '05',
    '050100',
    '05010005',
    '050100050100',
    '0501000501000',
    '434f4e4e45435420',
    '050102',
  ]
  const start = starts[Math.floor(random() * starts.length)] ?? ''
  const length = Math.floor(random() * random() * 300)
  const rest = Buffer.from(Array.from({ length }, () => Math.floor(random() * 256)))
  return Buffer.concat([Buffer.from(start, 'hex'), rest])
}

/** mulberry32: a small generator whose whole state is its seed. */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

function throwAt(port: number, random: () => number): Promise<void> {
  return new Promise(resolve => {
    const octets = randomOctets(random)
    const cut = Math.floor(random() * octets.length)
    const socket = connect({ port, host: '127.0.0.1' })
    socket.on('error', () => {})
    socket.on('close', () => resolve())
    socket.resume()
    socket.write(octets.subarray(0, cut))
    const isAbrupt = random() < 0.3
    socket.write(octets.subarray(cut), () => (isAbrupt ? socket.resetAndDestroy() : socket.end()))
  })
}

test('100,000 random handshakes: nothing crashes or stays behind, and honest clients are served meanwhile', async t => {
  const seed = Number(process.env['SOCKSMITH_SEED'] ?? Date.now() % 1_000_000)
  t.diagnostic(`seed ${seed}`)
  const random = seeded(seed)
  const scene = await openScene(t, { engine: cagedEngine(), onSession: () => {} })
  const target = await openTarget(t, echo)
  const rounds = async (count: number): Promise<void> => {
    let left = count
    const worker = async (): Promise<void> => {
      while (left-- > 0) await throwAt(scene.port, random)
    }
    const workers = Array.from({ length: 64 }, worker)
    for (let i = 0; i < 10; i++) await roundTrip(t, scene, target.port)
    await Promise.all(workers)
    await until(() => scene.server.sessionCount === 0, 'every session ends')
  }
  await rounds(10_000)
  const [descriptors, heap] = [openDescriptors(), heapOctets()]
  await rounds(90_000)
  await until(() => openDescriptors() <= descriptors + 5, 'every descriptor is given back')
  const grown = heapOctets() - heap
  assert.ok(grown < 8 << 20, `the heap grew by ${grown} octets; seed ${seed}`)
})

test('1,000 silent clients and 200 that stop in mid-handshake do not keep honest ones from being served', async t => {
  const scene = await openScene(t, { engine: cagedEngine() })
  const target = await openTarget(t, echo)
  const before = openDescriptors()
  const sockets = Array.from({ length: 1_200 }, (_, index) => {
    const socket = connect({ port: scene.port, host: '127.0.0.1' })
    socket.on('error', () => {})
    if (index >= 1_000) socket.write(hex('0502'))
    return socket
  })
  await Promise.all(sockets.map(socket => once(socket, 'connect')))
  await until(() => scene.server.sessionCount === 1_200, 'all are accepted')
  for (let i = 0; i < 20; i++) await roundTrip(t, scene, target.port)
  for (const socket of sockets) socket.destroy()
  await until(() => scene.server.sessionCount === 0, 'all are gone')
  await until(() => openDescriptors() <= before + 5, 'every descriptor is given back')
})

test('a client that sends without end before the reply is held back at the limit for early octets', async t => {
  const engine = createEngine()
  const { promise: dialled, resolve } = Promise.withResolvers<void>()
  const scene = await openScene(t, {
    engine: {
      ...engine,
      dial: () => {
        resolve()
        return { result: new Promise(() => {}), cancel: () => {} }
      },
    },
    listeners: [loopbackListener()],
  })
  const client = await openClient(t, scene.port)
  client.send(connectRequest(9))
  await dialled
  // More than every buffer on the way together: the rest has to wait here.
  client.socket.write(Buffer.alloc(64 << 20))
  const { promise: drained, resolve: onDrain } = Promise.withResolvers<'drained'>()
  client.socket.once('drain', () => onDrain('drained'))
  const settled = new Promise(resolve => setTimeout(() => resolve('waiting'), 500))
  assert.equal(await Promise.race([drained, settled]), 'waiting')
})
