/** SocksSocket: made first, connected later by somebody who knows nothing of proxies; it behaves as net.Socket does. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type Socket, createConnection } from 'node:net'
import { suite } from 'node:test'
import { connect as tlsConnect, createServer as createTlsServer } from 'node:tls'
import type { AddressInfo } from 'node:net'
import { SocksError, SocksSocket, connectionDetails } from '../../src/index.ts'
import { rogueProxy } from '../rogue/rogue-proxy.ts'
import { AUTHORITY, SERVER, everything, leakTest, until } from '../scene.ts'

suite('SocksSocket', () => {
  leakTest('connects in all forms of net.Socket.connect, and carries both ways', async scene => {
    const proxy = await scene.proxy()
    const port = await scene.echo()
    const forms: ((socket: SocksSocket, done: () => void) => void)[] = [
      (socket, done) => socket.connect(port, 'localhost', done),
      (socket, done) => socket.connect(port, done),
      (socket, done) => socket.connect({ port, host: '127.0.0.1' }, done),
      (socket, done) => socket.once('ready', done).connect(String(port), '127.0.0.1'),
    ]
    for (const form of forms) {
      const socket = new SocksSocket({ via: proxy.url() })
      assert.deepEqual([socket.connecting, socket.pending], [false, true])
      const ready = new Promise<void>(resolve => form(socket, resolve))
      assert.ok(socket.connecting)
      // Written before it is connected, as many drivers do.
      socket.write('before ')
      await ready
      assert.deepEqual([socket.connecting, socket.pending, socket.readyState], [false, false, 'open'])
      assert.equal(socket.remotePort, proxy.port)
      assert.equal(socket.remoteAddress, '127.0.0.1')
      assert.equal(connectionDetails(socket)?.hops.length, 1)
      socket.setNoDelay(true).setKeepAlive(true, 1_000).ref()
      socket.cork()
      socket.write('a')
      socket.write('nd ')
      socket.uncork()
      socket.end('after')
      assert.equal(await everything(socket), 'before and after')
      assert.ok(socket.bytesRead > 0 && socket.bytesWritten > 0)
    }
  })

  leakTest('a large stream with a slow reader is whole', async scene => {
    const proxy = await scene.proxy()
    const size = 8 * 1024 * 1024
    const port = await scene.target(socket => socket.end(Buffer.alloc(size, 7)))
    const socket = new SocksSocket({ via: proxy.url() })
    socket.connect(port, '127.0.0.1')
    let got = 0
    for await (const chunk of socket) {
      got += (chunk as Buffer).length
      if (got % 7 === 0) await new Promise(resolve => setImmediate(resolve))
    }
    assert.equal(got, size)
  })

  leakTest('a failure is an error event, then close, as net.Socket does it', async scene => {
    const proxy = await scene.proxy()
    const dead = await scene.deadPort()
    const socket = new SocksSocket({ via: proxy.url() })
    socket.connect(dead, '127.0.0.1')
    socket.write('for nobody')
    const [error] = (await once(socket, 'error')) as [SocksError]
    assert.ok(error instanceof SocksError)
    assert.equal(error.code, 'SOCKS_CONNECTION_REFUSED')
    if (!socket.closed) await once(socket, 'close')
    assert.ok(socket.destroyed && !socket.connecting)
  })

  leakTest('a target that cannot be is an error event too, never a throw from the driver', async () => {
    for (const where of [['/tmp/some.sock'], [0, 'a.test'], [80, 'a b']] as const) {
      const socket = new SocksSocket({ via: 'socks5h://127.0.0.1:1' })
      socket.connect(...(where as [number, string]))
      const [error] = (await once(socket, 'error')) as [SocksError]
      assert.equal(error.code, 'SOCKS_BAD_ARGUMENT')
    }
  })

  leakTest('destroy() before it is connected ends the attempt', async scene => {
    const rogue = await rogueProxy(scene, ['silence'])
    const socket = new SocksSocket({ via: `socks5h://127.0.0.1:${rogue.port}` })
    socket.connect(80, 'target.test')
    await until(() => rogue.open.size === 1, 'the proxy is reached')
    const closed = once(socket, 'close')
    socket.destroy()
    await closed
    await until(() => rogue.open.size === 0, 'the client has closed')
  })

  leakTest('setTimeout() is heard while nothing moves', async scene => {
    const proxy = await scene.proxy()
    const port = await scene.echo()
    const socket = new SocksSocket({ via: proxy.url() })
    socket.connect(port, '127.0.0.1')
    await once(socket, 'connect')
    socket.setTimeout(30)
    await once(socket, 'timeout')
    socket.destroy()
  })

  leakTest('a reset of the target is ECONNRESET here too', async scene => {
    const proxy = await scene.proxy()
    const port = await scene.target(socket => socket.once('data', () => socket.resetAndDestroy()))
    const socket = new SocksSocket({ via: proxy.url() })
    socket.connect(port, '127.0.0.1')
    socket.write('x')
    const [error] = (await once(socket, 'error')) as [NodeJS.ErrnoException]
    assert.equal(error.code, 'ECONNRESET')
  })

  leakTest(
    'TLS goes over it as drivers upgrade: on a connected one, and on one that is still connecting',
    async scene => {
      const proxy = await scene.proxy()
      const served = new Set<Socket>()
      const server = createTlsServer({ cert: SERVER.certificate, key: SERVER.key }, socket => {
        served.add(socket)
        socket.pipe(socket)
      }).listen(0, '127.0.0.1')
      await once(server, 'listening')
      scene.onClose(async () => {
        for (const socket of served) socket.destroy()
        server.close()
        await once(server, 'close')
      })
      const { port } = server.address() as AddressInfo
      for (const isEarly of [true, false]) {
        const carrier = new SocksSocket({ via: proxy.url() })
        carrier.connect(port, 'localhost')
        if (!isEarly) await once(carrier, 'connect')
        const socket = tlsConnect({ socket: carrier, servername: 'localhost', ca: AUTHORITY })
        socket.end('sealed')
        assert.equal(await everything(socket), 'sealed')
      }
    },
  )

  leakTest('the same code without a proxy says the same', async scene => {
    const port = await scene.echo()
    for (const open of [
      () => createConnection(port, '127.0.0.1'),
      () => new SocksSocket({ via: 'direct' }).connect(port, '127.0.0.1'),
    ]) {
      const socket = open()
      const events: string[] = []
      for (const name of ['connect', 'ready', 'end', 'finish', 'close']) socket.on(name, () => events.push(name))
      socket.end('same')
      assert.equal(await everything(socket), 'same')
      await until(() => events.includes('close'), 'closed')
      assert.deepEqual(events, ['connect', 'ready', 'finish', 'end', 'close'])
    }
  })
})
