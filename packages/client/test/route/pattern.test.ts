/** Which hosts and ports a rule means. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { parseIp } from '@socksmith/protocol'
import { direct, rules } from '../../src/index.ts'
import { matchesHost, parseHostPattern } from '../../src/route/pattern.ts'
import { goes, refusal } from './ask.ts'

function means(pattern: string, host: string): boolean {
  const address = parseIp(host) ?? ({ type: 'domain', name: host } as const)
  return matchesHost(parseHostPattern(pattern), address)
}

suite('patterns', () => {
  test('names, suffixes and networks', () => {
    assert.ok(means('*', 'anything.test') && means('*', '::1'))
    assert.ok(means('a.test', 'A.Test.') && !means('a.test', 'b.a.test') && !means('a.test', 'ba.test'))
    assert.ok(means('*.a.test', 'b.a.test') && !means('*.a.test', 'a.test') && !means('.a.test', 'ba.test'))
    assert.ok(means('10.0.0.0/8', '10.255.0.1') && !means('10.0.0.0/8', '11.0.0.1'))
    assert.ok(means('10.0.0.0/9', '10.127.0.1') && !means('10.0.0.0/9', '10.128.0.1'))
    assert.ok(means('2001:db8::/33', '2001:db8:7fff::1') && !means('2001:db8::/33', '2001:db8:8000::1'))
    assert.ok(
      means('[::1]', '::1') && means('192.0.2.7', '::ffff:192.0.2.7') && means('::ffff:10.0.0.0/104', '10.9.9.9'),
    )
    assert.ok(means('0.0.0.0/0', '192.0.2.7') && !means('0.0.0.0/0', '::1') && !means('0.0.0.0/0', 'a.test'))
    for (const bad of ['', 'a b', '10.0.0.0/33', '::/129', 'a.test/8', '10.0.0/8', '[a.test]']) {
      refusal(() => parseHostPattern(bad))
    }
  })

  test('the first rule that applies decides, on host, port and scheme together', () => {
    const route = rules([
      { hosts: ['*.corp.test', '10.0.0.0/8'], ports: [[8000, 8999], 443], via: direct },
      { schemes: ['http'], via: 'http://plain.test' },
      { ports: [25], via: 'block' },
      { via: 'socks5h://p.test' },
    ])
    assert.equal(goes(route, 'a.corp.test', 8_500), 'direct')
    assert.equal(goes(route, '10.1.1.1'), 'direct')
    assert.equal(goes(route, 'a.corp.test', 22), 'socks5h://p.test:1080')
    assert.equal(goes(route, 'b.test', 80, 'http'), 'http://plain.test:80')
    assert.equal(goes(route, 'b.test', 25), 'block')
  })
})
