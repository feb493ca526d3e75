/** Ways out by name: which one a request takes, from which address it leaves, and that it never leaves by another. */
import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect } from 'node:net'
import { type TestContext, suite, test } from 'node:test'
import { pool, toRoute } from '@socksmith/client'
import { type ServerOptions, type Way, parseNetwork } from '@socksmith/server'
import { formatAddress, utf8Text } from '@socksmith/protocol'
import { createEngine } from './engine.ts'
import { FAR, nameRequest } from './route-scene.ts'
import { rules } from './rules.ts'
import {
  type Scene,
  connectRequest,
  deadPort,
  echo,
  fixedResolver,
  hex,
  ip,
  loopbackListener,
  openClient,
  openScene,
  openTarget,
  portHex,
} from './scene.ts'

function from(...texts: readonly string[]): NonNullable<Way['source']>['from'] {
  return texts.map(text => {
    const network = parseNetwork(text)
    assert.ok(network, text)
    return network
  })
}

/** Everything goes by the way `out`. */
function openWay(t: TestContext, way: Way, overrides: Partial<ServerOptions> = {}): Promise<Scene> {
  const policy = rules({ allow: 'everything', via: 'out' })
  return openScene(t, { ways: new Map([['out', way]]), policy, ...overrides })
}

/** A target that says from which address it was reached. */
function tellTarget(t: TestContext): ReturnType<typeof openTarget> {
  return openTarget(t, socket => void socket.end(socket.remoteAddress ?? ''))
}

/** What the target says when it is asked for through the server. */
async function told(t: TestContext, port: number, target: number, login?: string): Promise<string> {
  const client = await openClient(t, port)
  if (login === undefined) client.send(connectRequest(target))
  else {
    const name = Buffer.from(login).toString('hex')
    const length = (name.length / 2).toString(16).padStart(2, '0')
    client.send(`050102 01${length}${name}0170 05010001 7f000001 ${portHex(target)}`)
  }
  assert.match(await client.read(login === undefined ? 12 : 14), /^0500050000|^050201000500/)
  const text = (await client.readToEnd()).toString()
  client.socket.end()
  return text
}

const WITH_LOGIN: Partial<ServerOptions> = {
  listeners: [loopbackListener({ authentication: 'password' })],
  authenticate: ({ username }) => Promise.resolve(utf8Text(username)),
}

suite('the address to leave by', () => {
  test('each connection takes the next one of a list, and the record names the way', async t => {
    const scene = await openWay(t, { source: { from: from('127.0.0.2', '127.0.0.3', '127.0.0.4') } })
    const { port } = await tellTarget(t)
    const seen: string[] = []
    for (let i = 0; i < 6; i++) seen.push(await told(t, scene.port, port))
    const round = ['127.0.0.2', '127.0.0.3', '127.0.0.4']
    assert.deepEqual(seen, [...round, ...round])
    assert.equal((await scene.record()).via, 'out')
  })

  test('a sticky one is the same for a user whenever he comes, and users are spread', async t => {
    const source = { from: from(...Array.from({ length: 20 }, (_, i) => `127.0.1.${i + 1}`)), sticky: 'user' }
    const scene = await openWay(t, { source }, WITH_LOGIN)
    const { port } = await tellTarget(t)
    const users = ['ann', 'ben', 'cid', 'dora', 'eve', 'fay']
    const first = new Map<string, string>()
    for (const user of users) first.set(user, await told(t, scene.port, port, user))
    for (const user of users) assert.equal(await told(t, scene.port, port, user), first.get(user), user)
    assert.ok(new Set(first.values()).size > 2, [...first.values()].join())
  })

  test('sticky by client: the other connections of a client have the same one', async t => {
    const scene = await openWay(t, { source: { from: from('127.0.0.2', '127.0.0.3'), sticky: 'client' } })
    const { port } = await tellTarget(t)
    const one = await told(t, scene.port, port)
    for (let i = 0; i < 3; i++) assert.equal(await told(t, scene.port, port), one)
  })

  test('a whole prefix: where the engine can leave by addresses that are not its own, and refused where not', async t => {
    const scene = await openWay(t, { source: { from: from('127.7.0.0/16'), sticky: 'client' } })
    const { port } = await tellTarget(t)
    if (!createEngine().socketOptions.has('freeBind')) {
      const client = await openClient(t, scene.port)
      client.send(connectRequest(port))
      assert.match(await client.read(4), /^050005(?!00)/)
      return
    }
    const one = await told(t, scene.port, port)
    assert.match(one, /^127\.7\./)
    assert.equal(await told(t, scene.port, port), one)
    const drawn = await openWay(t, { source: { from: from('127.7.0.0/16') } })
    assert.notEqual(await told(t, drawn.port, port), await told(t, drawn.port, port))
  })

  test('a family without a source is not reached', async t => {
    const scene = await openWay(t, { source: { from: from('::1') } })
    const client = await openClient(t, scene.port)
    client.send(connectRequest((await tellTarget(t)).port))
    assert.match(await client.read(4), /^05000503/)
    assert.match((await scene.record()).detail ?? '', /the way out has no IPv4 address/)
  })

  test('UDP and BIND leave by it too', async t => {
    const scene = await openWay(t, { source: { from: from('127.0.0.9') } })
    const { socket, relay } = await associate(t, scene.port)
    socket.send(hex(`00000001 7f000001 ${portHex(await udpTell(t))} 61`), relay, '127.0.0.1')
    const [answer] = (await once(socket, 'message')) as [Buffer]
    assert.equal(answer.toString('utf8', 10), '127.0.0.9')

    const client = await openClient(t, scene.port)
    client.send('050100 05020001 7f000001 0000')
    const reply = await client.read(12)
    assert.equal(reply.slice(12, 20), '7f000009')
    const peer = connect({
      port: Number.parseInt(reply.slice(20, 24), 16),
      host: '127.0.0.9',
      localAddress: '127.0.0.1',
    })
    t.after(() => peer.destroy())
    assert.match(await client.read(10), /^05000001/)
  })
})

suite('the way of a rule', () => {
  test('other proxies, straight in spite of them, and nowhere, each by its rule', async t => {
    const [far, other] = [await openScene(t, { resolver: FAR }), await openScene(t, { resolver: FAR })]
    const [byFar, byOther, straight, closed] = await Promise.all([1, 2, 3, 4].map(() => tellTarget(t)))
    assert.ok(byFar && byOther && straight && closed)
    const front = await openScene(t, {
      route: toRoute(`socks5h://127.0.0.1:${far.port}`),
      ways: new Map([['other', { route: toRoute(`socks5h://127.0.0.1:${other.port}`) }]]),
      policy: rules(
        { allow: { port: byOther.port }, via: 'other' },
        { allow: { port: straight.port }, via: 'direct' },
        { allow: { port: closed.port }, via: 'block' },
        { allow: 'everything' },
      ),
    })
    for (const { port } of [byFar, byOther, straight]) await told(t, front.port, port)
    const viaOf = async (port: number): Promise<string | undefined> =>
      (await front.record(one => one.target?.port === port)).via
    assert.equal(await viaOf(byFar.port), `socks5h://127.0.0.1:${far.port}`)
    assert.equal(await viaOf(byOther.port), `other: socks5h://127.0.0.1:${other.port}`)
    assert.equal(await viaOf(straight.port), undefined)
    assert.deepEqual([far.records.length, other.records.length], [1, 1])
    const client = await openClient(t, front.port)
    client.send(connectRequest(closed.port))
    assert.match(await client.read(4), /^05000502/)
  })

  test('a way that is not there is refused, and never means straight', async t => {
    const { port } = await tellTarget(t)
    const scene = await openScene(t, { policy: rules({ allow: 'everything', via: 'paris' }) })
    const client = await openClient(t, scene.port)
    client.send(connectRequest(port))
    // There is nothing else that it could ask for: it is refused at the door.
    assert.equal((await client.readToEnd()).length, 0)
    assert.match((await scene.record()).detail ?? '', /there is no way out paris/)
  })

  test('the rule on the address decides, when the name alone could not', async t => {
    const { port } = await tellTarget(t)
    const scene = await openScene(t, {
      resolver: fixedResolver({ 'a.example': ['127.0.0.1'] }),
      ways: new Map([['near', { source: { from: from('127.0.0.5') } }]]),
      policy: rules({ allow: { to: '127.0.0.0/8' }, via: 'near' }, { deny: 'everything' }),
    })
    const client = await openClient(t, scene.port)
    client.send(nameRequest('a.example', port))
    assert.match(await client.read(12), /^05000500/)
    assert.equal((await client.readToEnd()).toString(), '127.0.0.5')
  })

  test('a name is resolved by the way, or left to its proxy unless the way knows it itself', async t => {
    const far = await openScene(t, { resolver: FAR })
    const target = await openTarget(t, echo)
    const asked: string[] = []
    const resolver = {
      resolve: (name: string) => {
        asked.push(name)
        return fixedResolver({ 'near.example': ['127.0.0.1'] }).resolve(name)
      },
    }
    const route = toRoute(`socks5h://127.0.0.1:${far.port}`)
    const scene = await openWay(t, { route, knows: name => name === 'near.example' }, { resolver })
    const here = await openWay(t, { route, names: 'here' }, { resolver })
    for (const [port, name, dialled] of [
      [scene.port, 'far.example', undefined],
      [scene.port, 'near.example', '127.0.0.1'],
      [here.port, 'near.example', '127.0.0.1'],
    ] as const) {
      const client = await openClient(t, port)
      client.send(nameRequest(name, target.port))
      assert.match(await client.read(12), /^05000500/)
      client.socket.end()
      await client.readToEnd()
      const { records } = port === scene.port ? scene : here
      const record = records.at(-1)
      assert.equal(record?.dialled && formatAddress(record.dialled.address), dialled, name)
    }
    assert.deepEqual(asked, ['near.example', 'near.example'])
  })

  test('one family only: the others of a name are left out, and an address of another is refused', async t => {
    const { port } = await tellTarget(t)
    const resolver = fixedResolver({ 'both.example': ['::1', '127.0.0.1'] })
    const scene = await openWay(t, { family: 'ipv4-only' }, { resolver })
    const client = await openClient(t, scene.port)
    client.send(nameRequest('both.example', port))
    assert.match(await client.read(12), /^05000500/)
    assert.equal((await client.readToEnd()).toString(), '127.0.0.1')
    const refused = await openClient(t, scene.port)
    refused.send(`050100 05010004 ${'00'.repeat(15)}01 ${portHex(port)}`)
    assert.match(await refused.read(4), /^05000503/)
  })

  test('plain HTTP takes it', async t => {
    const { port } = await openTarget(t, socket => {
      socket.once('data', () => {
        const text = socket.remoteAddress ?? ''
        socket.end(`HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n\r\n${text}`)
      })
    })
    const scene = await openWay(t, { source: { from: from('127.0.0.8') } })
    const client = await openClient(t, scene.port)
    client.send(Buffer.from(`GET http://127.0.0.1:${port}/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`))
    assert.match((await client.readToEnd()).toString(), /127\.0\.0\.8$/)
    assert.equal((await scene.record()).via, 'out')
  })

  test('datagrams of one association go by the way of their destination', async t => {
    const far = await openScene(t, { resolver: FAR })
    const [direct, proxied] = await Promise.all([udpTell(t), udpTell(t)])
    const scene = await openScene(t, {
      ways: new Map<string, Way>([
        ['near', { source: { from: from('127.0.0.6') } }],
        ['far', { route: toRoute(`socks5h://127.0.0.1:${far.port}`) }],
      ]),
      policy: rules({ allow: { port: direct }, via: 'near' }, { allow: { port: proxied }, via: 'far' }),
    })
    const { socket, relay } = await associate(t, scene.port)
    for (const [port, seen] of [
      [direct, '127.0.0.6'],
      [proxied, '127.0.0.1'],
      [direct, '127.0.0.6'],
    ] as const) {
      socket.send(hex(`00000001 7f000001 ${portHex(port)} 61`), relay, '127.0.0.1')
      const [answer] = (await once(socket, 'message')) as [Buffer]
      assert.equal(answer.toString('utf8', 10), seen)
    }
    assert.equal(far.server.sessions().length, 1)
  })

  test('a dead member of a pool is passed by, and one that is sticky stays with its user', async t => {
    const [one, two] = [await openScene(t), await openScene(t)]
    const members = [one, two].map(({ port }) => `socks5h://127.0.0.1:${port}`)
    const { port } = await tellTarget(t)
    const dead = `socks5h://127.0.0.1:${await deadPort()}`
    const failing = await openWay(t, { route: pool([dead, members[0] ?? '']) })
    await told(t, failing.port, port)
    assert.equal((await failing.record()).via, `out: ${members[0]}`)
    const sticky = await openWay(t, { route: pool(members, { sticky: 'user' }) }, WITH_LOGIN)
    // Who has which member hangs on their ports, which are chance: with so many users nobody sees one of them alone.
    const users = Array.from({ length: 40 }, (_, index) => `user${index}`)
    for (const user of [...users, ...users]) await told(t, sticky.port, port, user)
    const vias = Map.groupBy(sticky.records, ({ user = '' }) => user)
    for (const [user, records] of vias) assert.equal(new Set(records.map(({ via }) => via)).size, 1, user)
    assert.equal(new Set(sticky.records.map(({ via }) => via)).size, 2)
  })
})

suite('a way that leads to the server itself', () => {
  test('is found when the name of a proxy turns out to be ours', async t => {
    const listener = loopbackListener()
    const resolver = fixedResolver({ 'gate.example': ['127.0.0.1'] })
    const first = await openScene(t, { listeners: [listener], resolver })
    await first.server.stop({ deadlineMs: 0 })
    const place = { kind: 'ip', endpoint: { address: ip('127.0.0.1'), port: first.port } } as const
    const route = toRoute(`socks5h://gate.example:${first.port}`)
    const scene = await openWay(t, { route }, { listeners: [loopbackListener({ place })], resolver })
    const client = await openClient(t, scene.port)
    client.send(connectRequest(1))
    assert.match(await client.read(4), /^050005(?!00)/)
    assert.match((await scene.record()).detail ?? '', /own listeners/)
    assert.equal(scene.records.length, 1)
  })
})

suite('new ways', () => {
  test('a session whose way is gone ends; one whose way stays does not notice', async t => {
    const [stays, goes] = [await openTarget(t, echo), await openTarget(t, echo)]
    const policy = rules({ allow: { port: stays.port }, via: 'one' }, { allow: { port: goes.port }, via: 'two' })
    const ways = new Map<string, Way>([
      ['one', { source: { from: from('127.0.0.2') } }],
      ['two', {}],
    ])
    const scene = await openScene(t, { policy, ways })
    const [kept, lost] = [await openClient(t, scene.port), await openClient(t, scene.port)]
    kept.send(connectRequest(stays.port))
    lost.send(connectRequest(goes.port))
    for (const client of [kept, lost]) assert.match(await client.read(12), /^05000500/)
    ways.delete('two')
    assert.equal(scene.server.usePolicy(policy, ways), 1)
    assert.equal((await scene.record()).end, 'revoked')
    kept.send('616263')
    assert.equal(await kept.read(3), '616263')
  })
})

async function udpTell(t: TestContext): Promise<number> {
  const target = createSocket('udp4', (_octets, sender) => target.send(sender.address, sender.port, sender.address))
  t.after(() => target.close())
  await once(target.bind(0, '127.0.0.1'), 'listening')
  return target.address().port
}

async function associate(
  t: TestContext,
  port: number,
): Promise<{ readonly socket: ReturnType<typeof createSocket>; readonly relay: number }> {
  const client = await openClient(t, port)
  client.send('050100 05030001 00000000 0000')
  const reply = await client.read(12)
  assert.match(reply, /^05000500/)
  const socket = createSocket('udp4').bind(0, '127.0.0.1')
  await once(socket, 'listening')
  t.after(() => socket.close())
  return { socket, relay: Number.parseInt(reply.slice(20, 24), 16) }
}
