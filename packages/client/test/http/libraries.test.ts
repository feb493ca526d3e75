/** The HTTP libraries that people use, each as its own documentation says, over an agent or a dispatcher of ours. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer as createSecureServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { suite, test } from 'node:test'
import axios, { type AxiosError } from 'axios'
import got, { type RequestError } from 'got'
import nodeFetch, { type FetchError } from 'node-fetch'
import { WebSocket, WebSocketServer } from 'ws'
import { SERVER } from '../../../engine/test/data/certificates.ts'
import { SocksAgent } from '../../src/http/agent.ts'
import { SocksError } from '../../src/socks-error.ts'
import { socksProxy } from './socks-proxy.ts'
import { ca, webServer } from './web-server.ts'

interface Library {
  readonly name: string
  readonly get: (
    url: string,
    agent: SocksAgent,
    options?: { readonly timeoutMs?: number; readonly signal?: AbortSignal },
  ) => Promise<string>
  /** The error of the agent in what the library rejects with. */
  readonly errorOf: (error: unknown) => unknown
}

const LIBRARIES: readonly Library[] = [
  {
    name: 'axios',
    async get(url, agent, { timeoutMs, signal } = {}) {
      const { data } = await axios.get<string>(url, {
        httpAgent: agent,
        httpsAgent: agent,
        proxy: false,
        ...(timeoutMs && { timeout: timeoutMs }),
        ...(signal && { signal }),
      })
      return data
    },
    errorOf: error => (error as AxiosError).cause,
  },
  {
    name: 'got',
    get: (url, agent, { timeoutMs, signal } = {}) =>
      got(url, {
        agent: { http: agent, https: agent },
        retry: { limit: 0 },
        ...(timeoutMs && { timeout: { request: timeoutMs } }),
        ...(signal && { signal }),
      }).text(),
    errorOf: error => (error as RequestError).cause,
  },
  {
    name: 'node-fetch',
    async get(url, agent, { timeoutMs, signal } = {}) {
      const limit = timeoutMs === undefined ? signal : AbortSignal.timeout(timeoutMs)
      const response = await nodeFetch(url, { agent, ...(limit && { signal: limit }) })
      return response.text()
    },
    // It gives a code and a text of what it got.
    errorOf: error =>
      new SocksError({
        code: (error as FetchError).code as never,
        phase: 'request',
        failure: { code: 'rejected', blame: 'target' },
      }),
  },
]

for (const { name, get, errorOf } of LIBRARIES) {
  suite(`${name} over a SocksAgent`, () => {
    test('gets over http: and https:', async t => {
      const proxy = await socksProxy(t)
      const [plain, secure] = [await webServer(t), await webServer(t, 'https')]
      const agent = new SocksAgent(proxy.url, { ca })
      assert.equal(await get(`http://a.test:${plain.port}/a`, agent), `GET /a a.test:${plain.port}`)
      assert.equal(await get(`https://localhost:${secure.port}/b`, agent), `GET /b localhost:${secure.port}`)
      assert.deepEqual(proxy.asked, [`a.test:${plain.port}`, `localhost:${secure.port}`])
    })

    test('follows a redirection through the proxy', async t => {
      const proxy = await socksProxy(t)
      const server = await webServer(t, 'http', (request, response) => {
        if (request.url === '/old') response.writeHead(302, { location: '/new' })
        response.end(request.url)
      })
      assert.equal(await get(`http://a.test:${server.port}/old`, new SocksAgent(proxy.url)), '/new')
    })

    test('tells that the proxy refused', async t => {
      const proxy = await socksProxy(t, { refuses: true })
      const error = await get('http://a.test/', new SocksAgent(proxy.url)).then(assert.fail, errorOf)
      assert.ok(error instanceof SocksError, String(error))
      assert.equal(error.code, 'SOCKS_CONNECTION_REFUSED')
    })

    test('its time limit and its signal hold while the proxy is silent', async t => {
      for (const limit of ['time', 'signal'] as const) {
        const proxy = await socksProxy(t, { isSilent: true })
        const controller = new AbortController()
        const failed = assert.rejects(
          get(
            'http://a.test/',
            new SocksAgent(proxy.url),
            limit === 'time' ? { timeoutMs: 100 } : { signal: controller.signal },
          ),
        )
        const closed = once(await proxy.reached, 'close')
        controller.abort()
        await Promise.all([failed, closed])
      }
    })
  })
}

suite('ws over a SocksAgent', () => {
  test('exchanges messages over ws: and wss:', async t => {
    const proxy = await socksProxy(t)
    const agent = new SocksAgent(proxy.url, { ca })
    const secure = createSecureServer({ cert: SERVER.certificate, key: SERVER.key }).listen(0, '127.0.0.1')
    await once(secure, 'listening')
    const plainServer = new WebSocketServer({ port: 0, host: '127.0.0.1' })
    await once(plainServer, 'listening')
    const servers = [
      { url: `ws://a.test:${(plainServer.address() as AddressInfo).port}/`, server: plainServer },
      {
        url: `wss://localhost:${(secure.address() as AddressInfo).port}/`,
        server: new WebSocketServer({ server: secure }),
      },
    ]
    t.after(() => {
      for (const { server } of servers) server.close()
      secure.close()
    })
    for (const { url, server } of servers) {
      // A server that speaks first loses nothing.
      server.on('connection', socket => socket.send('welcome'))
      const socket = new WebSocket(url, { agent })
      const [message] = (await once(socket, 'message')) as [Buffer]
      assert.equal(message.toString(), 'welcome')
      const closed = once(socket, 'close')
      socket.close()
      await closed
    }
    assert.equal(proxy.asked.length, 2)
  })

  test('its time limit for the handshake holds while the proxy is silent', async t => {
    const proxy = await socksProxy(t, { isSilent: true })
    const socket = new WebSocket('ws://a.test/', { agent: new SocksAgent(proxy.url), handshakeTimeout: 100 })
    const { promise: closed, resolve } = Promise.withResolvers<void>()
    socket.once('close', () => resolve())
    await once(socket, 'error')
    await closed
  })

  test('terminate ends the attempt at once', async t => {
    const proxy = await socksProxy(t, { isSilent: true })
    const socket = new WebSocket('ws://a.test/', { agent: new SocksAgent(proxy.url) })
    const failed = once(socket, 'error')
    const closed = once(await proxy.reached, 'close')
    socket.terminate()
    await Promise.all([failed, closed])
  })
})
