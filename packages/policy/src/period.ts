/** The day, week or month of a quota that a moment lies in. Knows no clock: the moment is an argument. */
import type { Period } from './limit.ts'
import { DAY_MS, wallClock } from './schedule.ts'

const DAY_MINUTES = 1_440

/** Milliseconds since 1970 of its begin, and of the next one's. */
export interface Stretch {
  readonly startMs: number
  readonly endMs: number
}

/** The stretch of the period in which `nowMs` lies. */
export function stretchAt(period: Period, nowMs: number): Stretch {
  const { day } = wallClock(period.zone, nowMs)
  const begins = beginsAround(period, day).map(one => instantAt(period, one))
  const last = begins.findLastIndex(ms => ms <= nowMs)
  return { startMs: begins[last] ?? nowMs, endMs: begins[last + 1] ?? nowMs }
}

/** Days on which it begins: at least one before `day`, and at least one behind it. */
function beginsAround(period: Period, day: number): readonly number[] {
  switch (period.every) {
    case 'day':
      return [day - 1, day, day + 1]
    case 'week': {
      // 1 January 1970 was a Thursday.
      const since = (day + 4 - period.weekday) % 7
      return [-7, 0, 7].map(days => day - since + days)
    }
    case 'month': {
      const date = new Date(day * DAY_MS)
      return [-1, 0, 1].map(months => dayInMonth(date.getUTCFullYear(), date.getUTCMonth() + months, period.day))
    }
  }
}

function dayInMonth(year: number, month: number, day: number): number {
  const length = new Date(Date.UTC(year, month + 1, 0)).getUTCDate()
  return Date.UTC(year, month, Math.min(day, length)) / DAY_MS
}

/**
 * When the zone's clock shows that minute for the first time. One that summer time leaves out is as much later as the
 * clock goes forward.
 */
function instantAt({ zone, minute }: Period, day: number): number {
  const wanted = day * DAY_MINUTES + minute
  const aheadAt = (minutes: number): number => {
    const shown = wallClock(zone, minutes * 60_000)
    return shown.day * DAY_MINUTES + shown.minute - minutes
  }
  // As far ahead of UTC as the day before; or, where that has changed since, as it is now.
  const usual = wanted - aheadAt(wanted - DAY_MINUTES)
  const changed = wanted - aheadAt(usual)
  return (changed + aheadAt(changed) === wanted ? changed : usual) * 60_000
}
