/** What the benchmark of the servers says of a target, by the interval of the figure. Knows nothing of how that is won. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { atLeast, atMost } from '../../bench/demands.ts'

test('a target is met when the whole interval reaches it; else it is met or not within chance', () => {
  for (const [low, median, high, least, most] of [
    [1, 1.2, 1.4, 'met', 'not met, within chance'],
    [0.9, 1.1, 1.4, 'met, within chance', 'not met, within chance'],
    [0.8, 0.9, 1.1, 'not met, within chance', 'met, within chance'],
    [0.7, 0.8, 0.9, 'not met', 'met'],
    [1.1, 1.2, 1.3, 'met', 'not met'],
  ] as const) {
    const found = { low, median, high }
    assert.equal(atLeast('', 1, found).met, least, `at least: ${median}`)
    assert.equal(atMost('', 1, found).met, most, `at most: ${median}`)
  }
})

test('a figure that was read once is met or not, and one that was not measured says nothing', () => {
  assert.equal(atMost('', 1, 1).met, 'met')
  assert.equal(atMost('', 1, 1.1).met, 'not met')
  assert.equal(atMost('', 1, undefined).met, undefined)
  assert.equal(atLeast('', 1, undefined).met, undefined)
})
