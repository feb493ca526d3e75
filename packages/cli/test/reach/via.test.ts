import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SocksError, type Route } from '@socksmith/client'
import { routeOfVia, starredVia, viaFault, withoutLogins } from '../../src/reach/via.ts'

const label = (route: Route): string => {
  switch (route.kind) {
    case 'proxy':
      return route.hop.label
    case 'chain':
      return `chain(${route.links.map(label).join(' ')})`
    case 'pool':
      return `${route.strategy}(${route.members.map(label).join(' ')})`
    default:
      return route.kind
  }
}

test('one text is a proxy or a pool, several are a chain of them', () => {
  for (const [texts, expected] of [
    [['socks5h://a:1'], 'socks5h://a:1'],
    [['direct'], 'direct'],
    [['socks5h://a:1, http://b:2'], 'failover(socks5h://a:1 http://b:2)'],
    [['round-robin:socks5h://a:1,http://b:2'], 'round-robin(socks5h://a:1 http://b:2)'],
    [['socks5h://user:a,b@a:1'], 'socks5h://a:1'],
    [
      ['socks5h://a:1', 'least-latency:http://b:2,http://c:3'],
      'chain(socks5h://a:1 least-latency(http://b:2 http://c:3))',
    ],
  ] as const) {
    assert.equal(label(routeOfVia(texts)), expected)
  }
})

test('what is no route is refused, and its password is not told', () => {
  for (const texts of [
    ['gopher://u:secret@a'],
    ['quick:socks5h://u:secret@a,socks5h://b'],
    ['socks5h://u:secret@a', 'direct'],
    ['u:secret@a:1080'],
    [''],
  ]) {
    assert.throws(
      () => routeOfVia(texts),
      error => error instanceof SocksError && !JSON.stringify([error, error.stack]).includes('secret'),
      texts.join(' '),
    )
  }
})

test('a text that is right is shown with stars for its passwords, and without them unchanged', () => {
  for (const [text, shown] of [
    ['socks5h://a:1', 'socks5h://a:1'],
    ['ssh://user@a', 'ssh://user@a'],
    ['socks5h://user:secret@a:1', 'socks5h://user:********@a:1'],
    ['socks5h://user:se:cr@et@a:1', 'socks5h://user:********@a:1'],
    ['socks5h://user:secret@[2001:db8::1]:1', 'socks5h://user:********@[2001:db8::1]:1'],
    ['socks5h://u:secret@a, http://v:secret,@b', 'socks5h://u:********@a,http://v:********@b'],
    ['random:socks5h://u:secret@a,http://b', 'random:socks5h://u:********@a,http://b'],
    ['socks5+unix:///run/a.sock', 'socks5+unix:///run/a.sock'],
  ] as const) {
    assert.equal(viaFault(text), undefined, text)
    assert.equal(starredVia(text), shown)
  }
})

test('of a line that may be wrong everything before an @ is starred, and nothing moves', () => {
  for (const [line, shown] of [
    ['  - foo://u:my secret@h # here', '  - foo://***********@h # here'],
    ['via: ["alice:secret@h:1"]', 'via: ["************@h:1"]'],
    ['user: alice@corp', 'user: alice@corp'],
    ['listen: ["[::1]:1080"]', 'listen: ["[::1]:1080"]'],
  ] as const) {
    assert.equal(withoutLogins(line), shown)
    assert.equal(shown.length, line.length)
  }
})
