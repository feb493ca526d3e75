/** UDP ASSOCIATE and BIND of a server that goes out through another one. */
import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect } from 'node:net'
import { type TestContext, suite, test } from 'node:test'
import { openPair } from './route-scene.ts'
import { rules } from './rules.ts'
import { hex, openClient, portHex } from './scene.ts'

suite('UDP along a route', () => {
  test('to an address and to a name that only the server behind knows, and back', async t => {
    const { front, far, asked } = await openPair(t)
    const { relay, socket, client } = await associate(t, front.port)
    const target = await udpEcho(t)
    for (const [header, text] of [
      [`00000001 7f000001 ${portHex(target)}`, 'by address'],
      [`00000003 0b${Buffer.from('far.example').toString('hex')} ${portHex(target)}`, 'by name'],
    ] as const) {
      socket.send(Buffer.concat([hex(header), Buffer.from(text)]), relay, '127.0.0.1')
      const [answer] = (await once(socket, 'message')) as [Buffer]
      assert.equal(answer.toString('hex', 0, 10), `000000017f000001${portHex(target)}`)
      assert.equal(answer.toString('utf8', 10), text)
    }
    assert.deepEqual(asked, [])
    client.socket.end()
    const record = await front.record()
    assert.deepEqual([record.via, record.end], [`socks5h://127.0.0.1:${far.port}`, 'client-finished'])
    assert.deepEqual([record.clientToTarget, record.targetToClient], [17, 17])
    assert.equal((await far.record()).command, 'udp-associate')
  })

  test('a denied name is not sent', async t => {
    const { front } = await openPair(t, 'socks5h', {
      policy: rules({ deny: { to: 'far.example' } }, { allow: 'everything' }),
    })
    const { relay, socket } = await associate(t, front.port)
    const target = await udpEcho(t)
    const to = portHex(target)
    socket.send(hex(`00000003 0b${Buffer.from('far.example').toString('hex')} ${to} 6e6f`), relay, '127.0.0.1')
    socket.send(hex(`00000001 7f000001 ${to} 796573`), relay, '127.0.0.1')
    const [answer] = (await once(socket, 'message')) as [Buffer]
    assert.equal(answer.toString('utf8', 10), 'yes')
  })

  test('the association ends with the one behind it', async t => {
    const { front, far } = await openPair(t)
    const { client } = await associate(t, front.port)
    await far.server.stop({ deadlineMs: 0 })
    assert.equal((await client.readToEnd()).length, 0)
    assert.equal((await front.record()).end, 'target-finished')
  })

  test('a server behind that does not do it, and a route that cannot, are told', async t => {
    const closed = await openPair(t, 'socks5h', {}, { access: { udpAssociate: false } })
    const { front: http } = await openPair(t, 'http')
    for (const [scene, reply] of [
      [closed.front, '07'],
      [http, '01'],
    ] as const) {
      const client = await openClient(t, scene.port)
      client.send('050100 05030001 00000000 0000')
      assert.equal((await client.read(4)).slice(4), `05${reply}`)
      assert.match((await scene.record()).detail ?? '', reply === '01' ? /UDP passes SOCKS5 proxies only/ : /command/)
    }
  })
})

suite('BIND along a route', () => {
  for (const scheme of ['socks5h', 'socks4a']) {
    test(`${scheme}: the proxy listens, and both its replies are ours`, async t => {
      const { front, far } = await openPair(t, scheme)
      const client = await openClient(t, front.port)
      client.send('050100 05020001 7f000001 0015')
      const first = await client.read(12)
      assert.match(first, /^0500050000017f000001/)
      const peer = connect(Number.parseInt(first.slice(-4), 16), '127.0.0.1')
      t.after(() => peer.destroy())
      assert.match(await client.read(10), /^050000017f000001/)
      peer.end('a call')
      client.socket.end()
      assert.equal((await client.readToEnd()).toString(), 'a call')
      const record = await front.record()
      assert.deepEqual([record.command, record.via], ['bind', `${scheme}://127.0.0.1:${far.port}`])
      assert.ok(record.dialled !== undefined)
    })
  }

  test('a route that knows no BIND is told as such', async t => {
    const { front } = await openPair(t, 'http')
    const client = await openClient(t, front.port)
    client.send('050100 05020001 7f000001 0015')
    assert.equal((await client.read(4)).slice(4), '0507')
    assert.match((await front.record()).detail ?? '', /BIND cannot go by this route/)
  })

  test('a client that leaves ends the BIND behind it', async t => {
    const { front, far } = await openPair(t)
    const client = await openClient(t, front.port)
    client.send('050100 05020001 7f000001 0015')
    await client.read(12)
    client.socket.destroy()
    assert.equal((await far.record()).command, 'bind')
    assert.equal((await front.record()).end, 'client-left')
  })
})

async function udpEcho(t: TestContext): Promise<number> {
  const target = createSocket('udp4', (octets, from) => target.send(octets, from.port, from.address))
  t.after(() => target.close())
  target.bind(0, '127.0.0.1')
  await once(target, 'listening')
  return target.address().port
}

interface Associated {
  readonly relay: number
  readonly socket: ReturnType<typeof createSocket>
  readonly client: Awaited<ReturnType<typeof openClient>>
}

async function associate(t: TestContext, port: number): Promise<Associated> {
  const client = await openClient(t, port)
  client.send('050100 05030001 00000000 0000')
  const relay = Number.parseInt((await client.read(12)).slice(20, 24), 16)
  const socket = createSocket('udp4').bind(0, '127.0.0.1')
  await once(socket, 'listening')
  t.after(() => socket.close())
  return { relay, socket, client }
}
