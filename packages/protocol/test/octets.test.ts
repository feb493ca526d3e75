/** Octet strings against what Node's Buffer makes of them. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { NO_OCTETS, concat, fromHex, sameOctets, toHex, uint16, uint16At, uint32, uint32At } from '@socksmith/protocol'

const of = (...octets: readonly number[]): Uint8Array => Uint8Array.from(octets)

test('octet strings are joined in order, into a new one', () => {
  const one = of(1, 2)
  const joined = concat([one, NO_OCTETS, of(3), one])
  assert.deepEqual(joined, of(1, 2, 3, 1, 2))
  const alone = concat([one])
  alone[0] = 9
  assert.deepEqual(one, of(1, 2))
  assert.deepEqual(concat([]), NO_OCTETS)
})

test('two octet strings are the same when each octet is', () => {
  assert.ok(sameOctets(of(1, 2), of(1, 2)))
  assert.ok(sameOctets(NO_OCTETS, of()))
  for (const other of [of(1, 3), of(0, 2), of(1), of(1, 2, 0), of()]) {
    assert.ok(!sameOctets(of(1, 2), other))
    assert.ok(!sameOctets(other, of(1, 2)))
  }
})

test('numbers are in network order, both ways, up to the highest bit', () => {
  const octets = Buffer.from('00010203fffefdfc80000000', 'hex')
  for (let at = 0; at + 2 <= octets.length; at++) {
    assert.equal(uint16At(octets, at), octets.readUInt16BE(at))
    assert.deepEqual(uint16(uint16At(octets, at)), [...octets.subarray(at, at + 2)])
    if (at + 4 > octets.length) continue
    assert.equal(uint32At(octets, at), octets.readUInt32BE(at))
    assert.deepEqual(uint32(uint32At(octets, at)), [...octets.subarray(at, at + 4)])
  }
})

test('hex is that of Buffer, and what is no hex is refused', () => {
  const all = Uint8Array.from({ length: 256 }, (_, octet) => octet)
  const text = Buffer.from(all).toString('hex')
  assert.equal(toHex(all), text)
  assert.deepEqual(fromHex(text), all)
  assert.deepEqual(fromHex(text.toUpperCase()), all)
  assert.deepEqual(fromHex(''), NO_OCTETS)
  for (const wrong of ['0', '000', '0g', 'g0', '0x', ' 00 ', '00\n0', '-1', '00 00 ', 'zz00', '00zz'])
    assert.equal(fromHex(wrong), undefined, wrong)
})
