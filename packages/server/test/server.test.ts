/** Listeners, limits, time-outs and the end of the server as a whole. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { connect as connectTls } from 'node:tls'
import { connect } from 'node:net'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type SecureOptions } from '@socksmith/engine'
import { type Ban, createServer } from '@socksmith/server'
import { VirtualClock } from '../../engine/test/virtual-clock.ts'
import { ALICE, AUTHORITY, SERVER } from '../../engine/test/data/certificates.ts'
import {
  RawClient,
  connectRequest,
  echo,
  fixedResolver,
  listenerForStrangers,
  loopbackListener,
  openClient,
  openScene,
  openTarget,
  portHex,
} from './scene.ts'
import { createEngine } from './engine.ts'

test('a listener that cannot open is a failure, and those before it are closed again', async t => {
  const scene = await openScene(t)
  const taken = loopbackListener({
    place: {
      kind: 'ip',
      endpoint: { address: { type: 'ipv4', octets: Uint8Array.of(127, 0, 0, 1) }, port: scene.port },
    },
  })
  const server = createServer({
    engine: createEngine(),
    resolver: fixedResolver({}),
    listeners: [loopbackListener(), taken],
  })
  const failure = await server.start()
  assert.ok('code' in failure)
  assert.equal(failure.errno, 'EADDRINUSE')
})

test('a Unix socket is a listener like any other', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'socksmith-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const path = join(folder, 'socks')
  const scene = await openScene(t, { listeners: [loopbackListener({ place: { kind: 'unix', path } })] })
  const target = await openTarget(t, echo)
  const socket = connect({ path })
  t.after(() => socket.destroy())
  const client = new RawClient(socket)
  client.send(`${connectRequest(target.port)} 78`)
  await client.read(12)
  assert.equal(await client.read(1), '78')
  client.socket.end()
  assert.equal((await scene.record()).client.kind, 'unix')
})

const tls = (): { certificate: string; key: string; timeoutMs: number } => ({
  ...SERVER,
  timeoutMs: 5_000,
})

const withAuthority = (): SecureOptions => ({ ...tls(), clientAuthorities: AUTHORITY })

test('TLS: any protocol inside, and a client certificate names the user', async t => {
  const scene = await openScene(t, {
    listeners: [
      loopbackListener({ tls }),
      loopbackListener({
        authentication: 'certificate',
        tls: () => ({
          ...tls(),
          clientAuthorities: AUTHORITY,
          clientCertificateRequired: true,
        }),
      }),
    ],
  })
  const target = await openTarget(t, echo)
  for (const [index, own] of [{}, { cert: ALICE.certificate, key: ALICE.key }].entries()) {
    const socket = connectTls({ port: scene.ports[index] ?? 0, host: '127.0.0.1', rejectUnauthorized: false, ...own })
    t.after(() => socket.destroy())
    const client = new RawClient(socket)
    client.send(`${connectRequest(target.port)} 78`)
    await client.read(12)
    assert.equal(await client.read(1), '78')
    socket.end()
  }
  const record = await scene.record(one => one.user !== undefined)
  assert.ok(record.user)
})

test('TLS: a certificate stands in place of the password, and without one the password is asked for', async t => {
  const scene = await openScene(t, {
    listeners: [loopbackListener({ authentication: 'password', tls: withAuthority })],
  })
  for (const [own, answer] of [
    [{ cert: ALICE.certificate, key: ALICE.key }, '0500'],
    [{}, '05ff'],
  ] as const) {
    const socket = connectTls({ port: scene.port, host: '127.0.0.1', rejectUnauthorized: false, ...own })
    t.after(() => socket.destroy())
    const client = new RawClient(socket)
    client.send('050100')
    assert.equal(await client.read(2), answer)
    socket.end()
  }
})

test('TLS: whoever shows a certificate is kept out where the user is banned from that address', async t => {
  const authentication = 'certificate' as const
  const { server, port, record } = await openScene(t, {
    listeners: [
      loopbackListener({ authentication, tls: () => ({ ...withAuthority(), clientCertificateRequired: true }) }),
    ],
  })
  const target = await openTarget(t, echo)
  const open = (): RawClient => {
    const own = { cert: ALICE.certificate, key: ALICE.key }
    const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false, ...own })
    t.after(() => socket.destroy())
    const client = new RawClient(socket)
    client.send(connectRequest(target.port))
    return client
  }
  await open().read(12)
  const [live] = server.sessions()
  const user = live?.user ?? assert.fail('there is no session')
  const ban: Ban = { subject: { kind: 'login', client: '127.0.0.1', user }, sinceMs: 0, by: 'operator' }
  assert.equal(server.ban([ban]), 1)
  open()
  const refused = await record(({ end }) => end === 'refused')
  assert.match(refused.detail ?? '', /certificate is banned/)
})

test('TLS: a client that speaks no TLS is told in an event, and nothing else breaks', async t => {
  const scene = await openScene(t, { listeners: [loopbackListener({ tls })] })
  const client = await openClient(t, scene.port)
  client.send('050100')
  client.socket.end()
  await client.readToEnd()
  assert.ok(scene.events.some(event => event.kind === 'preface-failure'))
})

test('PROXY protocol: both forms are believed from trusted networks, and one is needed', async t => {
  const scene = await openScene(t, { listeners: [listenerForStrangers()] })
  const v2 = '0d0a0d0a000d0a515549540a 21 11 000c cb007105 7f000001 9c40 0438'
  for (const header of [Buffer.from('PROXY TCP4 203.0.113.5 127.0.0.1 40000 1080\r\n').toString('hex'), v2]) {
    const client = await openClient(t, scene.port)
    client.send(`${header} 050100`)
    assert.equal(await client.read(2), '0500')
    client.socket.destroy()
  }
  const record = await scene.record()
  assert.deepEqual(record.client.kind === 'ip' && [...record.client.endpoint.address.octets], [203, 0, 113, 5])
  const without = await openClient(t, scene.port)
  without.send('050100')
  assert.equal((await without.readToEnd()).length, 0)
})

test('PROXY protocol: a listener that does not expect it treats it as garbage', async t => {
  const scene = await openScene(t)
  const client = await openClient(t, scene.port)
  client.send('0d0a0d0a000d0a515549540a2111000c')
  assert.equal((await client.readToEnd()).length, 0)
})

test('the handshake deadline counts from accept, whatever trickles in', async t => {
  const clock = new VirtualClock()
  const scene = await openScene(t, { engine: createEngine(clock) })
  const [slow, silent] = [await openClient(t, scene.port), await openClient(t, scene.port)]
  slow.send('0502')
  const busy = await openTarget(t, echo)
  const good = await openClient(t, scene.port)
  good.send(`${connectRequest(busy.port)} 78`)
  await good.read(13)
  await clock.advance(15_000)
  slow.send('00')
  await clock.advance(15_000)
  assert.equal((await slow.readToEnd()).length, 0)
  assert.equal((await silent.readToEnd()).length, 0)
  assert.deepEqual(
    scene.records.map(record => record.end),
    ['handshake-timeout', 'handshake-timeout'],
  )
  good.send('79')
  assert.equal(await good.read(1), '79')
})

test('after a failure reply the connection is gone within ten seconds, even if the client stays', async t => {
  const clock = new VirtualClock()
  const scene = await openScene(t, { engine: createEngine(clock) })
  const client = await openClient(t, scene.port)
  client.send('050100 05090001 7f000001 0050')
  assert.equal((await client.readToEnd()).toString('hex'), '050005070001000000000000')
  assert.equal(scene.server.sessionCount, 1)
  await clock.advance(10_000)
  assert.equal(scene.server.sessionCount, 0)
})

test('connection limits: exactly so many, refused cleanly, free again at close', async t => {
  const scene = await openScene(t, { limits: { connections: 3, connectionsPerClient: 2 } })
  const clients = [await openClient(t, scene.port), await openClient(t, scene.port)]
  for (const client of clients) {
    client.send('050100')
    assert.equal(await client.read(2), '0500')
  }
  const third = await openClient(t, scene.port)
  assert.equal((await third.readToEnd()).length, 0)
  assert.ok(scene.events.some(event => event.kind === 'limit' && event.limit === 'connectionsPerClient'))
  clients[0]?.socket.destroy()
  await scene.record()
  const fourth = await openClient(t, scene.port)
  fourth.send('050100')
  assert.equal(await fourth.read(2), '0500')
})

test('too many dials at once are refused with REP 01', async t => {
  const engine = createEngine()
  const { promise: dialled, resolve } = Promise.withResolvers<void>()
  const scene = await openScene(t, {
    limits: { pendingDials: 1 },
    engine: {
      ...engine,
      dial: () => {
        resolve()
        return { result: new Promise(() => {}), cancel: () => {} }
      },
    },
  })
  const first = await openClient(t, scene.port)
  first.send(connectRequest(9))
  await dialled
  const second = await openClient(t, scene.port)
  second.send(connectRequest(9))
  assert.equal((await second.readToEnd()).toString('hex'), '050005010001000000000000')
})

test('stop: nobody new, the sessions finish, and what is left at the deadline is ended and counted', async t => {
  const clock = new VirtualClock()
  const scene = await openScene(t, { engine: createEngine(clock) })
  const target = await openTarget(t, echo)
  const [first, second] = [await openClient(t, scene.port), await openClient(t, scene.port)]
  for (const client of [first, second]) {
    client.send(`${connectRequest(target.port)} 78`)
    await client.read(13)
  }
  const stopped = scene.server.stop({ deadlineMs: 30_000 })
  await assert.rejects(openClient(t, scene.port), { code: 'ECONNREFUSED' })
  first.send('79')
  assert.equal(await first.read(1), '79')
  first.socket.end()
  await scene.record()
  await clock.advance(30_000)
  assert.equal(await stopped, 1)
  await second.readToEnd()
  assert.deepEqual(
    scene.records.map(record => record.end),
    ['client-finished', 'stopped'],
  )
})

test('stop returns as soon as the last session has finished', async t => {
  const scene = await openScene(t)
  const target = await openTarget(t, echo)
  const client = await openClient(t, scene.port)
  client.send(connectRequest(target.port))
  await client.read(12)
  const stopped = scene.server.stop({ deadlineMs: 60_000 })
  client.socket.end()
  assert.equal(await stopped, 0)
})

test('idle tunnels end at the limit, and half-open ones at theirs', async t => {
  const clock = new VirtualClock()
  const scene = await openScene(t, {
    engine: createEngine(clock),
    limits: { idleMs: 60_000, halfOpenIdleMs: 10_000 },
  })
  const target = await openTarget(t, socket => void socket.resume())
  const [idle, half] = [await openClient(t, scene.port), await openClient(t, scene.port)]
  for (const client of [idle, half]) {
    client.send(`050100 05010001 7f000001 ${portHex(target.port)}`)
    await client.read(12)
  }
  half.socket.end()
  await clock.advance(59_000)
  await clock.advance(2_000)
  await Promise.all([idle.readToEnd(), half.readToEnd()])
  assert.deepEqual(
    scene.records.map(record => record.end),
    ['idle', 'idle'],
  )
})
