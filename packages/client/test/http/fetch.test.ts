import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { suite, test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { WebSocketServer } from 'ws'
import { fetch } from '../../src/http/fetch.ts'
import { WebSocket } from '../../src/http/web-socket.ts'
import { SocksError } from '../../src/socks-error.ts'
import { socksProxy } from './socks-proxy.ts'
import { webServer } from './web-server.ts'

suite('fetch', () => {
  test('goes over the route, and uses a connection again', async t => {
    const proxy = await socksProxy(t, { password: 'alice:secret' })
    const server = await webServer(t)
    for (const path of ['/1', '/2']) {
      const response = await fetch(`http://a.test:${server.port}${path}`, { via: proxy.url })
      assert.equal(await response.text(), `GET ${path} a.test:${server.port}`)
      // undici takes its connection back a turn after the end of the response.
      await setImmediate()
    }
    assert.equal(server.connections(), 1)
  })

  test('takes a Request, with its method and body', async t => {
    const proxy = await socksProxy(t)
    const server = await webServer(t, 'http', (request, response) => void request.pipe(response))
    const request = new Request(`http://a.test:${server.port}/`, { method: 'POST', body: 'a body' })
    assert.equal(await (await fetch(request, { via: proxy.url })).text(), 'a body')
  })

  test('rejects with a TypeError whose cause is the SocksError', async t => {
    const proxy = await socksProxy(t, { refuses: true })
    const error = await fetch('http://a.test/', { via: proxy.url }).catch((one: unknown) => one as TypeError)
    assert.ok(error instanceof TypeError)
    assert.ok(error.cause instanceof SocksError)
    assert.equal(error.cause.errno, 'ECONNREFUSED')
  })

  test('a signal ends the attempt of a silent proxy at once', async t => {
    const proxy = await socksProxy(t, { isSilent: true })
    const controller = new AbortController()
    const reason = new Error('enough')
    const failed = assert.rejects(fetch('http://a.test/', { via: proxy.url, signal: controller.signal }), reason)
    const closed = once(await proxy.reached, 'close')
    controller.abort(reason)
    await Promise.all([failed, closed])
  })

  test('a route beside a dispatcher is an error', async () => {
    const init = { via: 'direct', dispatcher: {} } as const
    await assert.rejects(fetch('http://127.0.0.1:9/', init as never), { code: 'SOCKS_BAD_ARGUMENT' })
  })
})

suite('WebSocket', () => {
  test('is the one of Node, over the route', async t => {
    const proxy = await socksProxy(t)
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
    await once(server, 'listening')
    t.after(() => server.close())
    server.on('connection', socket => socket.on('message', (data: Buffer) => socket.send(`echo ${data.toString()}`)))
    const { port } = server.address() as AddressInfo

    const socket = new WebSocket(`ws://a.test:${port}/`, { via: proxy.url })
    assert.ok(socket instanceof globalThis.WebSocket)
    assert.ok(socket instanceof WebSocket)
    await once(socket, 'open')
    socket.send('hello')
    const [message] = (await once(socket, 'message')) as [{ readonly data: unknown }]
    assert.equal(message.data, 'echo hello')
    const closed = once(socket, 'close')
    socket.close()
    await closed
    assert.deepEqual(proxy.asked, [`a.test:${port}`])
  })

  test('fails when the proxy refuses, and never goes direct', async t => {
    const proxy = await socksProxy(t, { refuses: true })
    let reached = 0
    const target = createServer(() => reached++).listen(0, '127.0.0.1')
    await once(target, 'listening')
    t.after(() => target.close())
    const socket = new WebSocket(`ws://127.0.0.1:${(target.address() as AddressInfo).port}/`, { via: proxy.url })
    await once(socket, 'error')
    assert.equal(reached, 0)
  })

  test('has the constants of the platform', () => {
    assert.deepEqual([WebSocket.CONNECTING, WebSocket.OPEN, WebSocket.CLOSING, WebSocket.CLOSED], [0, 1, 2, 3])
  })
})
