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
  const { day, minute } = wallClock(period.zone, nowMs)
  const begins = beginsAround(period, day)
  const last = begins.findLastIndex(one => one < day || (one === day && period.minute <= minute))
  const [startMs, endMs] = [begins[last], begins[last + 1]].map(one => instantAt(period, one ?? day))
  return { startMs: startMs ?? nowMs, endMs: endMs ?? nowMs }
}

/** Days on which it begins: at least one before `day`, and at least one behind it. */
function beginsAround(period: Period, day: number): readonly number[] {
  switch (period.every) {
    case 'day':
      return [day - 1, day, day + 1]
    case 'week': {
      // 1 January 1970 was a Thursday.
      const since = (((day + 4 - period.weekday) % 7) + 7) % 7
      return [day - since - 7, day - since, day - since + 7]
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

/** When the zone's clock shows that minute; one that summer time leaves out is the first one behind the gap. */
function instantAt({ zone, minute }: Period, day: number): number {
  const wanted = day * DAY_MINUTES + minute
  const shownAt = (ms: number): number => {
    const { day: shownDay, minute: shownMinute } = wallClock(zone, ms)
    return shownDay * DAY_MINUTES + shownMinute
  }
  let ms = wanted * 60_000
  for (let step = 0; step < 2; step++) ms += (wanted - shownAt(ms)) * 60_000
  const off = wanted - shownAt(ms)
  return off > 0 ? ms + off * 60_000 : ms
}
