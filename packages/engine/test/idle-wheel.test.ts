/** The wheel of idle limits. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { IdleWheel, WHEEL_TICK_MS } from '../src/idle-wheel.ts'
import type { Idling } from '../src/idle-wheel.ts'
import { VirtualClock } from './virtual-clock.ts'

function thing(clock: VirtualClock, limitMs: number): Idling & { atMs: number; limitMs: number; endedAtMs: number[] } {
  return {
    atMs: clock.monotonicMs(),
    limitMs,
    endedAtMs: [],
    idleAtMs() {
      return this.atMs + this.limitMs
    },
    onIdle() {
      this.endedAtMs.push(clock.monotonicMs())
    },
  }
}

test('each thing ends once, never early and at most two ticks late, with one timer for all', async () => {
  const clock = new VirtualClock()
  await clock.advance(12_345)
  const wheel = new IdleWheel(clock)
  const things = Array.from({ length: 200 }, (_, i) => thing(clock, 1 + i * 37))
  for (const one of things) wheel.watch(one)
  assert.equal(clock.pending, 1)
  await clock.advance(10_000)
  for (const one of things) {
    assert.equal(one.endedAtMs.length, 1)
    const late = (one.endedAtMs[0] as number) - one.idleAtMs()
    assert.ok(late >= 0 && late <= 2 * WHEEL_TICK_MS, `late by ${late} ms`)
  }
  assert.equal(clock.pending, 0)
})

test('activity puts the end off; a shorter limit takes effect when it is watched again', async () => {
  const clock = new VirtualClock()
  const wheel = new IdleWheel(clock)
  const one = thing(clock, 10_000)
  wheel.watch(one)
  await clock.advance(9_000)
  one.atMs = clock.monotonicMs()
  await clock.advance(9_000)
  assert.deepEqual(one.endedAtMs, [])
  one.limitMs = 1_000
  one.atMs = clock.monotonicMs()
  wheel.watch(one)
  await clock.advance(1_500)
  assert.equal(one.endedAtMs.length, 1)
})

test('what is forgotten, or has no limit, never ends', async () => {
  const clock = new VirtualClock()
  const wheel = new IdleWheel(clock)
  const [forgotten, endless] = [thing(clock, 1_000), thing(clock, Infinity)]
  wheel.watch(endless)
  assert.equal(clock.pending, 0)
  wheel.watch(forgotten)
  wheel.forget(forgotten)
  wheel.forget(forgotten)
  await clock.advance(5_000)
  assert.deepEqual([forgotten.endedAtMs, endless.endedAtMs], [[], []])
  assert.equal(clock.pending, 0)
})

test('one that ends may end another of the same moment', async () => {
  const clock = new VirtualClock()
  const wheel = new IdleWheel(clock)
  const second = thing(clock, 1_000)
  const first = thing(clock, 1_000)
  first.onIdle = () => wheel.forget(second)
  wheel.watch(first)
  wheel.watch(second)
  await clock.advance(5_000)
  assert.deepEqual(second.endedAtMs, [])
})

test('a clock that jumps far ends everything that is due', () => {
  let nowMs = 0
  const waiting: (() => void)[] = []
  const after = (_ms: number, callback: () => void): { cancel(): void } => {
    waiting.push(callback)
    return { cancel() {} }
  }
  const wheel = new IdleWheel({ monotonicMs: () => nowMs, wallMs: () => 0, after })
  let ended = 0
  for (const limitMs of [1_000, 60_000, 3_600_000]) wheel.watch({ idleAtMs: () => limitMs, onIdle: () => void ended++ })
  nowMs = 86_400_000
  waiting[0]?.()
  assert.equal(ended, 3)
})
