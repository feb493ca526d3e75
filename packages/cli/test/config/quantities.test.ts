import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assert as always, nat, property } from 'fast-check'
import { formatDuration, formatSize, parseDuration, parsePortRange, parseSize } from '../../src/config/quantities.ts'

test('durations are read with their unit, and refused without', () => {
  for (const [text, ms] of [
    ['500ms', 500],
    ['30s', 30_000],
    ['1.5m', 90_000],
    ['2 h', 7_200_000],
    ['1d', 86_400_000],
    ['0', 0],
    [0, 0],
    ['0s', 0],
    [30, undefined],
    ['30', undefined],
    ['-1s', undefined],
    ['1 week', undefined],
    ['1e3s', undefined],
    ['', undefined],
    ['0.0001s', undefined],
    ['400d', undefined],
    ['1constructor', undefined],
  ] as const) {
    assert.equal(parseDuration(text), ms, String(text))
  }
})

test('sizes are binary, with their unit', () => {
  for (const [text, octets] of [
    ['64KiB', 65_536],
    ['512B', 512],
    ['1.5MiB', 1_572_864],
    ['64kb', undefined],
    ['64', undefined],
    [0, 0],
  ] as const) {
    assert.equal(parseSize(text), octets, String(text))
  }
})

test('what is formatted is read as the same', () => {
  always(property(nat(86_400_000), ms => parseDuration(formatDuration(ms)) === ms))
  always(property(nat(), octets => parseSize(formatSize(octets)) === octets))
  assert.equal(formatDuration(120_000), '2m')
  assert.equal(formatDuration(90_000), '90s')
})

test('a port range has two ends in order', () => {
  assert.deepEqual(parsePortRange('40000-40100'), { first: 40_000, last: 40_100 })
  assert.deepEqual(parsePortRange(1080), { first: 1080, last: 1080 })
  for (const text of ['9-3', '0', '1-65536', '1-', 'a', '01']) assert.equal(parsePortRange(text), undefined, text)
})
