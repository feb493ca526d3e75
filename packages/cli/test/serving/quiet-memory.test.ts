import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Crowd } from '../../src/serving/quiet-memory.ts'

/** The looks, counted from 1, that found that a crowd has left. */
function looksThatTell(sessions: readonly number[]): readonly number[] {
  const crowd = new Crowd()
  return sessions.flatMap((count, index) => (crowd.hasLeft(count) ? [index + 1] : []))
}

const times = (count: number, sessions: number): readonly number[] => Array.from({ length: count }, () => sessions)

test('a crowd has left when a quarter of it at most was there ten times in a row, and that is told once', () => {
  assert.deepEqual(looksThatTell([0, 1_000, ...times(30, 250)]), [12])
  assert.deepEqual(looksThatTell([0, 1_000, ...times(30, 251)]), [])
  assert.deepEqual(looksThatTell([256, ...times(20, 0), 256, ...times(20, 64)]), [11, 32])
})

test('a crowd that comes and goes keeps what it needs', () => {
  assert.deepEqual(looksThatTell(Array.from({ length: 10 }, () => [500, ...times(9, 10)]).flat()), [])
})

test('a few that leave are no crowd', () => {
  assert.deepEqual(looksThatTell([255, ...times(30, 0)]), [])
})
