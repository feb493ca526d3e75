/** The checksums that RFC 3720 appendix B.4 gives, and the check value of its catalogue. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { latin1Octets } from '@socksmith/protocol'
import { crc32c } from '../src/crc32c.ts'

test('the checksums are those of the examples', () => {
  const counting = Uint8Array.from({ length: 32 }, (_, at) => at)
  assert.equal(crc32c(new Uint8Array(32)), 0x8a9136aa)
  assert.equal(crc32c(new Uint8Array(32).fill(0xff)), 0x62a8ab43)
  assert.equal(crc32c(counting), 0x46dd794e)
  assert.equal(crc32c(counting.toReversed()), 0x113fdb5c)
  assert.equal(crc32c(latin1Octets('123456789')), 0xe3069283)
  assert.equal(crc32c(new Uint8Array(0)), 0)
})
