/** Our `socks-proxy-agent` beside the real one: the usage of its documentation, and what it gets wrong. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import http, { type IncomingMessage } from 'node:http'
import https from 'node:https'
import { text } from 'node:stream/consumers'
import { suite, test } from 'node:test'
import * as theirs from 'socks-proxy-agent'
import * as ours from '../../src/shim/socks-proxy-agent.ts'
import { socksProxy } from '../http/socks-proxy.ts'
import { ca, webServer } from '../http/web-server.ts'

async function get(url: string, options: https.RequestOptions): Promise<string> {
  const request = url.startsWith('https:') ? https.get(url, options) : http.get(url, options)
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  return text(response)
}

for (const [name, { SocksProxyAgent }] of [
  ['socks-proxy-agent', theirs],
  ['@socksmith/client/socks-proxy-agent', ours as unknown as typeof theirs],
] as const) {
  suite(`the documented usage, with ${name}`, () => {
    test('an agent for http: and https:, by every scheme', async t => {
      const proxy = await socksProxy(t)
      const [plain, secure] = [await webServer(t), await webServer(t, 'https')]
      for (const scheme of SocksProxyAgent.protocols) {
        const agent = new SocksProxyAgent(`${scheme}://127.0.0.1:${proxy.port}`)
        assert.equal(await get(`http://127.0.0.1:${plain.port}/`, { agent }), `GET / 127.0.0.1:${plain.port}`)
        assert.equal(await get(`https://127.0.0.1:${secure.port}/`, { agent, ca }), `GET / 127.0.0.1:${secure.port}`)
      }
    })

    test('a user and a password in the URL', async t => {
      const proxy = await socksProxy(t, { password: 'alice:open sesame' })
      const server = await webServer(t)
      const agent = new SocksProxyAgent(new URL(proxy.url))
      assert.match(await get(`http://a.test:${server.port}/`, { agent }), /^GET/)
    })

    test('shows its proxy, and what it is asked to resolve', () => {
      for (const [url, shown] of [
        ['socks://proxy.test', { host: 'proxy.test', port: 1_080, type: 5, here: false }],
        ['socks4://127.0.0.1:9', { host: '127.0.0.1', port: 9, type: 4, here: true }],
        ['socks4a://127.0.0.1', { host: '127.0.0.1', port: 1_080, type: 4, here: false }],
        ['socks5://127.0.0.1', { host: '127.0.0.1', port: 1_080, type: 5, here: true }],
        ['socks5h://127.0.0.1', { host: '127.0.0.1', port: 1_080, type: 5, here: false }],
      ] as const) {
        const { proxy, shouldLookup } = new SocksProxyAgent(url)
        assert.deepEqual({ host: proxy.host, port: proxy.port, type: proxy.type, here: shouldLookup }, shown)
      }
    })

    test('emits "proxy" with the socket, on the request', async t => {
      const proxy = await socksProxy(t)
      const server = await webServer(t)
      const request = http.get(`http://a.test:${server.port}/`, { agent: new SocksProxyAgent(proxy.url) })
      const [told] = (await once(request, 'proxy')) as [{ proxy: string; socket: unknown }]
      assert.equal(told.proxy, `socks5h://127.0.0.1:${proxy.port}`)
      assert.ok(told.socket)
      const [response] = (await once(request, 'response')) as [IncomingMessage]
      assert.match(await text(response), /^GET/)
    })

    test('a scheme that is not of SOCKS is a TypeError', () => {
      assert.throws(() => new SocksProxyAgent('http://127.0.0.1:1080'), TypeError)
    })
  })
}

suite('what socks-proxy-agent gets wrong', () => {
  test('a proxy at an IPv6 address in brackets', () => {
    assert.equal(new theirs.SocksProxyAgent('socks5h://[::1]:1080').proxy.host, '[::1]')
    assert.equal(new ours.SocksProxyAgent('socks5h://[::1]:1080').proxy.host, '::1')
  })

  test('the time limit holds while the proxy is silent, and its connection ends', async t => {
    const proxy = await socksProxy(t, { isSilent: true })
    const request = http.get('http://a.test/', { agent: new ours.SocksProxyAgent(proxy.url, { timeout: 50 }) })
    const closed = once(await proxy.reached, 'close')
    const [error] = (await once(request, 'error')) as [NodeJS.ErrnoException]
    assert.equal(error.code, 'SOCKS_TIMED_OUT')
    await closed
  })

  test('the URL that it shows and emits has no password', () => {
    const agent = new ours.SocksProxyAgent('socks5h://alice:secret@127.0.0.1:1080')
    assert.ok(!JSON.stringify([agent.proxyUrl, agent.proxy]).includes('secret'))
  })
})
