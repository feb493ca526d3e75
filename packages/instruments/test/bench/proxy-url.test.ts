import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseProxyUrl } from '../../src/bench/proxy-url.ts'

test('a URL says protocol, host, port and whether the proxy resolves', () => {
  for (const [text, protocol, host, port, namesTarget] of [
    ['socks5://127.0.0.1:1081', 'socks5', '127.0.0.1', 1081, false],
    ['SOCKS5H://localhost', 'socks5', 'localhost', 1080, true],
    ['socks4://192.0.2.1/', 'socks4', '192.0.2.1', 1080, false],
    ['socks4a://[::1]:9', 'socks4', '::1', 9, true],
    ['http://proxy.example:80', 'http', 'proxy.example', 80, false],
  ] as const) {
    const url = parseProxyUrl(text)
    assert.ok(typeof url === 'object', text)
    const { protocol: ofUrl, host: hostOf, port: portOf, namesTarget: names } = url
    assert.deepEqual([ofUrl, hostOf, portOf, names], [protocol, host, port, namesTarget])
  }
})

test('user and password are read as they were encoded, and not shown', () => {
  const url = parseProxyUrl('socks5://al%40ce:p%3Ass%20w@127.0.0.1:1080')
  assert.ok(typeof url === 'object')
  assert.equal(Buffer.from(url.credentials?.username ?? []).toString(), 'al@ce')
  assert.equal(Buffer.from(url.credentials?.password ?? []).toString(), 'p:ss w')
  assert.equal(url.label, 'socks5://127.0.0.1:1080')
})

test('what is wrong with a URL is said without its password', () => {
  for (const [text, meant] of [
    ['127.0.0.1:1080', /^expected socks4/],
    ['ftp://127.0.0.1:1080', /^expected socks4/],
    ['socks5://', /^expected socks4/],
    ['socks5://user:secret@host:99999', /host or the port/],
    ['socks5://host:0', /port of the URL is 0/],
    ['socks5://:secret@host', /password without a user/],
    ['socks5://user:secret%@host', /percent-encoded/],
    ['socks4://user:secret@host', /SOCKS4 carries no password/],
    [`socks5://user:${'secret'.repeat(50)}@host`, /at most 255/],
  ] as const) {
    const url = parseProxyUrl(text)
    assert.ok(typeof url === 'string', text)
    assert.match(url, meant, text)
    assert.ok(!url.includes('secret'), text)
  }
})
