import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createSecureServer } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { suite, test } from 'node:test'
import * as undici8 from 'undici'
import * as undici7 from 'undici7'
import { SERVER } from '../../../engine/test/data/certificates.ts'
import { type DispatcherOptions, dispatcher } from '../../src/http/dispatcher.ts'
import type { RouteInput } from '../../src/route/make.ts'
import { SocksError } from '../../src/socks-error.ts'
import { socksProxy } from './socks-proxy.ts'
import { ca, webServer } from './web-server.ts'

/** The same requests by each copy of undici that people have. */
interface Copy {
  readonly name: string
  readonly get: (url: string, via: RouteInput, options?: DispatcherOptions, signal?: AbortSignal) => Promise<string>
}

async function textBy(
  copy: typeof undici8 | typeof undici7,
  url: string,
  via: RouteInput,
  options: DispatcherOptions = {},
  signal?: AbortSignal,
): Promise<string> {
  const made = dispatcher(via, { ...options, undici: copy as typeof undici8 })
  try {
    const { body } = await copy.request(url, { dispatcher: made as never, ...(signal && { signal }) })
    return await body.text()
  } finally {
    await made.destroy()
  }
}

const COPIES: readonly Copy[] = [
  {
    name: 'the undici inside Node',
    async get(url, via, options = {}, signal) {
      const made = dispatcher(via, options)
      try {
        const response = await fetch(url, { dispatcher: made, ...(signal && { signal }) })
        return await response.text()
      } finally {
        await made.destroy()
      }
    },
  },
  { name: 'undici 7', get: (...args) => textBy(undici7, ...args) },
  { name: 'undici 8', get: (...args) => textBy(undici8, ...args) },
]

function socksErrorIn(error: unknown): SocksError {
  const found = error instanceof SocksError ? error : (error as Error).cause
  assert.ok(found instanceof SocksError, String(error))
  return found
}

for (const { name, get } of COPIES) {
  suite(`a dispatcher for ${name}`, () => {
    test('goes through the proxy by name, for http: and https:', async t => {
      const proxy = await socksProxy(t)
      const [plain, secure] = [await webServer(t), await webServer(t, 'https')]
      assert.equal(await get(`http://a.test:${plain.port}/a`, proxy.url), `GET /a a.test:${plain.port}`)
      assert.equal(
        await get(`https://localhost:${secure.port}/b`, proxy.url, { tls: { ca } }),
        `GET /b localhost:${secure.port}`,
      )
      assert.deepEqual(proxy.asked, [`a.test:${plain.port}`, `localhost:${secure.port}`])
    })

    test('an IPv6 literal goes out as an address, a missing port as that of the scheme', async t => {
      const proxy = await socksProxy(t, { refuses: true })
      for (const [url, asked] of [
        ['http://[2001:db8::1]/', '[2001:db8::1]:80'],
        ['https://[2001:db8::1]:8443/', '[2001:db8::1]:8443'],
        ['https://a.test/', 'a.test:443'],
      ] as const) {
        const error = await get(url, proxy.url).catch(socksErrorIn)
        assert.equal((error as SocksError).code, 'SOCKS_CONNECTION_REFUSED')
        assert.equal(proxy.asked.at(-1), asked)
      }
    })

    test('takes every scheme of SOCKS, and an unknown one is an error', async t => {
      const proxy = await socksProxy(t)
      const server = await webServer(t)
      for (const scheme of ['socks', 'socks4', 'socks4a', 'socks5', 'socks5h', 'http']) {
        const host = scheme === 'socks4' || scheme === 'socks5' ? '127.0.0.1' : 'a.test'
        assert.match(await get(`http://${host}:${server.port}/`, `${scheme}://127.0.0.1:${proxy.port}`), /^GET/)
      }
      assert.equal(proxy.asked.length, 6)
      await assert.rejects(get(`http://a.test:${server.port}/`, `socks6://127.0.0.1:${proxy.port}`), {
        code: 'SOCKS_BAD_ARGUMENT',
      })
    })

    test('a port that does not exist is an error of the request, and nobody is asked', async t => {
      const proxy = await socksProxy(t)
      const error = await get('http://a.test:0/', proxy.url).catch(socksErrorIn)
      assert.equal((error as SocksError).code, 'SOCKS_BAD_ARGUMENT')
      assert.deepEqual(proxy.asked, [])
    })

    test('a user name without a password is sent, and a wrong password is told without it', async t => {
      const proxy = await socksProxy(t, { password: 'alice:' })
      const server = await webServer(t)
      assert.match(await get(`http://a.test:${server.port}/`, `socks5h://alice@127.0.0.1:${proxy.port}`), /^GET/)
      const error = await get('http://a.test/', `socks5h://alice:guess@127.0.0.1:${proxy.port}`).catch(socksErrorIn)
      assert.equal((error as SocksError).code, 'SOCKS_AUTH_REJECTED')
      assert.ok(!`${JSON.stringify(error)}${(error as SocksError).stack}`.includes('guess'))
    })

    test('an abort ends the wait for a silent proxy at once, and its connection', async t => {
      const proxy = await socksProxy(t, { isSilent: true })
      const controller = new AbortController()
      const failed = assert.rejects(get('http://a.test/', proxy.url, {}, controller.signal), { name: 'AbortError' })
      const closed = once(await proxy.reached, 'close')
      controller.abort()
      await failed
      await closed
    })

    test('the time limit holds', async t => {
      const proxy = await socksProxy(t, { isSilent: true })
      const error = await get('http://a.test/', proxy.url, { timeout: 50 }).catch(socksErrorIn)
      assert.equal((error as SocksError).code, 'SOCKS_TIMED_OUT')
    })

    test('requests of different origins never share a connection', async t => {
      const proxy = await socksProxy(t)
      const [one, two] = [await webServer(t), await webServer(t)]
      assert.equal(await get(`http://a.test:${one.port}/1`, proxy.url), `GET /1 a.test:${one.port}`)
      assert.equal(await get(`http://a.test:${two.port}/2`, proxy.url), `GET /2 a.test:${two.port}`)
      assert.deepEqual([one.requests.length, two.requests.length], [1, 1])
    })

    test('HTTP/2 is spoken where both ends want it', async t => {
      const proxy = await socksProxy(t)
      const server = createSecureServer({ cert: SERVER.certificate, key: SERVER.key, allowHTTP1: false })
      server.on('request', (request, response) => response.end(`HTTP/${request.httpVersion}`))
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
      t.after(() => server.close())
      const url = `https://localhost:${(server.address() as AddressInfo).port}/`
      assert.equal(await get(url, proxy.url, { tls: { ca }, allowH2: true }), 'HTTP/2.0')
      await assert.rejects(get(url, proxy.url, { tls: { ca }, allowH2: false }))
    })
  })
}

test('a request that was aborted does not take another one with it', async t => {
  const proxy = await socksProxy(t, { isSilent: true })
  const made = dispatcher(proxy.url, { undici: undici8, connections: 1 })
  t.after(() => made.destroy())
  const controller = new AbortController()
  const aborted = assert.rejects(undici8.request('http://a.test/', { dispatcher: made, signal: controller.signal }), {
    name: 'AbortError',
  })
  const other = undici8.request('http://a.test/', { dispatcher: made })
  await proxy.reached
  controller.abort()
  await aborted
  await made.destroy()
  await assert.rejects(other, { code: 'UND_ERR_DESTROYED' })
})

test('the end of a dispatcher ends its attempts', async t => {
  const proxy = await socksProxy(t, { isSilent: true })
  const made = dispatcher(proxy.url)
  const failed = assert.rejects(fetch('http://a.test/', { dispatcher: made }))
  const closed = once(await proxy.reached, 'close')
  await made.destroy()
  await Promise.all([failed, closed])
})
