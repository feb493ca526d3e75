import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SocksError, type Route } from '@socksmith/client'
import { routeOfVia } from '../../src/reach/via.ts'

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
