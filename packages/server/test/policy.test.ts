/** The rules in a running server: every stage at which they are asked, and what becomes of live sessions. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { type TestContext, suite, test } from 'node:test'
import { type Engine, type Resolution, type Resolver } from '@socksmith/engine'
import type { Decider } from '@socksmith/policy'
import type { ServerOptions } from '@socksmith/server'
import {
  FROM_OUTSIDE,
  type Scene,
  connectRequest,
  deadPort,
  echo,
  fixedResolver,
  ip,
  listenerForStrangers,
  loopbackListener,
  openClient,
  openScene,
  openTarget,
  portHex,
} from './scene.ts'
import { VirtualClock } from '../../engine/test/virtual-clock.ts'
import { createEngine } from './engine.ts'
import { rules } from './rules.ts'

const scene = (t: TestContext, decider: Decider, overrides: Partial<ServerOptions> = {}): Promise<Scene> =>
  openScene(t, { policy: decider, ...overrides })

const GREETING_AND_NAME = (name: string, port: number): string =>
  `050100 05010003 ${Buffer.byteLength(name).toString(16).padStart(2, '0')}${Buffer.from(name).toString('hex')} ${portHex(port)}`

/** Bob logs in and asks for 127.0.0.1. */
const LOGIN = `050102 0103${Buffer.from('bob').toString('hex')}06${Buffer.from('secret').toString('hex')}`

suite('the policy in the server', () => {
  test('a client to whom nothing would be allowed is not spoken to', async t => {
    const { port, record } = await scene(t, rules({ allow: { from: '10.0.0.0/8' } }))
    const client = await openClient(t, port)
    client.send('050100')
    assert.equal((await client.readToEnd()).length, 0)
    const { end, failure, detail } = await record()
    assert.deepEqual([end, failure, detail], ['refused', 'not_allowed', 'no rule allows it'])
  })

  test('a target is refused with the reply of its rule, and the record names it', async t => {
    const target = await openTarget(t, echo)
    const denied = await deadPort()
    const decider = rules(
      { name: 'closed', deny: { port: denied }, reply: 'host-unreachable', note: 'n' },
      { allow: 'everything' },
    )
    const { port, record } = await scene(t, decider)
    const refused = await openClient(t, port)
    refused.send(connectRequest(denied))
    assert.equal(await refused.read(12), '050005040001000000000000')
    const told = await record(one => one.end === 'refused')
    assert.deepEqual([told.rule?.name, told.failure, told.method], ['closed', 'host_unreachable', 'none'])
    const allowed = await openClient(t, port)
    allowed.send(connectRequest(target.port))
    assert.match(await allowed.read(12), /^05000500/)
    allowed.socket.end()
    assert.equal((await record(one => one.end !== 'refused')).rule?.number, 2)
  })

  test('a denied name is not resolved, and an allowed one is checked by its address', async t => {
    const asked: string[] = []
    const names = fixedResolver({ 'good.example': ['127.0.0.1'], 'inner.example': ['10.0.0.1'] })
    const resolver: Resolver = {
      resolve(name) {
        asked.push(name)
        return names.resolve(name)
      },
    }
    const decider = rules(
      { deny: { to: '.bad.example' } },
      { deny: { to: '10.0.0.0/8' } },
      { allow: { to: '.example' } },
    )
    const target = await openTarget(t, echo)
    const { port } = await scene(t, decider, { resolver })
    for (const [name, reply] of [
      ['x.bad.example', '02'],
      ['inner.example', '02'],
      ['good.example', '00'],
    ] as const) {
      const client = await openClient(t, port)
      client.send(GREETING_AND_NAME(name, target.port))
      assert.equal((await client.read(4)).slice(4), `05${reply}`, name)
    }
    assert.deepEqual(asked, ['inner.example', 'good.example'])
  })

  test('a name that becomes another in the resolver is judged as that one', async t => {
    const asked: string[] = []
    const resolver: Resolver = {
      resolve(name) {
        asked.push(name)
        return Promise.resolve([ip('127.0.0.1')] as Resolution)
      },
    }
    const { port } = await scene(t, rules({ deny: { to: '.bad.example' } }, { allow: 'everything' }), { resolver })
    // Fullwidth letters, and the ideographic full stop.
    for (const name of ['ｂａｄ.example', 'bad。example', 'X.BAD.EXAMPLE.']) {
      const client = await openClient(t, port)
      client.send(GREETING_AND_NAME(name, 80))
      assert.match(await client.read(4), /^05000502/, name)
    }
    const other = await openClient(t, port)
    other.send(GREETING_AND_NAME('münchen.example', await deadPort()))
    assert.match(await other.read(4), /^05000505/)
    assert.deepEqual(asked, ['xn--mnchen-3ya.example'])
  })

  test('a name that answers differently each time gains nothing: what was allowed is dialled', async t => {
    const answers = ['127.0.0.1', '10.0.0.1']
    const resolver: Resolver = {
      resolve: () => Promise.resolve([ip(answers.shift() ?? '10.0.0.1')] as Resolution),
    }
    const target = await openTarget(t, echo)
    const decider = rules({ deny: { to: '10.0.0.0/8' } }, { allow: { to: 'rebind.example' } })
    const { port, record } = await scene(t, decider, { resolver })
    const first = await openClient(t, port)
    first.send(GREETING_AND_NAME('rebind.example', target.port))
    assert.match(await first.read(12), /^05000500/)
    first.socket.end()
    const { dialled } = await record()
    assert.deepEqual([...(dialled?.address.octets ?? [])], [127, 0, 0, 1])
    const second = await openClient(t, port)
    second.send(GREETING_AND_NAME('rebind.example', target.port))
    assert.match(await second.read(4), /^05000502/)
  })

  test('an inside target is open to a client from elsewhere only by a rule that names it', async t => {
    const target = await openTarget(t, echo)
    const listeners = [listenerForStrangers()]
    for (const [rule, reply] of [
      ['everything', '02'],
      [{ to: '127.0.0.0/8' }, '00'],
    ] as const) {
      const { port } = await scene(t, rules({ allow: rule }), { listeners })
      const client = await openClient(t, port)
      client.send(FROM_OUTSIDE)
      client.send(connectRequest(target.port))
      assert.equal((await client.read(4)).slice(4), `05${reply}`)
    }
  })

  test('a redirect is dialled instead, also for a name that does not exist', async t => {
    const target = await openTarget(t, echo)
    const { port } = await scene(t, rules({ allow: { to: 'gone.example' }, redirect: `127.0.0.1:${target.port}` }))
    const client = await openClient(t, port)
    client.send(GREETING_AND_NAME('gone.example', 80))
    assert.match(await client.read(12), /^05000500/)
    client.send(Buffer.from('hello'))
    assert.equal(await client.read(5), Buffer.from('hello').toString('hex'))
  })

  test('the rules choose who must show a password', async t => {
    const target = await openTarget(t, echo)
    const listeners = [loopbackListener({ authentication: 'rules', name: 'desk' })]
    const open = rules({ allow: { listener: 'desk', method: 'none', port: target.port } }, { allow: { user: 'bob' } })
    const { port, server } = await scene(t, open, { listeners })
    const nobody = await openClient(t, port)
    nobody.send(connectRequest(target.port))
    assert.match(await nobody.read(4), /^05000500/)
    const bob = await openClient(t, port)
    bob.send(`05020002 ${LOGIN.slice(6)}`)
    assert.equal(await bob.read(4), '05020100')
    server.usePolicy(rules({ allow: { user: 'bob' } }))
    const stranger = await openClient(t, port)
    stranger.send('050100')
    assert.equal(await stranger.read(2), '05ff')
    const old = await openClient(t, port)
    old.send(`0401 ${portHex(target.port)} 7f000001 00`)
    assert.equal((await old.read(2)).slice(0, 4), '005b')
  })

  test('HTTP asks for a password only where the rules want one, and takes one where they do not', async t => {
    const target = await openTarget(t, socket => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'))
    const listeners = [loopbackListener({ authentication: 'rules' })]
    const ask = async (port: number, fields: string): Promise<string> => {
      const client = await openClient(t, port)
      client.send(
        Buffer.from(`GET http://127.0.0.1:${target.port}/ HTTP/1.1\r\nHost: x\r\n${fields}Connection: close\r\n\r\n`),
      )
      return (await client.readToEnd()).toString().slice(9, 12)
    }
    const basic = `Proxy-Authorization: Basic ${Buffer.from('bob:secret').toString('base64')}\r\n`
    const closed = await scene(t, rules({ allow: { user: 'bob' } }), { listeners })
    assert.deepEqual([await ask(closed.port, ''), await ask(closed.port, basic)], ['407', '200'])
    const both = await scene(t, rules({ allow: { user: 'bob' } }, { allow: { method: 'none', port: 1 } }), {
      listeners,
    })
    assert.deepEqual([await ask(both.port, ''), await ask(both.port, basic)], ['403', '200'])
  })

  test('a rule that only reports is written down and the session served', async t => {
    const target = await openTarget(t, echo)
    const { port, record } = await scene(
      t,
      rules({ deny: { port: target.port }, mode: 'report' }, { allow: 'everything' }),
    )
    const client = await openClient(t, port)
    client.send(connectRequest(target.port))
    assert.match(await client.read(12), /^05000500/)
    client.socket.end()
    const { reported, rule } = await record()
    assert.deepEqual([rule?.number, reported?.map(one => [one.verdict, one.rule?.number])], [2, [['deny', 1]]])
  })

  test('the peer of a BIND is asked about when it connects', async t => {
    const bind = async (decider: Decider): Promise<string> => {
      const { port } = await scene(t, decider)
      const client = await openClient(t, port)
      client.send('050100 05020001 7f000001 0000')
      const reply = await client.read(12)
      const peer = connect(Number.parseInt(reply.slice(20, 24), 16), '127.0.0.1')
      t.after(() => peer.destroy())
      peer.on('error', () => {})
      await once(peer, 'close').catch(() => {})
      return reply
    }
    // A stranger by the rules: its connection is closed, and the client waits on.
    assert.match(await bind(rules({ deny: { command: 'bind-peer' } }, { allow: 'everything' })), /^05000500/)
    const { port } = await scene(t, rules({ allow: { command: 'bind' } }))
    const client = await openClient(t, port)
    client.send('050100 05020001 7f000001 0000')
    const reply = await client.read(12)
    const peer = connect(Number.parseInt(reply.slice(20, 24), 16), '127.0.0.1')
    t.after(() => peer.destroy())
    assert.match(await client.read(10), /^05000001/)
  })

  test('an association that no datagram may leave is refused', async t => {
    const { port } = await scene(t, rules({ allow: { command: 'connect' } }))
    const client = await openClient(t, port)
    client.send('050100 05030001 00000000 0000')
    assert.match(await client.read(4), /^05000502/)
  })

  test('new rules end the sessions that they forbid, and no other of a thousand', async t => {
    const [stays, goes] = [await openTarget(t, echo), await openTarget(t, echo)]
    const { port, server, record } = await scene(t, rules({ allow: 'everything' }), {
      limits: { connectionsPerClient: 2_000 },
    })
    const clients = await Promise.all(
      Array.from({ length: 1_000 }, async (_, index) => {
        const client = await openClient(t, port)
        const target = index % 10 === 0 ? goes : stays
        client.send(connectRequest(target.port))
        assert.match(await client.read(12), /^05000500/)
        return { client, isForbidden: target === goes }
      }),
    )
    assert.equal(server.usePolicy(rules({ deny: { port: goes.port } }, { allow: 'everything' })), 100)
    assert.equal((await record()).end, 'revoked')
    for (const { client, isForbidden } of clients) {
      if (isForbidden) await client.readToEnd()
      else {
        client.send(Buffer.from('still'))
        assert.equal(await client.read(5), Buffer.from('still').toString('hex'))
      }
    }
    assert.equal(server.sessionCount, 900)
  })

  test('a rule for some hours allows what is asked for in them, and nothing after', async t => {
    const clock = new VirtualClock(Date.UTC(2030, 0, 1, 8, 59))
    const target = await openTarget(t, echo)
    const decider = rules({ allow: { when: '08:00-09:00 UTC' } })
    const { port } = await scene(t, decider, { engine: createEngine(clock) })
    const early = await openClient(t, port)
    early.send(connectRequest(target.port))
    assert.match(await early.read(12), /^05000500/)
    await clock.advance(60_000)
    const late = await openClient(t, port)
    assert.equal((await late.readToEnd()).length, 0)
    early.send(Buffer.from('still'))
    assert.equal(await early.read(5), Buffer.from('still').toString('hex'))
  })

  test('rules that change while a target is being reached are asked again before the tunnel opens', async t => {
    const target = await openTarget(t, echo)
    const { promise: reached, resolve: reach } = Promise.withResolvers<void>()
    const { promise: released, resolve: release } = Promise.withResolvers<void>()
    const real = createEngine()
    const engine: Engine = {
      ...real,
      dial(to, options) {
        const dialing = real.dial(to, options)
        reach()
        return { cancel: () => dialing.cancel(), result: released.then(() => dialing.result) }
      },
    }
    const { port, server } = await scene(t, rules({ allow: 'everything' }), { engine })
    const client = await openClient(t, port)
    client.send(connectRequest(target.port))
    await reached
    assert.equal(server.usePolicy(rules({ deny: { port: target.port } }, { allow: 'everything' })), 0)
    release()
    assert.match(await client.read(4), /^05000502/)
  })

  test('the sessions of a user who is gone end, and those of others go on', async t => {
    const target = await openTarget(t, echo)
    const listeners = [loopbackListener({ authentication: 'password' })]
    const { port, server, record } = await openScene(t, { listeners })
    const bob = await openClient(t, port)
    bob.send(`${LOGIN} ${connectRequest(target.port).slice(6)}`)
    assert.match(await bob.read(14), /^050201000500/)
    assert.equal(
      server.endUsers(user => user === 'alice'),
      0,
    )
    assert.equal(
      server.endUsers(user => user === 'bob'),
      1,
    )
    await bob.readToEnd()
    assert.deepEqual([(await record()).end, (await record()).user], ['revoked', 'bob'])
    // A login that was being judged while its user went is worth nothing either.
    const late = await openClient(t, port)
    late.send(`${LOGIN} ${connectRequest(target.port).slice(6)}`)
    assert.match(await late.read(6), /^050201000502/)
  })
})
