/** Numbers with their units, both ways. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BANDWIDTH_UNITS, DURATION_UNITS, SIZE_UNITS, formatQuantity, parseQuantity } from '../src/quantity.ts'

function ms(text: string | number): number | undefined {
  return parseQuantity(text, DURATION_UNITS, 86_400_000)
}

test('a quantity is a number and its unit, whole and not too large', () => {
  assert.deepEqual(
    ['30s', '1.5h', '1.25h', '2 m', '0', '0s', '1d', '500ms'].map(ms),
    [30_000, 5_400_000, 4_500_000, 120_000, 0, 0, 86_400_000, 500],
  )
  assert.equal(ms(0), 0)
  for (const text of [
    '30',
    '1.5ms',
    '2d',
    '86400001ms',
    '-1s',
    '1 s ',
    ' 1s',
    '1  s',
    '1.s',
    '.5s',
    's',
    '',
    '1S',
    '1toString',
    'x1s',
    '1s1',
  ])
    assert.equal(ms(text), undefined, text)
})

test('every unit is worth what its name says', () => {
  assert.deepEqual(
    ['1ms', '1s', '1m', '1h', '1d'].map(text => parseQuantity(text, DURATION_UNITS, Infinity)),
    [1, 1_000, 60_000, 3_600_000, 86_400_000],
  )
  assert.deepEqual(
    ['1B', '1KiB', '1MiB', '1GiB', '1TiB'].map(text => parseQuantity(text, SIZE_UNITS, Infinity)),
    [0, 1, 2, 3, 4].map(power => 1_024 ** power),
  )
  assert.deepEqual(
    ['8bit/s', '1kbit/s', '1Mbit/s', '1Gbit/s', '1B/s', '1KiB/s', '1MiB/s', '1GiB/s'].map(text =>
      parseQuantity(text, BANDWIDTH_UNITS, Infinity),
    ),
    [1, 125, 125_000, 125_000_000, 1, 1_024, 1_048_576, 1_073_741_824],
  )
})

test('a quantity is written in the largest unit that is exact', () => {
  const shown = [0, 1, 999, 90_000, 120_000, 7_200_000, 86_400_000].map(ms => formatQuantity(ms, DURATION_UNITS))
  assert.deepEqual(shown, ['0', '1ms', '999ms', '90s', '2m', '2h', '1d'])
  assert.equal(formatQuantity(7, { ten: 10 }), '7')
})
