/** What a head of HTTP comes to does not depend on how many of its octets arrive at once. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeHttpResponseHead } from '@socksmith/protocol'

test('a flood that is no HTTP is told as that, in one piece too', () => {
  const flood = new Uint8Array(20_000)
  for (const octets of [flood.subarray(0, 1), flood]) {
    const decoded = decodeHttpResponseHead(octets)
    assert.equal(decoded.kind === 'malformed' && decoded.failure.code, 'bad_syntax')
  }
})
