import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseProxyUrl } from '@socksmith/instruments'

test('host, port, user and password are read, and the label keeps the last two out', () => {
  const place = parseProxyUrl('socks5://al%20ice:p%40ss@[::1]:1081')
  assert.ok(typeof place !== 'string')
  assert.deepEqual([place.host, place.port, place.isTls], ['::1', 1081, false])
  assert.equal(Buffer.from(place.username ?? []).toString(), 'al ice')
  assert.equal(Buffer.from(place.password ?? []).toString(), 'p@ss')
  assert.equal(place.label, 'socks5://[::1]:1081')
})

test('the port is 1080 unless it is said, and 80 can be said', () => {
  for (const [text, port] of [
    ['socks5://proxy.example', 1080],
    ['SOCKS5H://proxy.example:80', 80],
    ['socks4a+tls://proxy.example:443', 443],
  ] as const) {
    const place = parseProxyUrl(text)
    assert.ok(typeof place !== 'string', text)
    assert.equal(place.port, port)
    assert.equal(place.isTls, text.includes('+tls'))
  }
})

test('what is no URL of a SOCKS server is told without repeating it', () => {
  for (const text of [
    '',
    'proxy:1080',
    'http://x',
    'socks5://',
    'socks5://x:99999',
    'socks5://:secret@x',
    'socks5://%zz:y@x',
  ]) {
    const fault = parseProxyUrl(text)
    assert.ok(typeof fault === 'string', text)
    assert.doesNotMatch(fault, /secret/)
  }
  const tooLong = parseProxyUrl(`socks5://a:${'p'.repeat(256)}@x`)
  assert.ok(typeof tooLong === 'string')
  assert.match(tooLong, /255 octets/)
})
