/** Our `socks` beside the real one: the usage of its documentation, and the defects that it has and we must not. */
import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { type AddressInfo, type Server, type Socket, connect, createServer } from 'node:net'
import { type TestContext, suite, test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import * as theirs from 'socks'
import * as ours from '../../src/shim/socks.ts'
import { socksProxy } from '../http/socks-proxy.ts'

async function listening(t: TestContext, serve: (socket: Socket) => void): Promise<number> {
  const server: Server = createServer(serve).listen(0, '127.0.0.1')
  const open = new Set<Socket>()
  server.on('connection', socket => open.add(socket))
  await once(server, 'listening')
  t.after(() => {
    for (const socket of open) socket.destroy()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

/** A proxy that answers with these octets, one after each thing it hears, and writes down what it heard. */
async function scripted(
  t: TestContext,
  ...answers: readonly Uint8Array[]
): Promise<{ readonly port: number; readonly heard: Buffer[] }> {
  const heard: Buffer[] = []
  const port = await listening(t, socket => {
    const left = [...answers]
    socket
      .on('error', () => {})
      .on('data', (octets: Buffer) => {
        heard.push(octets)
        const answer = left.shift()
        if (answer !== undefined) socket.write(answer)
      })
  })
  return { port, heard }
}

const SELECTED_NONE = Uint8Array.of(5, 0)
const GRANTED = Uint8Array.of(5, 0, 0, 1, 192, 0, 2, 1, 0, 80)
const destination = { host: '192.0.2.9', port: 25 }

function proxyAt(port: number): ours.SocksProxy {
  return { host: '127.0.0.1', port, type: 5 }
}

function octetsFrom(socket: Socket, count: number): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>()
  let heard = ''
  socket.on('data', octets => {
    heard += String(octets)
    if (heard.length >= count) resolve(heard)
  })
  return promise
}

// What both do: by it we know that the shape is right.
for (const [name, { SocksClient }] of [
  ['socks', theirs],
  ['@socksmith/client/socks', ours as unknown as typeof theirs],
] as const) {
  suite(`the documented usage, with ${name}`, () => {
    test('createConnection by promise and by callback, type 4 and 5', async t => {
      const proxy = await socksProxy(t)
      const port = await listening(t, socket => socket.pipe(socket))
      for (const type of [4, 5] as const) {
        const options = {
          proxy: { host: '127.0.0.1', port: proxy.port, type },
          command: 'connect',
          destination: { host: 'a.test', port },
        } as const
        const info = await SocksClient.createConnection(options)
        const echoed = octetsFrom(info.socket, 5)
        info.socket.write('hello')
        assert.equal(await echoed, 'hello')
        info.socket.destroy()
        const { promise, resolve } = Promise.withResolvers<Socket>()
        void SocksClient.createConnection(options, (error, established) => {
          assert.equal(error, null)
          resolve(established?.socket as Socket)
        })
        ;(await promise).destroy()
      }
    })

    test('a user and a password', async t => {
      const proxy = await socksProxy(t, { password: 'alice:secret' })
      const port = await listening(t, () => {})
      const { socket } = await SocksClient.createConnection({
        proxy: { ipaddress: '127.0.0.1', port: proxy.port, type: 5, userId: 'alice', password: 'secret' },
        command: 'connect',
        destination: { host: 'a.test', port },
      })
      socket.destroy()
    })

    test('createConnectionChain goes through all of them', async t => {
      const [one, two] = [await socksProxy(t), await socksProxy(t)]
      const port = await listening(t, socket => socket.pipe(socket))
      const { socket } = await SocksClient.createConnectionChain({
        command: 'connect',
        destination: { host: 'a.test', port },
        proxies: [one, two].map(proxy => ({ host: '127.0.0.1', port: proxy.port, type: 5 })),
      })
      const echoed = octetsFrom(socket, 2)
      socket.write('hi')
      assert.equal(await echoed, 'hi')
      socket.destroy()
      assert.deepEqual([one.asked, two.asked], [[`127.0.0.1:${two.port}`], [`a.test:${port}`]])
    })

    test('BIND tells where the proxy listens, then who came', async t => {
      const second = Uint8Array.of(5, 0, 0, 1, 198, 51, 100, 7, 0, 9)
      let control: Socket | undefined
      const port = await listening(t, socket => {
        control = socket
        socket.once('data', () => {
          socket.write(SELECTED_NONE)
          socket.once('data', () => socket.write(GRANTED))
        })
      })
      const client = new SocksClient({
        proxy: { host: '127.0.0.1', port, type: 5 },
        command: 'bind',
        destination: { host: '0.0.0.0', port: 0 },
      })
      const bound = once(client, 'bound')
      client.connect()
      const [{ remoteHost }] = (await bound) as [ours.SocksClientBoundEvent]
      assert.deepEqual(remoteHost, { host: '192.0.2.1', port: 80 })
      const established = once(client, 'established')
      control?.write(second)
      const [info] = (await established) as [ours.SocksClientEstablishedEvent]
      assert.deepEqual(info.remoteHost, { host: '198.51.100.7', port: 9 })
      info.socket.destroy()
    })

    test('ASSOCIATE tells where the relay is, and the frames go there and back', async t => {
      const relay = createSocket('udp4')
      relay.bind(0, '127.0.0.1')
      await once(relay, 'listening')
      t.after(() => relay.close())
      relay.on('message', (octets, from) => relay.send(octets, from.port, from.address))
      const { port: relayPort } = relay.address()
      const proxy = await scripted(
        t,
        SELECTED_NONE,
        Uint8Array.of(5, 0, 0, 1, 0, 0, 0, 0, relayPort >> 8, relayPort & 255),
      )
      const client = new SocksClient({
        proxy: { host: '127.0.0.1', ipaddress: '127.0.0.1', port: proxy.port, type: 5 },
        command: 'associate',
        destination: { host: '0.0.0.0', port: 0 },
      })
      const established = once(client, 'established')
      client.connect()
      const [{ remoteHost, socket }] = (await established) as [ours.SocksClientEstablishedEvent]
      // 0.0.0.0 is the proxy itself.
      assert.deepEqual(remoteHost, { host: '127.0.0.1', port: relayPort })
      const udp = createSocket('udp4')
      t.after(() => udp.close())
      const answered = once(udp, 'message') as Promise<[Buffer]>
      const remote = { host: '192.0.2.8', port: 53 }
      udp.send(SocksClient.createUDPFrame({ remoteHost: remote, data: Buffer.from('hello') }), relayPort, '127.0.0.1')
      const frame = SocksClient.parseUDPFrame((await answered)[0])
      assert.deepEqual(frame, { frameNumber: 0, remoteHost: remote, data: Buffer.from('hello') })
      socket.destroy()
    })

    test('frames carry IPv4, IPv6 and names', () => {
      for (const host of ['192.0.2.1', '2001:1111:2222:3333:4444:5555:6666:7777', 'example.com']) {
        const details = { frameNumber: 0, remoteHost: { host, port: 4_444 }, data: Buffer.from('data') }
        assert.deepEqual(SocksClient.parseUDPFrame(SocksClient.createUDPFrame(details)), details)
      }
    })

    test('a method of its own, with its handlers', async t => {
      const proxy = await scripted(t, Uint8Array.of(5, 0xa0), Buffer.from('ok'), GRANTED)
      const custom = {
        custom_auth_method: 0xa0,
        custom_auth_request_handler: async () => Buffer.from('a token'),
        custom_auth_response_size: 2,
        custom_auth_response_handler: async (data: Buffer) => data.toString() === 'ok',
      }
      const { socket } = await SocksClient.createConnection({
        proxy: { host: '127.0.0.1', port: proxy.port, type: 5, ...custom },
        command: 'connect',
        destination,
      })
      assert.equal(proxy.heard[1]?.toString(), 'a token')
      socket.destroy()
    })

    test('an error for options that cannot be, by rejection, and by callback with a promise that resolves', async () => {
      const options = { proxy: { host: '127.0.0.1', port: 1, type: 7 }, command: 'connect', destination } as never
      await assert.rejects(SocksClient.createConnection(options))
      let told: Error | null = null
      await SocksClient.createConnection(options, error => (told = error))
      assert.ok((told as unknown) instanceof Error)
      assert.throws(() => new SocksClient(options))
    })
  })
}

suite('what socks gets wrong', () => {
  const { SocksClient, SocksClientError } = ours

  test('octets that arrive with the reply are there for whoever reads later, in every way of reading', async t => {
    const ways: readonly ((socket: Socket) => Promise<string>)[] = [
      async socket => {
        await setImmediate()
        await setImmediate()
        return octetsFrom(socket, 7)
      },
      async socket => {
        for await (const octets of socket) return String(octets)
        return ''
      },
      async socket => {
        if (socket.readableLength === 0) await once(socket, 'readable')
        return String(socket.read())
      },
    ]
    for (const way of ways) {
      const proxy = await scripted(t, SELECTED_NONE, Buffer.concat([GRANTED, Buffer.from('220 hi\n')]))
      const { socket } = await SocksClient.createConnection({
        command: 'connect',
        proxy: proxyAt(proxy.port),
        destination,
      })
      assert.equal(await way(socket), '220 hi\n')
      socket.destroy()
    }
  })

  test('an error has a code and no password', async t => {
    const proxy = await socksProxy(t, { password: 'alice:right' })
    const error = await SocksClient.createConnection({
      command: 'connect',
      proxy: { ...proxyAt(proxy.port), userId: 'alice', password: 'open sesame' },
      destination,
    }).catch((one: unknown) => one)
    assert.ok(error instanceof SocksClientError)
    assert.equal(error.code, 'SOCKS_AUTH_REJECTED')
    assert.ok(!`${JSON.stringify(error)}${error.stack}`.includes('open sesame'))
    assert.equal(error.options.command, 'connect')
  })

  test('a password that the protocol cannot carry is an error of the caller, at once', async () => {
    const proxy = { ...proxyAt(1), userId: 'alice', password: 'x'.repeat(256) }
    await assert.rejects(SocksClient.createConnection({ command: 'connect', proxy, destination }), {
      code: 'SOCKS_BAD_ARGUMENT',
    })
  })

  test('a name beyond ASCII arrives whole, with its port', async t => {
    const proxy = await socksProxy(t, { refuses: true })
    const options = {
      command: 'connect',
      proxy: proxyAt(proxy.port),
      destination: { host: 'bücher.test', port: 80 },
    } as const
    await assert.rejects(SocksClient.createConnection(options), { code: 'SOCKS_CONNECTION_REFUSED', reply: 5 })
    assert.deepEqual(proxy.asked, ['xn--bcher-kva.test:80'])
  })

  test('the time limit of a chain holds', async t => {
    const [one, silent] = [await socksProxy(t), await socksProxy(t, { isSilent: true })]
    const proxies = [proxyAt(one.port), proxyAt(silent.port)]
    await assert.rejects(
      SocksClient.createConnectionChain({ command: 'connect', proxies, destination, timeout: 100 }),
      {
        code: 'SOCKS_TIMED_OUT',
      },
    )
  })

  test('a proxy that is not there, hangs up, or talks nonsense is an error with a code', async t => {
    const hangsUp = await listening(t, socket => socket.end())
    const nonsense = await scripted(t, Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'))
    const gone = createServer().listen(0, '127.0.0.1')
    await once(gone, 'listening')
    const { port: gonePort } = gone.address() as AddressInfo
    gone.close()
    await once(gone, 'close')
    for (const [port, code] of [
      [gonePort, 'SOCKS_PROXY_UNREACHABLE'],
      [hangsUp, 'SOCKS_PROXY_CLOSED'],
      [nonsense.port, 'SOCKS_MALFORMED_REPLY'],
    ] as const) {
      await assert.rejects(SocksClient.createConnection({ command: 'connect', proxy: proxyAt(port), destination }), {
        code,
      })
    }
  })

  test('an existing socket is used, and left without listeners of ours', async t => {
    const proxy = await scripted(t, SELECTED_NONE, GRANTED)
    const existing = connect(proxy.port, '127.0.0.1')
    await once(existing, 'connect')
    const before = existing.eventNames().map(name => existing.listenerCount(name))
    const { socket } = await SocksClient.createConnection({
      command: 'connect',
      proxy: proxyAt(proxy.port),
      destination,
      existing_socket: existing,
    })
    assert.equal(socket, existing)
    assert.deepEqual(
      existing.eventNames().map(name => existing.listenerCount(name)),
      before,
    )
    socket.destroy()
  })
})
