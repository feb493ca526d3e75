/** Times in rules at their edges: the minute, the day, the zone, and what is no time. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Schedule, isWithin, isZone, parseSchedule, wallClock } from '../src/schedule.ts'

function scheduleOf(text: string): Schedule {
  return parseSchedule(text, 'UTC') ?? assert.fail(text)
}

/** Of November 2026, in UTC; the 16th is a Monday. */
function at(day: number, hour: number, minute = 0): number {
  return Date.UTC(2026, 10, day, hour, minute)
}

function within(text: string, ms: number): boolean {
  return isWithin(scheduleOf(text), ms)
}

test('a stretch of the day begins at its first minute and ends before its last', () => {
  assert.deepEqual(
    [at(16, 7, 59), at(16, 8), at(16, 17, 59), at(16, 18)].map(ms => within('08:00-18:00', ms)),
    [false, true, true, false],
  )
  assert.equal(isWithin(scheduleOf('08:00-18:00'), at(16, 17, 59) + 59_999), true)
  assert.deepEqual(
    [at(16, 8, 29), at(16, 8, 30), at(16, 17, 44), at(16, 17, 45)].map(ms => within('08:30-17:45', ms)),
    [false, true, true, false],
  )
  assert.deepEqual(
    [at(16, 0), at(16, 23, 59)].map(ms => within('00:00-24:00', ms)),
    [true, true],
  )
})

test('a stretch over midnight belongs to the day on which it begins', () => {
  const text = 'Mon 22:00-06:00'
  assert.deepEqual(
    [at(16, 21, 59), at(16, 22), at(17, 5, 59), at(17, 6), at(16, 3), at(17, 22)].map(ms => within(text, ms)),
    [false, true, true, false, false, false],
  )
})

test('days are lists and ranges, which may go over the end of the week', () => {
  const daysOf = (text: string): readonly number[] => [...(scheduleOf(text).weekdays ?? [])].toSorted((a, b) => a - b)
  assert.deepEqual(daysOf('Mon-Fri'), [1, 2, 3, 4, 5])
  assert.deepEqual(daysOf('fri-MON'), [0, 1, 5, 6])
  assert.deepEqual(daysOf('Mon,Wed,Sat-Sun'), [0, 1, 3, 6])
  assert.deepEqual(daysOf('Tue-Tue'), [2])
  assert.deepEqual(
    Array.from({ length: 7 }, (_, day) => within('Mon,Sun', at(16 + day, 12))),
    [true, false, false, false, false, false, true],
  )
  assert.equal(isWithin(scheduleOf('Wed'), Date.UTC(1969, 11, 31, 12)), true)
})

test('dates are from the first to the last day, or open at one end', () => {
  assert.deepEqual(
    [at(9, 23, 59), at(10, 0), at(12, 23, 59), at(13, 0)].map(ms => within('2026-11-10..2026-11-12', ms)),
    [false, true, true, false],
  )
  assert.deepEqual([within('2026-11-10..', at(9, 0)), within('2026-11-10..', at(28, 0))], [false, true])
  assert.deepEqual([within('..2026-11-10', at(10, 23)), within('..2026-11-10', at(11, 0))], [true, false])
  assert.equal(within('2026-11-10..2026-11-10', at(10, 12)), true)
  assert.equal(parseSchedule('2024-02-29..2024-02-29', 'UTC') !== undefined, true)
})

test('all parts together, each once, in their order, and the zone of the policy where none is named', () => {
  const all = scheduleOf(' 2026-11-01..2026-11-30  Mon-Fri 08:00-18:00 Europe/Berlin ')
  assert.deepEqual([all.zone, all.minutes], ['Europe/Berlin', [480, 1_080]])
  assert.equal(isWithin(all, at(16, 7)), true)
  assert.equal(isWithin(all, at(16, 17)), false)
  assert.equal(isWithin(all, at(21, 12)), false)
  assert.equal(parseSchedule('08:00-18:00', 'Asia/Tokyo')?.zone, 'Asia/Tokyo')
  assert.deepEqual(Object.keys(scheduleOf('Mon')), ['zone', 'text', 'weekdays'])
})

test('what is no time', () => {
  for (const text of [
    '',
    'Mon Mon',
    '08:00-18:00 Mon',
    'Mon 2026-01-01..',
    'UTC UTC',
    'Mo',
    'Mon-',
    '-Mon',
    'Mon-Tue-Wed',
    'Mon,,Tue',
    '8:00-18:00',
    '08:00-18:0',
    '08:00',
    '08:60-18:00',
    '08:00-18:60',
    '24:00-08:00',
    '25:00-26:00',
    '08:00-24:01',
    '08:00-08:00',
    'x08:00-18:00',
    '08:00-18:00x',
    '..',
    '2026-01-01',
    '2026-01-01..2026-01-02..2026-01-03',
    '2026-01-02..2026-01-01',
    '2026-02-30..',
    '2026-13-01..',
    '2026-00-01..',
    '2026-01-32..',
    '26-01-01..',
    '2026-1-01..',
    '2026-01-1..',
    'x2026-01-01..',
    '..2026-01-01x',
    'Mars/Olympus',
  ])
    assert.equal(parseSchedule(text, 'UTC'), undefined, text)
})

test('the clock of a zone, with its summer time, its half hours and its midnight', () => {
  const day = Date.UTC(2026, 10, 16) / 86_400_000
  assert.deepEqual(wallClock('UTC', at(16, 0)), { day, minute: 0 })
  assert.deepEqual(wallClock('Europe/Berlin', at(16, 23, 30)), { day: day + 1, minute: 30 })
  assert.deepEqual(wallClock('Asia/Kolkata', at(16, 0)), { day, minute: 330 })
  assert.deepEqual(wallClock('America/New_York', at(16, 0)), { day: day - 1, minute: 19 * 60 })
  assert.equal(wallClock('Europe/Berlin', Date.UTC(2026, 6, 1, 12)).minute, 14 * 60)
  assert.deepEqual([isZone('Europe/Berlin'), isZone('UTC'), isZone('Mars'), isZone('')], [true, true, false, false])
})
