import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatPlace, parseEndpoint, parsePlace } from '../../src/config/place-text.ts'

test('places are read strictly and written back', () => {
  for (const text of ['127.0.0.1:1080', '[::1]:0', '[2001:db8::1]:65535', 'unix:/run/a.sock', 'unix:a']) {
    const place = parsePlace(text)
    assert.ok(place, text)
    assert.equal(formatPlace(place), text)
  }
  for (const text of [
    'localhost:1',
    '127.1:1',
    '::1:1080',
    '[127.0.0.1]:1',
    '1080',
    ':1080',
    '127.0.0.1:65536',
    '127.0.0.1:01',
    '127.0.0.1',
    'unix:',
    `unix:/${'x'.repeat(107)}`,
    '[::1%eth0]:1',
  ]) {
    assert.equal(parsePlace(text), undefined, text)
  }
})

test('the port may be left out where there is a usual one', () => {
  assert.equal(parseEndpoint('192.0.2.53', 53)?.port, 53)
  assert.equal(parseEndpoint('2001:db8::53', 53)?.port, 53)
  assert.equal(parseEndpoint('[2001:db8::53]:5353', 53)?.port, 5353)
  assert.equal(parseEndpoint('192.0.2.53'), undefined)
})
