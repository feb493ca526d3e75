import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Pace } from '../../src/check/probe.ts'

test('no more connections are opened than the rate allows, also by many at once', async () => {
  const pace = new Pace(100)
  const startedMs = performance.now()
  await Promise.all(Array.from({ length: 11 }, () => pace.step()))
  // The first may go at once, each other one 10 ms after the one before; timers round to a millisecond.
  assert.ok(performance.now() - startedMs >= 98)
})
