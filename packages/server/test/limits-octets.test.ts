/** Bandwidth, octets of a period and datagrams in a running server, on whichever engine moves them. */
import assert from 'node:assert/strict'
import { type TestContext, suite, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { VirtualClock } from '../../engine/test/virtual-clock.ts'
import { createEngine } from './engine.ts'
import { policy } from './rules.ts'
import { type RawClient, connectRequest, echo, openClient, openScene, openTarget } from './scene.ts'
import { openUdpScene } from './udp-scene.ts'

function limited(limit: object): ReturnType<typeof policy> {
  return policy({ limits: { guest: limit }, rules: [{ allow: 'everything', limits: 'guest' }] })
}

async function tunnel(t: TestContext, port: number, target: number): Promise<RawClient> {
  const client = await openClient(t, port)
  client.send(connectRequest(target))
  assert.match(await client.read(12), /^05000500/)
  return client
}

/** A few datagrams a day, but for one port. */
const decider = (port: number): ReturnType<typeof policy> =>
  policy({
    limits: { guest: { per: 'all', datagrams: '3/d' } },
    rules: [{ allow: { port } }, { allow: 'everything', limits: 'guest' }],
  })

const notYet = (): Promise<boolean> => sleep(5).then(() => false)

/** Lets the clock go on until it is done; how long that took on it. */
async function clockUntil(clock: VirtualClock, done: Promise<unknown>): Promise<number> {
  const before = clock.monotonicMs()
  const finished = done.then(() => true)
  while (!(await Promise.race([finished, notYet()]))) await clock.advance(50)
  return clock.monotonicMs() - before
}

suite('limits on octets', () => {
  for (const [direction, other] of [
    ['up', 'down'],
    ['down', 'up'],
  ] as const) {
    test(`what goes ${direction} takes the time that its bandwidth asks for, and arrives whole`, async t => {
      const clock = new VirtualClock()
      const target = await openTarget(t, echo)
      const bandwidth = { [direction]: '80kbit/s', [other]: '8Gbit/s' }
      const { port } = await openScene(t, {
        engine: createEngine(clock),
        policy: limited({ per: 'all', bandwidth }),
      })
      const client = await tunnel(t, port, target.port)
      const sent = Buffer.alloc(60_000, 'abcdefg')
      client.send(sent)
      // The portable engine makes up afterwards what it has read at once: the last octet waits for all before it.
      const first = await clockUntil(clock, client.read(1))
      const rest = await clockUntil(
        clock,
        client.read(sent.length - 1).then(text => assert.equal(text, sent.subarray(1).toString('hex'))),
      )
      client.send(Buffer.from('last'))
      const last = await clockUntil(clock, client.read(4))
      // 10,000 octets a second, less the burst of 2,048.
      assert.ok(first + rest + last >= 5_700, `${first} ${rest} ${last}`)
    })
  }

  test('a session ends with the octets of its period, the next one is refused until they begin anew', async t => {
    const clock = new VirtualClock()
    const target = await openTarget(t, socket => socket.end(Buffer.alloc(100_000)))
    const { port, record } = await openScene(t, {
      engine: createEngine(clock),
      policy: limited({ per: 'client', octets: '60KiB/day' }),
    })
    const client = await tunnel(t, port, target.port)
    await client.readToEnd()
    const { end, limit, targetToClient } = await record()
    assert.deepEqual([end, limit], ['quota', 'guest'])
    assert.ok(targetToClient >= 61_440, `${targetToClient}`)
    const refused = await openClient(t, port)
    refused.send(connectRequest(target.port))
    assert.match(await refused.read(12), /^05000502/)
    const told = await record(one => one.end === 'refused')
    assert.deepEqual([told.failure, told.limit], ['not_allowed', 'guest'])
    await clock.advance(86_400_000)
    await tunnel(t, port, target.port)
  })

  test('a plain HTTP exchange counts, and is cut where its octets are used up', async t => {
    const target = await openTarget(t, socket => {
      socket.once('data', () =>
        socket.end(`HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n${'x'.repeat(3_000_000)}`),
      )
    })
    const { port, record } = await openScene(t, { policy: limited({ per: 'all', octets: '1MiB/month' }) })
    const client = await openClient(t, port)
    client.send(Buffer.from(`GET http://127.0.0.1:${target.port}/ HTTP/1.1\r\nHost: x\r\n\r\n`))
    assert.ok((await client.readToEnd()).length < 3_000_000)
    const { end, limit } = await record(one => one.command === 'forward')
    assert.deepEqual([end, limit], ['quota', 'guest'])
  })

  test('a plain HTTP exchange keeps to its bandwidth', async t => {
    const clock = new VirtualClock()
    const target = await openTarget(t, socket => {
      socket.once('data', () => socket.end(`HTTP/1.1 200 OK\r\nContent-Length: 400000\r\n\r\n${'x'.repeat(400_000)}`))
    })
    const { port } = await openScene(t, {
      engine: createEngine(clock),
      policy: limited({ per: 'all', bandwidth: { down: '800kbit/s' } }),
    })
    const client = await openClient(t, port)
    client.send(Buffer.from(`GET http://127.0.0.1:${target.port}/ HTTP/1.1\r\nHost: x\r\n\r\n`))
    // At 100,000 octets a second; the last read may pass at once.
    assert.ok((await clockUntil(clock, client.read(400_000))) >= 1_000)
  })

  test('datagrams above the rate are dropped, and only those of the rule with the limit', async t => {
    const scene = await openUdpScene(t, decider(1))
    const [port, other] = [await scene.echo(), await scene.echo()]
    scene.server.usePolicy(decider(other))
    for (let i = 0; i < 3; i++) assert.equal(await scene.ask(port), 'answer')
    for (let i = 0; i < 3; i++) await scene.send(port)
    // It is behind those in the socket, so they have been dropped when it is answered.
    assert.equal(await scene.ask(other), 'answer')
    assert.equal(scene.heard(port), 3)
  })

  test('an association ends with the octets of its period', async t => {
    const scene = await openUdpScene(t, limited({ per: 'all', octets: { up: '5B', every: 'day' } }))
    const port = await scene.echo()
    assert.equal(await scene.ask(port), 'answer')
    await scene.send(port)
    assert.equal((await scene.record()).end, 'quota')
    assert.equal(scene.heard(port), 1)
  })
})
