/** What the report of the benchmarks makes of its samples. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { estimate } from '../bench/report.ts'

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, index) => count - index)
}

test('a median comes with the interval that its order statistics allow', () => {
  assert.deepEqual(estimate(upTo(31)), { median: 16, low: 10, high: 22 })
  // Too few to leave any out.
  assert.deepEqual(estimate(upTo(5)), { median: 3, low: 1, high: 5 })
  assert.deepEqual(estimate([7]), { median: 7, low: 7, high: 7 })
})
