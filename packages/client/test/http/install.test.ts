import assert from 'node:assert/strict'
import { once } from 'node:events'
import http, { type IncomingMessage } from 'node:http'
import https from 'node:https'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { type TestContext, suite, test } from 'node:test'
import axios from 'axios'
import * as undici8 from 'undici'
import * as undici7 from 'undici7'
import { WebSocketServer } from 'ws'
import { install } from '../../src/http/install.ts'
import { type SocksProxy, socksProxy } from './socks-proxy.ts'
import { ca, webServer } from './web-server.ts'

async function get(url: string, options: https.RequestOptions = {}): Promise<string> {
  const request = url.startsWith('https:') ? https.get(url, options) : http.get(url, options)
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  return text(response)
}

/** Every way to speak HTTP that a whole process has. The names do not exist: only the proxy knows the way. */
async function everyWay(t: TestContext, proxy: SocksProxy): Promise<void> {
  const [plain, secure] = [await webServer(t), await webServer(t, 'https')]
  const url = `http://a.test:${plain.port}/`
  const said = `GET / a.test:${plain.port}`
  const secureUrl = `https://localhost:${secure.port}/`
  const ways: { readonly [name: string]: () => Promise<string> } = {
    fetch: async () => (await fetch(url)).text(),
    'http.get': () => get(url),
    'http.get without an agent': () => get(url, { agent: false }),
    'http.get with an own agent': () => get(url, { agent: new http.Agent({ maxSockets: 1 }) }),
    axios: async () => (await axios.get<string>(url, { proxy: false })).data,
    'undici 7': async () => (await undici7.request(url)).body.text(),
    'undici 8': async () => (await undici8.request(url)).body.text(),
    'an agent that asks its ancestor': () => get(url, { agent: new AskingAgent() }),
  }
  for (const [name, way] of Object.entries(ways)) {
    assert.equal(await way(), said, name)
  }
  for (const agent of [new https.Agent({ ca }), new AskingSecureAgent({ ca }), undefined]) {
    const before = proxy.asked.length
    assert.equal(await get(secureUrl, { ca, ...(agent && { agent }) }), `GET / localhost:${secure.port}`)
    assert.equal(proxy.asked.at(before), `localhost:${secure.port}`)
  }
}

class AskingAgent extends http.Agent {
  override createConnection(
    ...args: Parameters<http.Agent['createConnection']>
  ): ReturnType<http.Agent['createConnection']> {
    return super.createConnection(...args)
  }
}

class AskingSecureAgent extends https.Agent {
  override createConnection(
    ...args: Parameters<https.Agent['createConnection']>
  ): ReturnType<https.Agent['createConnection']> {
    return super.createConnection(...args)
  }
}

suite('install', () => {
  test('sends all HTTP of the process over the route, until it is disposed of', async t => {
    const proxy = await socksProxy(t)
    const server = await webServer(t)
    const url = `http://127.0.0.1:${server.port}/`
    await (await fetch(url)).text()
    await get(url)
    {
      using installation = install(proxy.url)
      assert.equal(installation.route.kind, 'proxy')
      // Nothing idle from before is used.
      await (await fetch(url)).text()
      await get(url)
      assert.equal(proxy.asked.length, 2)
      await everyWay(t, proxy)
    }
    const asked = proxy.asked.length
    for (const way of [
      fetch(url).then(response => response.text()),
      get(url),
      undici8.request(url).then(({ body }) => body.text()),
    ]) {
      assert.equal(await way, `GET / 127.0.0.1:${server.port}`)
    }
    assert.equal(proxy.asked.length, asked)
  })

  test('the WebSocket of Node goes over the route', async t => {
    const proxy = await socksProxy(t)
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
    await once(server, 'listening')
    t.after(() => server.close())
    using _ = install(proxy.url)
    const socket = new WebSocket(`ws://a.test:${(server.address() as { port: number }).port}/`)
    await once(socket, 'open')
    const closed = once(socket, 'close')
    socket.close()
    await closed
    assert.equal(proxy.asked.length, 1)
  })

  test('of several the last one counts, and any of them may end first', async t => {
    const [one, two] = [await socksProxy(t), await socksProxy(t)]
    const server = await webServer(t)
    const url = `http://a.test:${server.port}/`
    const first = install(one.url)
    const second = install(two.url)
    await (await fetch(url)).text()
    await get(url)
    assert.deepEqual([one.asked.length, two.asked.length], [0, 2])
    first[Symbol.dispose]()
    await get(url, { agent: false })
    assert.deepEqual([one.asked.length, two.asked.length], [0, 3])
    second[Symbol.dispose]()
    second[Symbol.dispose]()
    await assert.rejects(get(url), { code: 'ENOTFOUND' })
  })

  test('a refusal reaches the program, and nothing goes direct', async t => {
    const proxy = await socksProxy(t, { refuses: true })
    const server = await webServer(t)
    const url = `http://127.0.0.1:${server.port}/`
    using _ = install(proxy.url)
    await assert.rejects(get(url), { code: 'SOCKS_CONNECTION_REFUSED' })
    await assert.rejects(get(url, { agent: new AskingAgent() }), { code: 'SOCKS_CONNECTION_REFUSED' })
    await assert.rejects(fetch(url), TypeError)
    assert.equal(server.connections(), 0)
  })

  test('a Unix socket is reached as before', async t => {
    const proxy = await socksProxy(t)
    const path = join(tmpdir(), `socksmith-install-${process.pid}.sock`)
    const server = createServer(socket => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')).listen(path)
    await once(server, 'listening')
    t.after(() => server.close())
    using _ = install(proxy.url)
    assert.equal(await get('http://x/', { socketPath: path }), 'ok')
    assert.equal(proxy.asked.length, 0)
  })

  test('a variable that cannot be used is an error, and changes nothing', t => {
    const before = process.env['ALL_PROXY']
    t.after(() => {
      if (before === undefined) delete process.env['ALL_PROXY']
      else process.env['ALL_PROXY'] = before
    })
    const { createConnection } = http.Agent.prototype as unknown as { createConnection: unknown }
    process.env['ALL_PROXY'] = 'sock5://127.0.0.1:1080'
    assert.throws(() => install(), { code: 'SOCKS_BAD_ARGUMENT' })
    assert.equal((http.Agent.prototype as unknown as { createConnection: unknown }).createConnection, createConnection)
  })
})
