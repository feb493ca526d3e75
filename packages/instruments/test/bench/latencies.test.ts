import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { Latencies } from '../../src/bench/latencies.ts'

const SHARES = [0.001, 0.5, 0.9, 0.99, 0.999, 1]
/** Half a bucket, and half of the unit in which times are kept. */
const RELATIVE_ERROR = 0.01
const SMALLEST_MS = 0.000_1

test('every percentile is true to one in a hundred, against the sorted times themselves', () => {
  const times = fc.array(
    fc.oneof(fc.double({ min: 0, max: 1, noNaN: true }), fc.double({ min: 0, max: 300_000, noNaN: true })),
    {
      minLength: 1,
      maxLength: 300,
    },
  )
  fc.assert(
    fc.property(times, list => {
      const latencies = new Latencies()
      for (const ms of list) latencies.record(ms)
      const sorted = list.toSorted((a, b) => a - b)
      for (const share of SHARES) {
        const exact = sorted[Math.ceil(share * sorted.length) - 1] as number
        const told = latencies.percentile(share)
        assert.ok(Math.abs(told - exact) <= exact * RELATIVE_ERROR + SMALLEST_MS, `${share}: ${told}, not ${exact}`)
      }
      assert.equal(latencies.percentiles().max, sorted.at(-1))
      assert.equal(latencies.count, list.length)
    }),
  )
})

test('no percentile is above the greatest time, and none of nothing is anything', () => {
  const latencies = new Latencies()
  assert.deepEqual(latencies.percentiles(), { p50: 0, p90: 0, p99: 0, p999: 0, max: 0 })
  latencies.record(123.456)
  assert.ok(latencies.percentile(1) <= 123.456)
})

test('a time beyond all bounds counts as the longest', () => {
  const latencies = new Latencies()
  for (const ms of [-1, 0, 1e12]) latencies.record(ms)
  assert.equal(latencies.count, 3)
  assert.equal(latencies.percentile(0.3), 0)
  assert.ok(latencies.percentile(1) > 400_000)
})
