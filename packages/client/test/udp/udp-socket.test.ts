/** createUdpSocket(): datagrams through one server and through several, in the shape of node:dgram. */
import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { suite } from 'node:test'
import { type SocksUdpSocket, type UdpSender, block, chain, createUdpSocket, pool } from '../../src/index.ts'
import { type Proxy, type Scene, leakTest, rejection, until } from '../scene.ts'
import { type Act, rogueProxy } from '../rogue/rogue-proxy.ts'

const octets = (...values: readonly number[]): Uint8Array => Uint8Array.from(values)

/** Sends and waits for what comes back. */
async function ask(
  socket: SocksUdpSocket,
  message: Uint8Array | string,
  port: number,
  host: string,
): Promise<[Buffer, UdpSender]> {
  const answer = once(socket, 'message') as Promise<[Buffer, UdpSender]>
  socket.send(message, port, host)
  return answer
}

async function close(socket: SocksUdpSocket): Promise<void> {
  const closed = once(socket, 'close')
  socket.close()
  assert.deepEqual(await closed, [undefined])
}

suite('through servers', () => {
  for (const count of [1, 2, 3]) {
    leakTest(`${count} of them: address, name and size both ways`, async scene => {
      const proxies: Proxy[] = []
      for (let i = 0; i < count; i++) proxies.push(await scene.proxy())
      const port = await scene.udpEcho()
      const socket = await createUdpSocket({ via: chain(proxies.map(proxy => proxy.url())) })
      for (const host of ['127.0.0.1', 'localhost']) {
        const [answer, sender] = await ask(socket, `to ${host}`, port, host)
        assert.equal(answer.toString(), `to ${host}`)
        assert.deepEqual(sender, { address: '127.0.0.1', family: 'IPv4', port, size: answer.length })
      }
      const largest = Buffer.alloc(socket.maxPayload, 0x61)
      assert.deepEqual((await ask(socket, largest, port, '127.0.0.1'))[0], largest)
      assert.deepEqual((await ask(socket, new Uint8Array(0), port, '127.0.0.1'))[0].length, 0)
      await close(socket)
      await until(() => proxies.every(({ records }) => records.length > 0), 'the associations are over')
    })
  }

  leakTest('to IPv6, and with a password', async scene => {
    const proxy = await scene.proxy({ password: true })
    const port = await scene.udpEcho('::1')
    const socket = await createUdpSocket({ via: proxy.url('socks5h', 'alice:open%20sesame') })
    const [answer, sender] = await ask(socket, 'six', port, '::1')
    assert.deepEqual([answer.toString(), sender.family, sender.address], ['six', 'IPv6', '::1'])
    await close(socket)
  })

  leakTest('socks5:// resolves names here', async scene => {
    const proxy = await scene.proxy()
    const port = await scene.udpEcho()
    const socket = await createUdpSocket({ via: proxy.url('socks5') })
    assert.equal(String((await ask(socket, 'near', port, 'localhost'))[0]), 'near')
    await close(socket)
  })

  leakTest('a direct route is a plain socket; a blocked one is none; a pool takes what works', async scene => {
    const port = await scene.udpEcho()
    const plain = await createUdpSocket({ via: 'direct' })
    assert.equal(String((await ask(plain, 'plain', port, 'localhost'))[0]), 'plain')
    await close(plain)
    assert.equal((await rejection(createUdpSocket({ via: block }))).code, 'SOCKS_BLOCKED')
    const proxy = await scene.proxy()
    const dead = `socks5h://127.0.0.1:${await scene.deadPort()}`
    const pooled = await createUdpSocket({ via: pool([dead, proxy.url()]) })
    assert.equal(String((await ask(pooled, 'pooled', port, '127.0.0.1'))[0]), 'pooled')
    await close(pooled)
    const nobody = await rejection(createUdpSocket({ via: pool([dead]) }))
    assert.equal(nobody.code, 'SOCKS_POOL_DEAD')
  })
})

suite('the shape of node:dgram', () => {
  leakTest('send() in all its forms, connect(), and the iterator', async scene => {
    const proxy = await scene.proxy()
    const port = await scene.udpEcho()
    const socket = await createUdpSocket({ via: proxy.url() })
    const messages = socket[Symbol.asyncIterator]()
    const next = async (): Promise<string> => String(((await messages.next()).value as readonly [Buffer])[0])
    socket.send(['two ', Buffer.from('parts')], port, '127.0.0.1')
    assert.equal(await next(), 'two parts')
    socket.send(Buffer.from('[inside]'), 1, 6, port, '127.0.0.1')
    assert.equal(await next(), 'inside')
    const sent = await new Promise((resolve, reject) => {
      socket.send('told', port, '127.0.0.1', (error, size) => (error ? reject(error) : resolve(size)))
    })
    assert.deepEqual([sent, await next()], [4, 'told'])
    socket.connect(port, '127.0.0.1')
    socket.send('connected')
    assert.equal(await next(), 'connected')
    socket.disconnect()
    assert.equal(socket.address().family, 'IPv4')
    assert.equal(socket.relay?.address, '127.0.0.1')
    const last = messages.next()
    await close(socket)
    assert.deepEqual(await last, { value: undefined, done: true })
  })

  leakTest('what does not fit, and what nobody can send, is an error in the callback or an event', async scene => {
    const proxy = await scene.proxy()
    const socket = await createUdpSocket({ via: proxy.url() })
    const told = await new Promise<Error | null>(resolve => {
      socket.send(Buffer.alloc(65_507), 9, '127.0.0.1', error => resolve(error))
    })
    assert.equal((told as { errno?: string } | null)?.errno, 'EMSGSIZE')
    const event = once(socket, 'error')
    socket.send('to nobody')
    assert.match(String((await event)[0]), /port and a host/)
    await close(socket)
    const late = await new Promise<Error | null>(resolve =>
      socket.send('late', 9, '127.0.0.1', error => resolve(error)),
    )
    assert.match(String(late), /closed/)
  })

  leakTest('`await using` closes it', async scene => {
    const proxy = await scene.proxy()
    {
      await using socket = await createUdpSocket({ via: proxy.url() })
      assert.ok(socket.maxPayload > 65_000)
    }
    await until(() => proxy.records.length === 1, 'the association is over')
  })
})

suite('the end of the control connection', () => {
  leakTest('ends the socket, with why, in an event and in the iterator', async scene => {
    const [one, two] = [await scene.proxy(), await scene.proxy()]
    const cutter = await cuttable(scene, two.port)
    const socket = await createUdpSocket({ via: chain([one.url(), `socks5h://127.0.0.1:${cutter.port}`]) })
    const iterating = rejection(socket[Symbol.asyncIterator]().next())
    const closed = once(socket, 'close')
    cutter.cut()
    const [why] = (await closed) as [{ code: string; hop: number; phase: string }]
    assert.deepEqual([why.code, why.phase, why.hop], ['SOCKS_PROXY_CLOSED', 'relay', 1])
    assert.equal((await iterating).code, 'SOCKS_PROXY_CLOSED')
  })
})

suite('odd servers', () => {
  leakTest('a relay at 0.0.0.0 is the server itself; strangers and nonsense are not heard', async scene => {
    const relay = createSocket('udp4')
    const stranger = createSocket('udp4')
    relay.bind(0, '127.0.0.1')
    stranger.bind(0, '127.0.0.1')
    await Promise.all([once(relay, 'listening'), once(stranger, 'listening')])
    scene.onClose(() => Promise.all([relay, stranger].map(one => new Promise<void>(done => one.close(() => done())))))
    const { port } = relay.address()
    const rogue = await rogueProxy(scene, associated(octets(0, 0, 0, 0, port >> 8, port & 0xff)))
    const socket = await createUdpSocket({ via: `socks5h://127.0.0.1:${rogue.port}` })
    const heard: string[] = []
    socket.on('message', message => heard.push(String(message)))
    const arrived = once(relay, 'message')
    socket.send('question', 53, 'dns.test')
    const [, from] = (await arrived) as [Buffer, { port: number }]
    const header = octets(0, 0, 0, 1, 192, 0, 2, 1, 0, 53)
    const packets: readonly (readonly [typeof relay, Uint8Array])[] = [
      [stranger, Buffer.concat([header, Buffer.from('spoofed')])],
      [relay, Buffer.from('no header')],
      [relay, octets(0, 1, 0, 1, 192, 0, 2, 1, 0, 53, 0x78)],
      [relay, octets(0, 0, 0, 9, 192, 0, 2, 1, 0, 53, 0x78)],
      [relay, octets(0)],
      [relay, Buffer.concat([octets(0, 0, 1, 1, 192, 0, 2, 1, 0, 53), Buffer.from('in two ')])],
      [relay, Buffer.concat([octets(0, 0, 0x82, 1, 192, 0, 2, 1, 0, 53), Buffer.from('fragments')])],
      [relay, Buffer.concat([header, Buffer.from('answer')])],
    ]
    for (const [sender, packet] of packets) {
      await new Promise<void>(resolve => sender.send(packet, from.port, '127.0.0.1', () => resolve()))
    }
    await until(() => heard.includes('answer'), 'the answer is heard')
    assert.deepEqual(heard, ['in two fragments', 'answer'])
    await close(socket)
  })

  leakTest('a relay at port 0 is a malformed reply', async scene => {
    const rogue = await rogueProxy(scene, associated(octets(127, 0, 0, 1, 0, 0)))
    const error = await rejection(createUdpSocket({ via: `socks5h://127.0.0.1:${rogue.port}` }))
    assert.deepEqual([error.code, error.reason], ['SOCKS_MALFORMED_REPLY', 'port_zero'])
    await until(() => rogue.open.size === 0, 'the client has closed')
  })

  leakTest('UDP through what cannot carry it is an error before anything is opened', async scene => {
    const rogue = await rogueProxy(scene, ['silence'])
    for (const scheme of ['http', 'socks4a', 'ssh']) {
      const error = await rejection(
        createUdpSocket({ via: chain([`socks5h://127.0.0.1:${rogue.port}`, `${scheme}://127.0.0.1:1`]) }),
      )
      assert.deepEqual([error.code, error.hop], ['SOCKS_BAD_ARGUMENT', 1])
    }
    assert.equal(rogue.count, 0)
  })
})

/** A relay in front of a port, which can be cut. */
async function cuttable(scene: Scene, to: number): Promise<{ readonly port: number; cut(): void }> {
  const { connect } = await import('node:net')
  const cuts: (() => void)[] = []
  const port = await scene.target(socket => {
    const onward = connect(to, '127.0.0.1')
    onward.on('error', () => undefined)
    socket.pipe(onward).pipe(socket)
    socket.on('close', () => onward.destroy())
    cuts.push(() => socket.destroy())
  })
  return { port, cut: () => cuts.forEach(cut => cut()) }
}

function associated(relay: Uint8Array): readonly Act[] {
  return [
    { await: 3 },
    { send: octets(5, 0) },
    { await: 10 },
    { send: Buffer.concat([octets(5, 0, 0, 1), relay]) },
    'silence',
  ]
}
