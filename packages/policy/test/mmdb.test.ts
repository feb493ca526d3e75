import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { openMmdb } from '../src/index.ts'
import { ip } from './policy-text.ts'

const text = (value: string): number[] => [0x40 | value.length, ...Buffer.from(value)]
const number = (value: number): number[] => [0xc2, value >> 8, value & 0xff]
const map = (entries: Readonly<Record<string, number[]>>): number[] => [
  0xe0 | Object.keys(entries).length,
  ...Object.entries(entries).flatMap(([key, value]) => [...text(key), ...value]),
]

/** A database in which 8.0.0.0/5 has a record, by records of 24 or 28 bits; written by hand from the format's description. */
function database(bits: 24 | 28, family: 4 | 6): Uint8Array {
  const country = map({ country: map({ iso_code: text('DE') }), autonomous_system_number: number(64_496) })
  // Five bits of 8.0.0.0 are 00001; in a tree of IPv6 96 zero bits stand before them.
  const path = [...(family === 6 ? new Array<number>(96).fill(0) : []), 0, 0, 0, 0, 1]
  const nodes = path.length
  const tree = path.flatMap((bit, index) => {
    const next = index === nodes - 1 ? nodes + 16 : index + 1
    const [left, right] = bit === 0 ? [next, nodes] : [nodes, next]
    if (bits === 24) return [left >> 16, (left >> 8) & 255, left & 255, right >> 16, (right >> 8) & 255, right & 255]
    return [(left >> 16) & 255, (left >> 8) & 255, left & 255, 0, (right >> 16) & 255, (right >> 8) & 255, right & 255]
  })
  const metadata = map({ node_count: number(nodes), record_size: number(bits), ip_version: number(family) })
  const marker = [0xab, 0xcd, 0xef, ...Buffer.from('MaxMind.com')]
  return Uint8Array.from([...tree, ...new Array<number>(16).fill(0), ...country, ...marker, ...metadata])
}

for (const bits of [24, 28] as const) {
  for (const family of [4, 6] as const) {
    test(`a tree of IPv${family} with records of ${bits} bits is read`, () => {
      const opened = openMmdb(database(bits, family))
      const expected = { country: { iso_code: 'DE' }, autonomous_system_number: 64_496 }
      for (const address of ['8.0.0.0', '15.255.255.255'])
        assert.deepEqual(opened?.lookup(ip(address)), expected, address)
      for (const address of ['7.255.255.255', '16.0.0.0', '2001:db8::1'])
        assert.equal(opened?.lookup(ip(address)), undefined)
    })
  }
}

test('octets that are no database are refused, and damage never throws', () => {
  assert.equal(openMmdb(new Uint8Array(100)), undefined)
  const whole = database(28, 6)
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { maxLength: 6 }),
      fc.nat(whole.length),
      (faults, end) => {
        const damaged = whole.slice(0, end === 0 ? whole.length : end)
        for (const [at, octet] of faults) damaged[at % Math.max(1, damaged.length)] = octet
        openMmdb(damaged)?.lookup(ip('8.8.8.8'))
      },
    ),
    { numRuns: 2_000 },
  )
})
