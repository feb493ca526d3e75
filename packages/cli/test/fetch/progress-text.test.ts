import assert from 'node:assert/strict'
import { test } from 'node:test'
import { progressText } from '../../src/fetch/progress-text.ts'

const MIB = 1_048_576

test('the line says how much, how fast and how long', () => {
  const half = { octets: 10 * MIB, total: 20 * MIB, before: 0, elapsedMs: 2_000 }
  assert.equal(progressText(half), ' 50% ############............  10 MiB of 20 MiB  5 MiB/s  2 s left')
  const whole = { ...half, octets: 20 * MIB }
  assert.equal(progressText(whole), '100% ########################  20 MiB of 20 MiB  10 MiB/s')
})

test('what was there before says nothing about the pace', () => {
  const line = progressText({ octets: 10 * MIB, total: 20 * MIB, before: 9 * MIB, elapsedMs: 1_000 })
  assert.match(line, / 1 MiB\/s {2}10 s left$/)
})

test('an unknown length, the very beginning and a wrong length are no trouble', () => {
  assert.equal(progressText({ octets: 512, before: 0, elapsedMs: 1_000 }), '512 B  512 B/s')
  assert.equal(progressText({ octets: 0, total: 0, before: 0, elapsedMs: 0 }), '0 B of 0 B  0 B/s')
  assert.match(progressText({ octets: 5, total: 4, before: 0, elapsedMs: 9 }), /^100% #{24} /)
  assert.match(progressText({ octets: 1, total: MIB, before: 0, elapsedMs: 100_000 }), /h .* min left$/)
})
