/** The clock of the machine. */
import assert from 'node:assert/strict'
import { mock, test } from 'node:test'
import { systemClock } from '../../src/node/system-clock.ts'

test('a timer fires once, after its time, unless it is cancelled', () => {
  mock.timers.enable({ apis: ['setTimeout'] })
  const fired: string[] = []
  systemClock.after(1_000, () => fired.push('kept'))
  const cancelled = systemClock.after(1_000, () => fired.push('cancelled'))
  mock.timers.tick(999)
  assert.deepEqual(fired, [])
  cancelled.cancel()
  cancelled.cancel()
  mock.timers.tick(5_000)
  assert.deepEqual(fired, ['kept'])
  mock.timers.reset()
})

test('a timer of more than 24 days does not fire at once, and can be cancelled on the way', () => {
  mock.timers.enable({ apis: ['setTimeout'] })
  const dayMs = 86_400_000
  let fired = 0
  systemClock.after(60 * dayMs, () => fired++)
  const cancelled = systemClock.after(60 * dayMs, () => fired++)
  for (let day = 0; day < 59; day++) mock.timers.tick(dayMs)
  assert.equal(fired, 0)
  cancelled.cancel()
  mock.timers.tick(2 * dayMs)
  assert.equal(fired, 1)
  mock.timers.reset()
})

test('monotonic time does not go back, and wall time is a date', () => {
  const first = systemClock.monotonicMs()
  assert.ok(systemClock.monotonicMs() >= first)
  assert.ok(Math.abs(systemClock.wallMs() - Date.now()) < 60_000)
})
