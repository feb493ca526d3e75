/** Frames out of any pieces: order, what is kept, and a failure. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { FrameReader } from '../../src/method/frame-reader.ts'
import { decodeSslFrame } from '../../src/wire/ssl-frame.ts'
import { octetsOf } from './exchange-steps.ts'

suite('frames out of a stream', () => {
  test('come out in order when they are complete, though the buffer is used again', () => {
    const reader = new FrameReader(decodeSslFrame)
    const buffer = octetsOf('01030001aa 0103')
    assert.deepEqual(reader.read(buffer), [{ state: 3, data: Uint8Array.of(0xaa) }])
    buffer.fill(0xff)
    assert.deepEqual(reader.read(octetsOf('0001')), [])
    assert.deepEqual(reader.read(octetsOf('bb')), [{ state: 3, data: Uint8Array.of(0xbb) }])
  })

  test('end with the failure of the decoder', () => {
    const frames = new FrameReader(decodeSslFrame).read(octetsOf('05'))
    assert.ok('code' in frames && frames.code === 'bad_version')
  })
})
