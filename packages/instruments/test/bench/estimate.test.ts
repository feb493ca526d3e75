import assert from 'node:assert/strict'
import { test } from 'node:test'
import { estimate, estimateText, median } from '../../src/bench/estimate.ts'

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, index) => count - index)
}

test('the median of an even number is between the two in the middle', () => {
  assert.equal(median([4, 1, 3, 2]), 2.5)
  assert.equal(median([7]), 7)
  assert.equal(median([]), 0)
})

test('a median comes with the interval that its order statistics allow', () => {
  assert.deepEqual(estimate(upTo(31)), { median: 16, low: 10, high: 22 })
  // Too few to leave any out.
  assert.deepEqual(estimate(upTo(5)), { median: 3, low: 1, high: 5 })
  assert.deepEqual(estimate([7]), { median: 7, low: 7, high: 7 })
  assert.equal(estimateText(estimate([0.5, 1, 1.25])), '1.00 (0.50 to 1.25)')
})
