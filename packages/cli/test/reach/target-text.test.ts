import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatTarget, parseTarget } from '../../src/reach/target-text.ts'

test('a target is a host and a port, IPv6 in brackets; its text is read back', () => {
  for (const [text, target] of [
    ['example.com:443', { host: 'example.com', port: 443 }],
    ['192.0.2.7:1', { host: '192.0.2.7', port: 1 }],
    ['[2001:db8::1]:65535', { host: '2001:db8::1', port: 65_535 }],
  ] as const) {
    assert.deepEqual(parseTarget(text), target)
    assert.equal(formatTarget(target), text)
  }
})

test('anything else is none', () => {
  for (const text of ['', 'a', 'a:', ':1', 'a:0', 'a:65536', 'a:01', '2001:db8::1:80', '[a]b:1', 'a:1 ', '[]:1']) {
    assert.equal(parseTarget(text), undefined, text)
  }
})
