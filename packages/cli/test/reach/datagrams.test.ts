import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import { test } from 'node:test'
import { datagramsOf } from '../../src/reach/datagrams.ts'

async function lines(chunks: readonly string[]): Promise<readonly string[]> {
  const got = await Array.fromAsync(datagramsOf(Readable.from(chunks.map(chunk => Buffer.from(chunk)))))
  return got.map(String)
}

test('lines keep their ends, however they are cut into chunks', async () => {
  const expected = ['a\n', '\n', 'bc\n', 'd']
  assert.deepEqual(await lines(['a\n\nbc\nd']), expected)
  assert.deepEqual(await lines('a\n\nbc\nd'.split('')), expected)
  assert.deepEqual(await lines([]), [])
})

test('a line longer than any datagram is cut, so that memory has a bound', async () => {
  const got = await lines(['x'.repeat(100_000), `${'x'.repeat(50_000)}\n`])
  assert.deepEqual(
    got.map(line => line.length),
    [65_535, 65_535, 18_931],
  )
})
