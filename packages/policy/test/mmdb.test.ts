import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { concat } from '@socksmith/protocol'
import { openMmdb } from '../src/index.ts'
import { ip } from './policy-text.ts'

const text = (value: string): number[] => [0x40 | value.length, ...Buffer.from(value)]
const number = (value: number): number[] => [0xc2, value >> 8, value & 0xff]
const map = (entries: Readonly<Record<string, number[]>>): number[] => [
  0xe0 | Object.keys(entries).length,
  ...Object.entries(entries).flatMap(([key, value]) => [...text(key), ...value]),
]

const COUNTRY = map({ country: map({ iso_code: text('DE') }), autonomous_system_number: number(64_496) })

/** Five bits of 8.0.0.0; in a tree of IPv6 96 zero bits stand before them. */
const EIGHT = [0, 0, 0, 0, 1]

const three = (record: number): number[] => [(record >> 16) & 255, (record >> 8) & 255, record & 255]

interface Layout {
  /** The bits that lead to the record. */
  readonly path: readonly number[]
  /** Octets between the beginning of the data and the record. */
  readonly gap: number
}

/** A database in which 8.0.0.0/5 has a record, by records of 24, 28 or 32 bits; written by hand from the format's description. */
function database(
  bits: 24 | 28 | 32,
  family: 4 | 6,
  data: readonly number[] = COUNTRY,
  changed: Readonly<Record<string, number[]>> = {},
  { path = [...(family === 6 ? new Array<number>(96).fill(0) : []), ...EIGHT], gap = 0 }: Partial<Layout> = {},
): Uint8Array {
  const nodes = path.length
  const tree = path.flatMap((bit, index) => {
    const next = index === nodes - 1 ? nodes + 16 + gap : index + 1
    const [left, right] = bit === 0 ? ([next, nodes] as const) : ([nodes, next] as const)
    if (bits === 32) return [left >> 24, ...three(left), right >> 24, ...three(right)]
    if (bits === 24) return [...three(left), ...three(right)]
    return [...three(left), ((left >> 24) << 4) | (right >> 24), ...three(right)]
  })
  const metadata = map({ node_count: number(nodes), record_size: number(bits), ip_version: number(family), ...changed })
  const marker = [0xab, 0xcd, 0xef, ...Buffer.from('MaxMind.com')]
  return concat([Uint8Array.from(tree), new Uint8Array(16 + gap), Uint8Array.from([...data, ...marker, ...metadata])])
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

test('an IPv6 address has a record in a tree of IPv6 only, where IPv4 addresses are those behind 96 zero bits', () => {
  const records = ([4, 6] as const).map(family =>
    ['800::1', '::8.0.0.1', '::ffff:8.0.0.1'].map(
      address => openMmdb(database(24, family))?.lookup(ip(address)) !== undefined,
    ),
  )
  assert.deepEqual(records, [
    [false, false, false],
    [false, true, false],
  ])
  const ipv6Only = openMmdb(database(24, 6, COUNTRY, {}, { path: [0, 0, 1] }))
  assert.deepEqual(
    ['2000::1', '3fff::1', '4000::1', '32.0.0.1', '0.0.0.0'].map(
      address => ipv6Only?.lookup(ip(address)) !== undefined,
    ),
    [true, true, false, false, false],
  )
})

test('records beyond 16 MiB are found on both sides of a node', () => {
  for (const bits of [28, 32] as const) {
    for (const [last, address] of [
      [0, '0.0.0.1'],
      [1, '8.0.0.1'],
    ] as const) {
      const opened = openMmdb(database(bits, 4, text('DE'), {}, { path: [0, 0, 0, 0, last], gap: 0x1_000_000 }))
      assert.equal(opened?.lookup(ip(address)), 'DE', `${bits} ${last}`)
    }
  }
})

test('an address leads no further than where the tree ends, nor further than it has bits', () => {
  // Behind the tree stand zeros, which would lead to its first node again.
  const opened = openMmdb(database(24, 4))
  assert.equal(opened?.lookup(ip('16.64.0.0')), undefined)
  const deep = (levels: number): unknown =>
    openMmdb(database(24, 4, COUNTRY, {}, { path: new Array<number>(levels).fill(0) }))?.lookup(ip('0.0.0.0'))
  assert.notEqual(deep(32), undefined)
  assert.equal(deep(33), undefined)
  const circle = database(24, 4)
  circle.fill(0, 0, 6)
  assert.equal(openMmdb(circle)?.lookup(ip('8.8.8.8')), undefined)
})

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
  // The three bits beside the size belong to the shorter ones only.
  assert.deepEqual(at(0x0108, [0x3f, 0x00, 0x00, 0x01, 0x08]), ['far', 'end'])
})

function zeros(count: number): readonly number[] {
  return [0x1e, 4, (count - 285) >> 8, (count - 285) & 255, ...times(count, 0xa0)]
}

test('values that end too early, point in a circle, nest too deeply or hold too much are none', () => {
  assert.equal(valueOf(0x20, 0), undefined)
  assert.equal(valueOf(0xe1, 0x20, 0, 0xa0), undefined)
  assert.equal(valueOf(0x38, 0xff, 0xff, 0xff, 0xff), undefined)
  assert.equal(valueOf(0x5d, 0xff, 0x61), undefined)
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
  // Five nodes of six octets, sixteen zeros and the data: the separator of that many nodes has no room any more.
  const most = Math.floor((30 + COUNTRY.length) / 6)
  assert.deepEqual([opens({ node_count: number(most) }), opens({ node_count: number(most + 1) })], [true, false])
  assert.equal(opens({ node_count: text('5') }), false)
  assert.equal(opens({ record_size: text('24') }), false)
  const whole = database(24, 4)
  assert.equal(openMmdb(whole.slice(0, -1)), undefined)
  assert.equal(openMmdb(new Uint8Array([...whole, ...times(131_072, 0)])), undefined)
  assert.notEqual(openMmdb(new Uint8Array([...whole, ...times(100, 0)])), undefined)
})
