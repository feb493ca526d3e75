/** The limits of a policy in a running server: each amount, who is counted together, and what a reload does to them. */
import assert from 'node:assert/strict'
import { type TestContext, suite, test } from 'node:test'
import type { ServerOptions } from '@socksmith/server'
import { VirtualClock } from '../../engine/test/virtual-clock.ts'
import { createEngine } from './engine.ts'
import { policy } from './rules.ts'
import {
  type RawClient,
  type Scene,
  connectRequest,
  echo,
  listenerForStrangers,
  loopbackListener,
  openClient,
  openScene,
  openTarget,
  portHex,
} from './scene.ts'

/** Everything is allowed under one limit. */
function limited(limit: object): ReturnType<typeof policy> {
  return policy({ limits: { guest: limit }, rules: [{ allow: 'everything', limits: 'guest' }] })
}

const scene = (t: TestContext, limit: object, overrides: Partial<ServerOptions> = {}): Promise<Scene> =>
  openScene(t, { policy: limited(limit), ...overrides })

/** A client that has asked for a tunnel, and the REP that it got. */
async function tunnel(t: TestContext, port: number, target: number): Promise<{ client: RawClient; rep: number }> {
  const client = await openClient(t, port)
  client.send(connectRequest(target))
  const reply = await client.read(12)
  return { client, rep: Number.parseInt(reply.slice(6, 8), 16) }
}

const from = (address: string): Buffer => Buffer.from(`PROXY TCP6 ${address} 2001:db8::1 40000 1080\r\n`)

async function login(t: TestContext, port: number, target: number): Promise<number> {
  const client = await openClient(t, port)
  client.send(`050102 0103${Buffer.from('bob').toString('hex')}06${Buffer.from('secret').toString('hex')}`)
  client.send(`05010001 7f000001 ${portHex(target)}`)
  return Number.parseInt((await client.read(14)).slice(10, 12), 16)
}

suite('limits', () => {
  test('sessions at once are as many as allowed, and the record of a refusal names the limit', async t => {
    const target = await openTarget(t, echo)
    const { port, record } = await scene(t, { per: 'client', sessions: 2 })
    const [one, two, three] = [
      await tunnel(t, port, target.port),
      await tunnel(t, port, target.port),
      await tunnel(t, port, target.port),
    ]
    assert.deepEqual([one.rep, two.rep, three.rep], [0, 0, 1])
    const { end, failure, limit, detail } = await record()
    assert.deepEqual([end, failure, limit], ['refused', 'too_busy', 'guest'])
    assert.match(detail ?? '', /no more sessions at once/)
    one.client.socket.end()
    await record(({ end: why }) => why === 'client-finished')
    assert.equal((await tunnel(t, port, target.port)).rep, 0)
  })

  test('clients of one /64 are one client, users are users wherever they come from', async t => {
    const target = await openTarget(t, echo)
    const decider = policy({
      limits: { guest: { per: 'client', sessions: 1 } },
      rules: [{ allow: { to: '127.0.0.0/8' }, limits: 'guest' }],
    })
    const { port } = await openScene(t, { policy: decider, listeners: [listenerForStrangers()] })
    const replies: string[] = []
    for (const address of ['2001:db8:1:2::1', '2001:db8:1:2:ffff::1', '2001:db8:1:3::1']) {
      const client = await openClient(t, port)
      client.send(from(address))
      client.send(connectRequest(target.port))
      replies.push((await client.read(4)).slice(6))
    }
    assert.deepEqual(replies, ['00', '01', '00'])
    const users = await scene(
      t,
      { per: 'user', sessions: 1 },
      {
        listeners: [loopbackListener({ authentication: 'password' })],
      },
    )
    assert.deepEqual([await login(t, users.port, target.port), await login(t, users.port, target.port)], [0, 1])
  })

  test('new sessions come as fast as allowed, and no faster', async t => {
    const clock = new VirtualClock()
    const target = await openTarget(t, echo)
    const { port } = await scene(t, { per: 'all', 'new-sessions': '2/min' }, { engine: createEngine(clock) })
    const ask = async (): Promise<number> => (await tunnel(t, port, target.port)).rep
    assert.deepEqual([await ask(), await ask(), await ask()], [0, 0, 1])
    await clock.advance(30_000)
    assert.deepEqual([await ask(), await ask()], [0, 1])
  })

  test('several limits hold at once, by rule and by themselves, and a refusal takes of none', async t => {
    const target = await openTarget(t, echo)
    const decider = policy({
      limits: {
        wide: { per: 'all', sessions: 2 },
        narrow: { of: { to: '127.0.0.0/8' }, per: 'listener', sessions: 1 },
        other: { of: { listener: 'elsewhere' }, per: 'all', sessions: 0 },
      },
      rules: [{ allow: 'everything', limits: 'wide' }],
    })
    const { port, server, record } = await openScene(t, { policy: decider })
    assert.equal((await tunnel(t, port, target.port)).rep, 0)
    for (let i = 0; i < 3; i++) assert.equal((await tunnel(t, port, target.port)).rep, 1)
    assert.equal((await record()).limit, 'narrow')
    server.usePolicy(
      policy({ limits: { wide: { per: 'all', sessions: 2 } }, rules: [{ allow: 'everything', limits: 'wide' }] }),
    )
    // The first one still counts under the same name.
    assert.deepEqual([(await tunnel(t, port, target.port)).rep, (await tunnel(t, port, target.port)).rep], [0, 1])
  })

  test('a session ends when it has lasted as long as allowed', async t => {
    const clock = new VirtualClock()
    const target = await openTarget(t, echo)
    const { port, record } = await scene(t, { per: 'session', 'session-length': '1h' }, { engine: createEngine(clock) })
    const { client, rep } = await tunnel(t, port, target.port)
    assert.equal(rep, 0)
    await clock.advance(3_599_000)
    client.send(Buffer.from('hello'))
    assert.equal(await client.read(5), Buffer.from('hello').toString('hex'))
    await clock.advance(2_000)
    const { end, limit, failure } = await record()
    assert.deepEqual([end, limit, failure], ['session-length', 'guest', undefined])
    await client.readToEnd()
  })

  test('the shorter time without an octet ends a session', async t => {
    const clock = new VirtualClock()
    const target = await openTarget(t, echo)
    const options = { engine: createEngine(clock), limits: { idleMs: 3_600_000 } }
    const { port, record } = await scene(t, { per: 'session', idle: '1m' }, options)
    assert.equal((await tunnel(t, port, target.port)).rep, 0)
    await clock.advance(61_000)
    assert.equal((await record()).end, 'idle')
  })

  test('a BIND is under the limits of its rule from its request on', async t => {
    const { port } = await scene(t, { per: 'all', sessions: 1 }, { bind: { anyPeer: true } })
    const first = await openClient(t, port)
    first.send('050100 05020001 7f000001 0000')
    assert.match(await first.read(12), /^05000500/)
    const second = await openClient(t, port)
    second.send('050100 05020001 7f000001 0000')
    assert.match(await second.read(12), /^05000501/)
    first.socket.destroy()
  })

  test('each plain HTTP request is a session of its own', async t => {
    const target = await openTarget(t, socket => {
      socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'))
    })
    const { port, record } = await scene(t, { per: 'all', 'new-sessions': '1/d' })
    const client = await openClient(t, port)
    const request = `GET http://127.0.0.1:${target.port}/ HTTP/1.1\r\nHost: x\r\n\r\n`
    client.send(Buffer.from(request))
    await record(({ reply }) => reply === 200)
    client.send(Buffer.from(request))
    const { limit, failure } = await record(({ reply }) => reply === 503)
    assert.deepEqual([limit, failure], ['guest', 'too_busy'])
  })

  test('an association is under limits of its own from its request, and under those of a rule from a datagram', async t => {
    const decider = policy({
      limits: { own: { of: { command: 'udp-associate' }, per: 'all', sessions: 1 } },
      rules: [{ allow: 'everything' }],
    })
    const { port, record } = await openScene(t, { policy: decider })
    const first = await openClient(t, port)
    first.send('050100 05030001 00000000 0000')
    assert.match(await first.read(12), /^05000500/)
    const second = await openClient(t, port)
    second.send('050100 05030001 00000000 0000')
    assert.match(await second.read(12), /^05000501/)
    assert.equal((await record()).limit, 'own')
    first.socket.end()
    await record(({ end }) => end === 'client-finished')
    const third = await openClient(t, port)
    third.send('050100 05030001 00000000 0000')
    assert.match(await third.read(12), /^05000500/)
  })

  test('a reload brings live sessions under their new limits', async t => {
    const clock = new VirtualClock()
    const target = await openTarget(t, echo)
    const { port, server, record } = await openScene(t, {
      engine: createEngine(clock),
      policy: policy({ rules: [{ allow: 'everything' }] }),
    })
    const { client, rep } = await tunnel(t, port, target.port)
    assert.equal(rep, 0)
    assert.equal(server.usePolicy(limited({ per: 'session', 'session-length': '10m' })), 0)
    client.send(Buffer.from('x'))
    await client.read(1)
    await clock.advance(601_000)
    assert.equal((await record()).end, 'session-length')
  })

  test('whatever a session took is free again, however it ended', async t => {
    const target = await openTarget(t, socket => {
      socket.on('data', () => socket.resetAndDestroy())
      socket.on('end', () => socket.end())
    })
    const { port, record } = await scene(t, { per: 'all', sessions: 1 })
    for (let i = 1; i <= 6; i++) {
      const { client, rep } = await tunnel(t, port, target.port)
      assert.equal(rep, 0, `round ${i}`)
      if (i % 3 === 0) client.socket.resetAndDestroy()
      else if (i % 3 === 1) client.socket.end()
      else client.send(Buffer.from('x'))
      await record(({ id }) => id === i)
    }
  })
})
