import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TIMING } from '@socksmith/instruments'
import { atDistance } from '../../src/check/timing.ts'

test('of a server far away nothing is waited for at least as long as its answer would take', () => {
  const satelliteMs = 600
  const timing = atDistance(TIMING, satelliteMs)
  assert.equal(timing.quietMs, TIMING.quietMs + 2 * satelliteMs)
  assert.deepEqual({ ...timing, quietMs: TIMING.quietMs }, TIMING)
})
