/** A server that goes out through another one: names, rules, failures, chains and HTTP along a route. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { chain, pool, toRoute } from '@socksmith/client'
import type { Connection, Engine } from '@socksmith/engine'
import { createEngine } from './engine.ts'
import { rules } from './rules.ts'
import {
  FROM_OUTSIDE,
  type Scene,
  connectRequest,
  deadPort,
  echo,
  fixedResolver,
  hex,
  ip,
  listenerForStrangers,
  loopbackListener,
  openClient,
  openScene,
  openTarget,
  portHex,
} from './scene.ts'
import { FAR, nameRequest, openPair } from './route-scene.ts'

suite('a server that goes by a route', () => {
  for (const scheme of ['socks5h', 'socks4a', 'http']) {
    test(`${scheme}: a name goes to the proxy as it is, and the record says by which way`, async t => {
      const target = await openTarget(t, echo)
      const { front, far, asked } = await openPair(t, scheme)
      const client = await openClient(t, front.port)
      client.send(nameRequest('far.example', target.port))
      assert.match(await client.read(12), /^05000500/)
      client.send('616263')
      assert.equal(await client.read(3), '616263')
      client.socket.end()
      assert.equal((await client.readToEnd()).length, 0)
      const [here, there] = [await front.record(), await far.record()]
      assert.deepEqual(here.target, { address: { type: 'domain', name: 'far.example' }, port: target.port })
      assert.deepEqual(there.target, here.target)
      assert.deepEqual([here.via, here.dialled], [`${scheme}://127.0.0.1:${far.port}`, undefined])
      assert.deepEqual([here.clientToTarget, here.targetToClient, here.end], [3, 3, 'client-finished'])
      assert.deepEqual(asked, [])
    })
  }

  test('socks5:// means that names are resolved here, and the proxy is asked for the address', async t => {
    const target = await openTarget(t, echo)
    const { front, far, asked } = await openPair(t, 'socks5')
    const client = await openClient(t, front.port)
    client.send(nameRequest('far.example', target.port))
    assert.match(await client.read(12), /^05000500/)
    client.socket.end()
    await client.readToEnd()
    const address = { address: ip('127.0.0.1'), port: target.port }
    assert.deepEqual((await far.record()).target, address)
    assert.deepEqual((await front.record()).dialled, address)
    assert.deepEqual(asked, ['far.example'])
  })

  test('BND is what the last proxy tells', async t => {
    const { promise, resolve } = Promise.withResolvers<number>()
    const target = await openTarget(t, socket => resolve(socket.remotePort ?? 0))
    const { front } = await openPair(t)
    const client = await openClient(t, front.port)
    client.send(connectRequest(target.port))
    assert.equal(await client.read(12), `0500050000017f000001${portHex(await promise)}`)
  })

  test('the relay joins connections of the same engine, and what came glued to the reply comes first', async t => {
    const joined: [Connection, Connection][] = []
    const made = createEngine()
    const engine: Engine = {
      ...made,
      relay(options) {
        joined.push([options.client, options.target])
        return made.relay(options)
      },
    }
    const proxy = await openTarget(t, socket => {
      socket.once('data', () => {
        socket.write(hex('0500'))
        socket.once('data', () => {
          socket.write(Buffer.concat([hex('05000001 00000000 0000'), Buffer.from('early ')]))
          socket.once('data', octets => socket.end(octets))
        })
      })
    })
    const front = await openScene(t, { engine, route: toRoute(`socks5h://127.0.0.1:${proxy.port}`) })
    const client = await openClient(t, front.port)
    client.send(nameRequest('far.example', 80))
    client.send('6c617465')
    await client.read(12)
    assert.equal((await client.readToEnd()).toString(), 'early late')
    const [pair] = joined
    assert.equal(pair?.[0].constructor, pair?.[1].constructor)
  })

  test('a chain and a pool are gone by, and told', async t => {
    const target = await openTarget(t, echo)
    const [first, second] = [await openScene(t, { resolver: FAR }), await openScene(t, { resolver: FAR })]
    const [a, b] = [`socks5h://127.0.0.1:${first.port}`, `http://127.0.0.1:${second.port}`]
    const dead = `socks5h://127.0.0.1:${await deadPort()}`
    for (const [route, via] of [
      [chain([a, b]), `${a} > ${b}`],
      [pool([dead, b]), b],
    ] as const) {
      const front = await openScene(t, { route })
      const client = await openClient(t, front.port)
      client.send(nameRequest('far.example', target.port))
      assert.match(await client.read(12), /^05000500/)
      client.socket.end()
      await client.readToEnd()
      assert.equal((await front.record()).via, via)
    }
  })

  test('what the proxy says of the target is the reply, and its own failure is a general one without a secret', async t => {
    const far = await openScene(t, { resolver: FAR })
    const dead = await deadPort()
    const deny = await openScene(t, {
      resolver: FAR,
      policy: rules({ deny: { to: 'far.example' } }, { allow: 'everything' }),
    })
    const asks = await openScene(t, { listeners: [loopbackListener({ authentication: 'password' })] })
    const by = async (url: string): Promise<Scene> => openScene(t, { route: toRoute(url) })
    for (const [scene, request, reply, failure] of [
      [await by(`socks5h://127.0.0.1:${far.port}`), connectRequest(dead), '05', 'connection_refused'],
      [await by(`socks5h://127.0.0.1:${far.port}`), nameRequest('nowhere.example', 80), '04', 'host_unreachable'],
      [await by(`socks5h://127.0.0.1:${deny.port}`), nameRequest('far.example', 80), '02', 'not_allowed'],
      [await by(`socks5h://127.0.0.1:${dead}`), connectRequest(dead), '01', 'general_failure'],
      [await by(`socks5h://bob:barley@127.0.0.1:${asks.port}`), connectRequest(dead), '01', 'general_failure'],
      [await by(`http://bob:secret@127.0.0.1:${asks.port}`), connectRequest(dead), '04', 'host_unreachable'],
      [await by('block'), connectRequest(dead), '02', 'not_allowed'],
    ] as const) {
      const client = await openClient(t, scene.port)
      client.send(request)
      assert.equal((await client.read(4)).slice(4), `05${reply}`)
      const record = await scene.record()
      assert.equal(record.failure, failure, JSON.stringify(record))
      assert.ok(!/barley|secret/.test(JSON.stringify(record)))
    }
  })

  test('rules are asked for the name, and where they have to see the address it is resolved and asked for', async t => {
    const target = await openTarget(t, echo)
    const policy = rules(
      { deny: { to: '.bad.example' } },
      { allow: { to: 'far.example' } },
      { deny: { to: '10.0.0.0/8' } },
      { allow: 'everything' },
    )
    const names = { 'far.example': ['127.0.0.1'], 'inner.example': ['10.0.0.1'], localhost: ['127.0.0.1'] }
    const far = await openScene(t, { resolver: FAR })
    const asked: string[] = []
    const front = await openScene(t, {
      policy,
      route: toRoute(`socks5h://127.0.0.1:${far.port}`),
      resolver: { resolve: name => (asked.push(name), fixedResolver(names).resolve(name)) },
    })
    for (const [name, reply, resolved] of [
      ['www.bad.example', '02', []],
      ['far.example', '00', []],
      ['inner.example', '02', ['inner.example']],
      ['localhost', '00', ['localhost']],
    ] as const) {
      asked.length = 0
      const client = await openClient(t, front.port)
      client.send(nameRequest(name, target.port))
      assert.equal((await client.read(4)).slice(4), `05${reply}`, name)
      assert.deepEqual(asked, resolved, name)
      client.socket.destroy()
    }
    const record = await far.record(one => one.target?.address.type === 'ipv4')
    assert.deepEqual(record.target, { address: ip('127.0.0.1'), port: target.port })
  })

  test('a client from elsewhere reaches nothing inside, by address or by name', async t => {
    const target = await openTarget(t, echo)
    const { front, far, asked } = await openPair(t, 'socks5h', { listeners: [listenerForStrangers()] })
    for (const request of [connectRequest(target.port), nameRequest('far.example', target.port)]) {
      const client = await openClient(t, front.port)
      client.send(FROM_OUTSIDE)
      client.send(request)
      assert.equal((await client.read(4)).slice(4), '0502')
    }
    assert.deepEqual(far.records, [])
    // Somebody has to look whether it is inside.
    assert.deepEqual(asked, ['far.example'])
  })

  test('plain HTTP goes by the route too', async t => {
    const target = await openTarget(t, socket =>
      socket.once('data', octets => {
        const [line = ''] = octets.toString().split('\r\n')
        socket.end(`HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n${line}`)
      }),
    )
    const { front, far, asked } = await openPair(t)
    const client = await openClient(t, front.port)
    client.send(
      Buffer.from(`GET http://far.example:${target.port}/path HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`),
    )
    assert.match((await client.readToEnd()).toString(), /GET \/path HTTP\/1\.1/)
    const record = await front.record(one => one.command === 'forward')
    assert.equal(record.via, `socks5h://127.0.0.1:${far.port}`)
    assert.deepEqual(asked, [])
  })

  test('a client that leaves gives the attempt up', async t => {
    const { promise, resolve } = Promise.withResolvers<void>()
    const silent = await openTarget(t, socket => {
      socket.once('data', () => client.socket.resetAndDestroy())
      socket.once('end', resolve).once('close', resolve)
    })
    const front = await openScene(t, { route: toRoute(`socks5h://127.0.0.1:${silent.port}`) })
    const client = await openClient(t, front.port)
    client.send(connectRequest(1))
    await promise
    assert.equal((await front.record()).end, 'client-reset')
  })
})
