/** connect() through one real proxy: every protocol, early octets, ends, TLS, arguments. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'node:test'
import { TLSSocket, createServer as createTlsServer } from 'node:tls'
import type { AddressInfo } from 'node:net'
import { connect, connectionDetails, direct, rules } from '../src/index.ts'
import { AUTHORITY, SERVER, type Scene, everything, leakTest, rejection, until } from './scene.ts'

const LOGIN = 'alice:open%20sesame'

suite('one proxy', () => {
  for (const scheme of ['socks', 'socks4', 'socks4a', 'socks5', 'socks5h', 'http']) {
    leakTest(`${scheme}:// carries a stream both ways, with a name and half-close`, async scene => {
      const proxy = await scene.proxy()
      const port = await scene.echo()
      const socket = await connect({ host: 'localhost', port, via: proxy.url(scheme) })
      assert.ok(socket instanceof Socket)
      socket.end('there and back')
      assert.equal(await everything(socket), 'there and back')
      const [hop] = connectionDetails(socket)?.hops ?? []
      assert.equal(hop?.proxy, proxy.url(scheme))
      assert.ok(hop.phases.some(({ phase }) => phase === 'request'))
    })
  }

  leakTest('who resolves the name is as the scheme says', async scene => {
    const proxy = await scene.proxy()
    const port = await scene.echo()
    for (const scheme of ['socks4', 'socks4a', 'socks5', 'socks5h']) {
      const socket = await connect({ host: 'localhost', port, via: proxy.url(scheme) })
      socket.destroy()
      await once(socket, 'close')
    }
    await until(() => proxy.records.length === 4, 'all sessions are over')
    const asked = proxy.records.map(({ target }) => target?.address.type)
    assert.equal(asked.filter(type => type === 'domain').length, 2)
  })

  leakTest('a password is told to SOCKS5 and HTTP proxies, and a wrong one is an error of its own', async scene => {
    const proxy = await scene.proxy({ password: true })
    const port = await scene.echo()
    for (const scheme of ['socks5h', 'http']) {
      const socket = await connect({ host: '127.0.0.1', port, via: proxy.url(scheme, LOGIN) })
      socket.end('in')
      assert.equal(await everything(socket), 'in')
      const wrong = await rejection(connect({ host: '127.0.0.1', port, via: proxy.url(scheme, 'alice:guess') }))
      assert.equal(wrong.code, 'SOCKS_AUTH_REJECTED')
      assert.equal(wrong.retryable, false)
    }
    const none = await rejection(connect({ host: '127.0.0.1', port, via: proxy.url() }))
    assert.deepEqual([none.code, none.phase], ['SOCKS_NO_ACCEPTABLE_METHOD', 'greeting'])
  })

  leakTest('TLS to the proxy, and its certificate is looked at', async scene => {
    const proxy = await scene.proxy({ tls: true })
    const port = await scene.echo()
    const via = { protocol: 'socks5h', host: '127.0.0.1', port: proxy.port, tls: { authorities: AUTHORITY } } as const
    const socket = await connect({ host: '127.0.0.1', port, via })
    socket.end('inside')
    assert.equal(await everything(socket), 'inside')
    const doubted = await rejection(connect({ host: '127.0.0.1', port, via: proxy.url('socks5+tls') }))
    assert.deepEqual([doubted.code, doubted.phase, doubted.hop], ['SOCKS_TLS_FAILED', 'tls', 0])
    assert.ok(doubted.errno?.includes('CERT') || doubted.errno?.includes('SIGN'), String(doubted.errno))
    const other = { ...via, tls: { authorities: AUTHORITY, serverName: 'other.example' } }
    const misnamed = await rejection(connect({ host: '127.0.0.1', port, via: other }))
    assert.equal(misnamed.errno, 'ERR_TLS_CERT_ALTNAME_INVALID')
  })

  leakTest('a proxy behind a Unix socket', async scene => {
    const path = join(tmpdir(), `socksmith-client-${process.pid}.sock`)
    await scene.proxy({ path })
    const port = await scene.echo()
    const socket = await connect({ host: '127.0.0.1', port, via: `socks5h+unix://${path}` })
    socket.end('local')
    assert.equal(await everything(socket), 'local')
  })
})

suite('the stream', () => {
  leakTest('octets that come glued to the reply are there for a listener of any kind, however late', async scene => {
    const port = await scene.target(socket => socket.end('220 hello\r\n'))
    const proxy = await scene.proxy()
    const readers: ((socket: Socket) => Promise<string>)[] = [
      socket => everything(socket),
      async socket => {
        await new Promise(resolve => setTimeout(resolve, 50))
        return everything(socket)
      },
      async socket => {
        let read = ''
        socket.on('readable', () => (read += String(socket.read() ?? '')))
        await once(socket, 'end')
        return read
      },
      async socket => {
        let read = ''
        socket.setEncoding('latin1').on('data', (chunk: string) => (read += chunk))
        await once(socket, 'end')
        return read
      },
    ]
    for (const via of [proxy.url(), proxy.url('http'), 'direct']) {
      for (const read of readers) {
        const socket = await connect({ host: '127.0.0.1', port, via })
        assert.equal(await read(socket), '220 hello\r\n')
      }
    }
  })

  leakTest('ends as net.connect does, and stays half-open when that is asked for', async scene => {
    const port = await scene.target(socket => {
      socket.end('bye')
      socket.on('data', octets => late.push(octets)).on('end', () => late.push('end'))
    })
    const late: unknown[] = []
    const proxy = await scene.proxy()
    const whole = await connect({ host: '127.0.0.1', port, via: proxy.url() })
    whole.resume()
    await once(whole, 'close')
    assert.ok(whole.writableFinished)
    const half = await connect({ host: '127.0.0.1', port, via: proxy.url(), allowHalfOpen: true })
    half.resume()
    await once(half, 'end')
    assert.ok(half.writable)
    late.length = 0
    half.end('still here')
    await until(() => late.includes('end'), 'the target heard the end')
    assert.equal(String(late[0]), 'still here')
  })

  leakTest('early data leaves before the reply is there', async scene => {
    const seen: string[] = []
    // A proxy that answers only once the early data has come.
    const port = await scene.target(socket => {
      let got = ''
      let step = 0
      socket.setEncoding('latin1').on('data', (chunk: string) => {
        got += chunk
        if (step === 0 && got.length >= 3) {
          step = 1
          got = got.slice(3)
          socket.write('\x05\x00', 'latin1')
        }
        if (step === 1 && got.endsWith('GET /')) {
          step = 2
          seen.push(got.slice(-5))
          socket.end('\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00reply', 'latin1')
        }
      })
    })
    const via = `socks5h://127.0.0.1:${port}`
    const socket = await connect({ host: 'example.test', port: 80, via, earlyData: Buffer.from('GET /') })
    assert.equal(await everything(socket), 'reply')
    assert.deepEqual(seen, ['GET /'])
  })

  leakTest('TLS to the target is a TLSSocket, checked against the host', async scene => {
    const port = await tlsEcho(scene)
    const proxy = await scene.proxy()
    const tls = { ca: AUTHORITY }
    const socket = await connect({ host: 'localhost', port, via: proxy.url(), tls, earlyData: Buffer.from('first ') })
    assert.ok(socket instanceof TLSSocket)
    socket.end('then')
    assert.equal(await everything(socket), 'first then')
    const doubted = await rejection(connect({ host: 'localhost', port, via: proxy.url(), tls: true }))
    assert.deepEqual([doubted.code, doubted.phase], ['SOCKS_TLS_FAILED', 'target-tls'])
    const plain = await scene.target(socket => socket.end('this is not TLS at all'))
    const odd = await rejection(connect({ host: 'localhost', port: plain, via: proxy.url(), tls }))
    assert.equal(odd.code, 'SOCKS_TLS_FAILED')
  })

  leakTest('a direct route and rules need no proxy', async scene => {
    const port = await scene.echo()
    const proxy = await scene.proxy()
    const via = rules([
      { hosts: ['localhost'], via: direct },
      { hosts: ['blocked.test'], via: 'block' },
      { via: proxy.url() },
    ])
    const socket = await connect({ host: 'localhost', port, via })
    socket.end('near')
    assert.equal(await everything(socket), 'near')
    assert.equal((await rejection(connect({ host: 'blocked.test', port, via }))).code, 'SOCKS_BLOCKED')
    assert.deepEqual(proxy.records, [])
    const far = await connect({ host: '127.0.0.1', port, via, localAddress: '127.0.0.1' })
    far.destroy()
    const dead = await rejection(connect({ host: 'localhost', port: await scene.deadPort(), via }))
    assert.deepEqual(
      [dead.code, dead.phase, dead.hop, dead.errno],
      ['SOCKS_CONNECTION_REFUSED', 'connect', undefined, 'ECONNREFUSED'],
    )
  })
})

suite('arguments', () => {
  leakTest('what cannot be done is an error before anything is opened', async () => {
    const cases: [object, RegExp][] = [
      [{ host: 'a.test', port: 0 }, /port/],
      [{ host: 'a.test', port: 70_000 }, /port/],
      [{ host: '', port: 80 }, /host/],
      [{ host: 'a b', port: 80 }, /host/],
      [{ host: 'x'.repeat(300), port: 80 }, /host/],
      [{ host: 'a.test', port: 80, via: 'socks6://127.0.0.1' }, /unknown scheme/],
      [{ host: 'a.test', port: 80, via: '127.0.0.1:1080' }, /URL/],
      [{ host: 'a.test', port: 80, timeout: -1 }, /limit/],
      [{ host: '2001:db8::1', port: 80, via: 'socks4://127.0.0.1:1' }, /IPv6/],
    ]
    for (const [options, detail] of cases) {
      const error = await rejection(connect({ via: 'direct', ...options } as Parameters<typeof connect>[0]))
      assert.equal(error.code, 'SOCKS_BAD_ARGUMENT', JSON.stringify(options))
      assert.match(error.message, detail)
    }
  })

  leakTest('a name beyond ASCII goes out in its IDNA form, an address as an address', async scene => {
    const asked: Buffer[] = []
    const port = await scene.target(socket => {
      socket.on('data', (octets: Buffer) => {
        if (octets.length === 3) socket.write(Buffer.from([5, 0]))
        else {
          asked.push(octets)
          socket.end(Buffer.from([5, 5, 0, 1, 0, 0, 0, 0, 0, 0]))
        }
      })
    })
    const via = `socks5h://127.0.0.1:${port}`
    for (const host of ['bücher.test', '[2001:db8::1]', '192.0.2.1']) await rejection(connect({ host, port: 443, via }))
    assert.equal(asked[0]?.toString('latin1', 5, 23), 'xn--bcher-kva.test')
    assert.equal(asked[1]?.[3], 4)
    assert.equal(asked[2]?.[3], 1)
  })
})

async function tlsEcho(scene: Scene): Promise<number> {
  const sockets = new Set<Socket>()
  const server = createTlsServer({ cert: SERVER.certificate, key: SERVER.key }, socket => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.pipe(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  scene.onClose(async () => {
    for (const socket of sockets) socket.destroy()
    server.close()
    await once(server, 'close')
  })
  return (server.address() as AddressInfo).port
}
