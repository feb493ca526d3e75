import assert from 'node:assert/strict'
import { once } from 'node:events'
import http, { type IncomingMessage } from 'node:http'
import https from 'node:https'
import type { Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { suite, test } from 'node:test'
import { SocksAgent, type SocksRequestOptions } from '../../src/http/agent.ts'
import { SocksError } from '../../src/socks-error.ts'
import { socksProxy } from './socks-proxy.ts'
import { ca, webServer } from './web-server.ts'

async function get(url: string, options: SocksRequestOptions & https.RequestOptions): Promise<string> {
  const request = url.startsWith('https:') ? https.get(url, options) : http.get(url, options)
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  return text(response)
}

suite('SocksAgent', () => {
  test('one agent serves http: and https:, with names resolved by the proxy', async t => {
    const proxy = await socksProxy(t)
    const [plain, secure] = [await webServer(t), await webServer(t, 'https')]
    const agent = new SocksAgent(proxy.url, { ca })
    assert.equal(await get(`http://plain.test:${plain.port}/a`, { agent }), `GET /a plain.test:${plain.port}`)
    assert.equal(await get(`https://localhost:${secure.port}/b`, { agent }), `GET /b localhost:${secure.port}`)
    assert.deepEqual(proxy.asked, [`plain.test:${plain.port}`, `localhost:${secure.port}`])
  })

  test('without a port it is that of the scheme, and the header Host has none', async t => {
    const proxy = await socksProxy(t, { refuses: true })
    const agent = new SocksAgent(proxy.url)
    for (const [url, options, asked] of [
      ['http://a.test/', {}, 'a.test:80'],
      ['https://a.test/', {}, 'a.test:443'],
      ['http://a.test/', { port: 80 }, 'a.test:80'],
      ['https://a.test/', { port: 443 }, 'a.test:443'],
      ['https://a.test:80/', {}, 'a.test:80'],
      ['http://[::1]/', {}, '[::1]:80'],
    ] as const) {
      const request = url.startsWith('https:')
        ? https.get(url, { agent, ...options })
        : http.get(url, { agent, ...options })
      const [error] = (await once(request, 'error')) as [SocksError]
      assert.equal(error.code, 'SOCKS_CONNECTION_REFUSED')
      assert.equal(proxy.asked.at(-1), asked)
      assert.equal(request.getHeader('host'), url.includes(':80/') ? 'a.test:80' : new URL(url).hostname)
    }
  })

  test('a failure is the SocksError of the route, without its password', async t => {
    const proxy = await socksProxy(t, { password: 'alice:open sesame' })
    const request = http.get('http://a.test/', { agent: new SocksAgent(proxy.url.replace('open sesame', 'wrong')) })
    const [error] = (await once(request, 'error')) as [SocksError]
    assert.ok(error instanceof SocksError)
    assert.equal(error.code, 'SOCKS_AUTH_REJECTED')
    assert.ok(!`${JSON.stringify(error)}${error.stack}`.includes('wrong'))
  })

  test('an idle connection is used again, and one of another route is not', async t => {
    const [one, two] = [await socksProxy(t), await socksProxy(t, { password: 'alice:secret' })]
    const server = await webServer(t)
    const agent = new SocksAgent(one.url, { keepAlive: true })
    t.after(() => agent.destroy())
    const url = `http://a.test:${server.port}/`
    const idle = once(agent, 'free')
    await get(url, { agent })
    await idle
    await get(url, { agent })
    assert.equal(server.connections(), 1)
    await get(url, { agent, via: two.url })
    assert.equal(server.connections(), 2)
    assert.deepEqual([one.asked.length, two.asked.length], [1, 1])
    assert.ok(!JSON.stringify([Object.keys(agent.sockets), Object.keys(agent.freeSockets)]).includes('secret'))
  })

  test('an idle connection is not for another login of the same proxy', async t => {
    const proxy = await socksProxy(t, { password: 'alice:secret' })
    const server = await webServer(t)
    const agent = new SocksAgent('direct', { keepAlive: true })
    t.after(() => agent.destroy())
    const url = `http://a.test:${server.port}/`
    const idle = once(agent, 'free')
    await get(url, { agent, via: proxy.url })
    await idle
    await assert.rejects(get(url, { agent, via: proxy.url.replace('secret', 'wrong') }))
    await get(url, { agent, via: proxy.url })
    assert.equal(server.connections(), 1)
  })

  test('a function chooses the route of each request', async t => {
    const [one, two] = [await socksProxy(t), await socksProxy(t)]
    const server = await webServer(t)
    const agent = new SocksAgent(({ host }) => (host === 'a.test' ? one.url : two.url))
    await get(`http://a.test:${server.port}/`, { agent })
    await get(`http://b.test:${server.port}/`, { agent })
    assert.deepEqual([one.asked, two.asked], [[`a.test:${server.port}`], [`b.test:${server.port}`]])
  })

  test('TLS options hold: an unknown authority is refused, a session is taken up again', async t => {
    const proxy = await socksProxy(t)
    const server = await webServer(t, 'https')
    const url = `https://localhost:${server.port}/`
    await assert.rejects(get(url, { agent: new SocksAgent(proxy.url) }))
    const agent = new SocksAgent(proxy.url, { ca, maxVersion: 'TLSv1.2' })
    await get(url, { agent })
    await get(url, { agent })
    assert.equal(server.resumptions(), 1)
  })

  test('the limits of the pool hold while connections are made, and a failure lets the next one have a try', async t => {
    const proxy = await socksProxy(t, { refuses: true })
    const agent = new SocksAgent(proxy.url, { maxSockets: 1 })
    const codes = await Promise.all(
      Array.from({ length: 5 }, async () => {
        const [error] = (await once(http.get('http://a.test/', { agent }), 'error')) as [SocksError]
        return error.code
      }),
    )
    assert.deepEqual(new Set(codes), new Set(['SOCKS_CONNECTION_REFUSED']))
    assert.equal(proxy.asked.length, 5)

    const server = await webServer(t)
    const [good] = [await socksProxy(t)]
    const narrow = new SocksAgent(good.url, { maxSockets: 1, keepAlive: true })
    t.after(() => narrow.destroy())
    await Promise.all(Array.from({ length: 5 }, () => get(`http://a.test:${server.port}/`, { agent: narrow })))
    assert.equal(good.asked.length, 1)
  })

  test('an abort ends the attempt at once, whatever the proxy does', async t => {
    const proxy = await socksProxy(t, { isSilent: true })
    const controller = new AbortController()
    const request = http.get('http://a.test/', { agent: new SocksAgent(proxy.url), signal: controller.signal })
    const closed = once(await proxy.reached, 'close')
    controller.abort()
    const [error] = (await once(request, 'error')) as [Error]
    assert.equal(error.name, 'AbortError')
    await closed
    assert.equal(proxy.open.size, 0)
  })

  test('destroying the request or the agent ends the attempt at once', async t => {
    for (const end of [
      (request: http.ClientRequest) => request.destroy(),
      (_: http.ClientRequest, agent: SocksAgent) => agent.destroy(),
    ]) {
      const proxy = await socksProxy(t, { isSilent: true })
      const agent = new SocksAgent(proxy.url)
      const request = https.get('https://a.test/', { agent })
      const failed = once(request, 'error')
      const closed = once(await proxy.reached, 'close')
      end(request, agent)
      await Promise.all([failed, closed])
      assert.deepEqual(Object.keys(agent.sockets), [])
    }
  })

  test('the time limit of the request or of the agent holds while the proxy is silent', async t => {
    const proxy = await socksProxy(t, { isSilent: true })
    for (const [agent, options] of [
      [new SocksAgent(proxy.url, { timeout: 50 }), {}],
      [new SocksAgent(proxy.url), { timeout: 50 }],
    ] as const) {
      const request = http.get('http://a.test/', { agent, ...options })
      let timeouts = 0
      request.on('timeout', () => timeouts++)
      const [error] = (await once(request, 'error')) as [SocksError]
      assert.equal(error.code, 'SOCKS_TIMED_OUT')
      assert.equal(timeouts, 1)
    }
  })

  test('a Unix socket is refused, not reached directly', async t => {
    const proxy = await socksProxy(t)
    const request = http.get({ socketPath: '/tmp/none', agent: new SocksAgent(proxy.url) })
    const [error] = (await once(request, 'error')) as [SocksError]
    assert.equal(error.code, 'SOCKS_BAD_ARGUMENT')
    assert.equal(proxy.asked.length, 0)
  })

  test('whoever calls createConnection gets a socket at once, with TLS where it is asked for', async t => {
    const proxy = await socksProxy(t)
    const server = await webServer(t, 'https')
    const agent = new SocksAgent(proxy.url)
    const socket = agent.createConnection({
      host: 'localhost',
      port: server.port,
      protocol: 'https:',
      ca,
    } as never) as Socket
    socket.write('GET /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
    assert.match(await text(socket), /GET \/x x$/m)
  })

  test('a route that is none fails when the agent is made', () => {
    assert.throws(() => new SocksAgent('sock5://127.0.0.1:1080'), { code: 'SOCKS_BAD_ARGUMENT' })
  })
})
