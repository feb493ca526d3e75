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

const COUNTRY = map({ country: map({ iso_code: text('DE') }), autonomous_system_number: number(64_496) })

/** A database in which 8.0.0.0/5 has a record, by records of 24, 28 or 32 bits; written by hand from the format's description. */
function database(
  bits: 24 | 28 | 32,
  family: 4 | 6,
  data: readonly number[] = COUNTRY,
  changed: Readonly<Record<string, number[]>> = {},
): Uint8Array {
  // Five bits of 8.0.0.0 are 00001; in a tree of IPv6 96 zero bits stand before them.
  const path = [...(family === 6 ? new Array<number>(96).fill(0) : []), 0, 0, 0, 0, 1]
  const nodes = path.length
  const tree = path.flatMap((bit, index) => {
    const next = index === nodes - 1 ? nodes + 16 : index + 1
    const [left, right] = bit === 0 ? [next, nodes] : [nodes, next]
    if (bits === 32)
      return [0, left >> 16, (left >> 8) & 255, left & 255, 0, right >> 16, (right >> 8) & 255, right & 255]
    if (bits === 24) return [left >> 16, (left >> 8) & 255, left & 255, right >> 16, (right >> 8) & 255, right & 255]
    return [(left >> 16) & 255, (left >> 8) & 255, left & 255, 0, (right >> 16) & 255, (right >> 8) & 255, right & 255]
  })
  const metadata = map({ node_count: number(nodes), record_size: number(bits), ip_version: number(family), ...changed })
  const marker = [0xab, 0xcd, 0xef, ...Buffer.from('MaxMind.com')]
  return Uint8Array.from([...tree, ...new Array<number>(16).fill(0), ...data, ...marker, ...metadata])
}

for (const bits of [24, 28, 32] as const) {
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

/** What is read of these octets, at their beginning. */
function valueOf(...data: readonly number[]): unknown {
  return valueIn(data)
}

function valueIn(data: readonly number[]): unknown {
  return openMmdb(database(24, 4, data))?.lookup(ip('8.8.8.8'))
}

const times = (count: number, octet = 0x61): number[] => new Array<number>(count).fill(octet)

test('values have the types of the format', () => {
  assert.equal(valueOf(...text('DE')), 'DE')
  assert.equal(valueOf(0x40), '')
  assert.equal(valueOf(0xa1, 7), 7)
  assert.equal(valueOf(0xa0), 0)
  assert.equal(valueOf(0xc4, 0xff, 0xff, 0xff, 0xff), 0xffff_ffff)
  assert.equal(valueOf(0x02, 2, 1, 0), 256)
  assert.equal(valueOf(0x05, 2, 1, 0, 0, 0, 0), undefined)
  assert.equal(valueOf(0x01, 7), true)
  assert.equal(valueOf(0x00, 7), false)
  assert.deepEqual(valueOf(0x02, 4, ...text('a'), 0xa1, 7), ['a', 7])
  assert.deepEqual(valueOf(0x00, 4), [])
  assert.deepEqual(valueOf(0xe0), {})
  assert.deepEqual(valueOf(...map({ a: [0x01, 7], b: [0xa1, 1] })), { a: true, b: 1 })
  // A double, an int32, octets: nothing that rules look at.
  assert.equal(valueOf(0x68, ...times(8)), undefined)
  assert.equal(valueOf(0x04, 1, 0, 0, 0, 1), undefined)
  assert.equal(valueOf(0x81, 1), undefined)
})

/** A list of this text and another: what stands behind is read only when the size was. */
function list(...size: readonly number[]): (text: readonly number[]) => unknown {
  return long => valueIn([0x02, 4, ...size, ...long, ...text('end')])
}

test('sizes above 28 stand in the octets behind, of which long texts give their beginning', () => {
  assert.deepEqual(list(0x5c)(times(28)), ['a'.repeat(28), 'end'])
  assert.deepEqual(list(0x5d, 0)(times(29)), ['a'.repeat(29), 'end'])
  assert.deepEqual(list(0x5d, 35)(times(64)), ['a'.repeat(64), 'end'])
  assert.deepEqual(list(0x5d, 36)(times(65)), ['a'.repeat(64), 'end'])
  assert.deepEqual(list(0x5e, 0, 1)(times(286)), ['a'.repeat(64), 'end'])
  assert.deepEqual(list(0x5f, 0, 0, 2)(times(65_823)), ['a'.repeat(64), 'end'])
})

test('a pointer counts from the beginning of the data, in each of its four sizes', () => {
  const at = (offset: number, pointer: readonly number[]): unknown =>
    valueIn([0x02, 4, ...pointer, ...text('end'), ...times(offset - 6 - pointer.length, 0), ...text('far')])
  const short = valueOf(0x02, 4, 0x20, 8, ...text('end'), ...text('far'))
  assert.deepEqual(short, ['far', 'end'])
  assert.deepEqual(at(0x0108, [0x21, 0x08]), ['far', 'end'])
  assert.deepEqual(at(2_048 + 256, [0x28, 0x01, 0x00]), ['far', 'end'])
  assert.deepEqual(at(2_048 + 65_536, [0x29, 0x00, 0x00]), ['far', 'end'])
  assert.deepEqual(at(526_336 + 256, [0x30, 0x00, 0x01, 0x00]), ['far', 'end'])
  assert.deepEqual(at(0x0108, [0x38, 0x00, 0x00, 0x01, 0x08]), ['far', 'end'])
})

function zeros(count: number): readonly number[] {
  return [0x1e, 4, (count - 285) >> 8, (count - 285) & 255, ...times(count, 0xa0)]
}

test('values that end too early, point in a circle, nest too deeply or hold too much are none', () => {
  assert.equal(valueOf(0x20, 0), undefined)
  const nested = (depth: number): number[] => (depth === 0 ? [0xa0] : [0x01, 4, ...nested(depth - 1)])
  assert.notEqual(valueOf(...nested(32)), undefined)
  assert.equal(valueOf(...nested(33)), undefined)
  assert.equal((valueIn(zeros(10_000)) as unknown[]).length, 10_000)
  assert.equal(valueIn(zeros(10_001)), undefined)
})

test('a database that does not fit its own description is none', () => {
  const opens = (changed: Readonly<Record<string, number[]>>): boolean =>
    openMmdb(database(24, 4, COUNTRY, changed)) !== undefined
  assert.equal(opens({}), true)
  assert.equal(opens({ record_size: number(20) }), false)
  assert.equal(opens({ ip_version: number(5) }), false)
  assert.equal(opens({ node_count: number(1_000) }), false)
  assert.equal(opens({ node_count: text('5') }), false)
  assert.equal(opens({ record_size: text('24') }), false)
  const whole = database(24, 4)
  assert.equal(openMmdb(whole.slice(0, -1)), undefined)
  assert.equal(openMmdb(new Uint8Array([...whole, ...times(131_072, 0)])), undefined)
  assert.notEqual(openMmdb(new Uint8Array([...whole, ...times(100, 0)])), undefined)
})
