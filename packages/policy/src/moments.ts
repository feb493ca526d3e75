/**
 * Moments that stand for all others: between two of them no schedule of some begins or ends that does not do so at one of
 * them too. Knows no rule.
 */
import { DAY_MS, type Schedule, wallClock } from './schedule.ts'

const MINUTE_MS = 60_000
const QUARTER_MINUTES = 15
const WEEK_DAYS = 7
const DAY_MINUTES = 1_440
const WEEK_QUARTERS = (WEEK_DAYS * DAY_MINUTES) / QUARTER_MINUTES
const YEAR_DAYS = 366

/**
 * A week from now, one of each season, and wherever a calendar turns: between two turns the weeks are alike. Zones are quarters of an hour
 * apart, and change at one; so what begins or ends five minutes behind a quarter does so in every zone.
 */
export function momentsAround(schedules: readonly Schedule[], nowMs: number): readonly number[] {
  const minutes = schedules.flatMap(one => one.minutes ?? [])
  const behind = [...new Set([0, ...minutes.map(minute => minute % QUARTER_MINUTES)])]
  return [...seasonsOf(schedules, nowMs), ...turnsOf(schedules)].flatMap(start => {
    const first = Math.floor(start / MINUTE_MS / QUARTER_MINUTES)
    return behind.flatMap(more =>
      Array.from({ length: WEEK_QUARTERS }, (_, at) => ((first + at) * QUARTER_MINUTES + more) * MINUTE_MS),
    )
  })
}

/** The begin of a week for each way in which the clocks of the zones stand to each other within a year; the first is now. */
function seasonsOf(schedules: readonly Schedule[], nowMs: number): readonly number[] {
  const [first, ...others] = new Set(schedules.map(({ zone }) => zone))
  if (first === undefined) return [nowMs]
  const seasons = new Map<string, number>()
  for (let day = 0; day < YEAR_DAYS; day += WEEK_DAYS) {
    const atMs = nowMs + day * DAY_MS
    const here = minutesOf(first, atMs)
    const key = others.map(zone => minutesOf(zone, atMs) - here).join()
    if (!seasons.has(key)) seasons.set(key, atMs)
  }
  return [...seasons.values()]
}

function minutesOf(zone: string, atMs: number): number {
  const { day, minute } = wallClock(zone, atMs)
  return day * DAY_MINUTES + minute
}

function turnsOf(schedules: readonly Schedule[]): readonly number[] {
  const turns = schedules.flatMap(({ days }) => (days === undefined ? [] : [days[0], days[1] + 1]))
  const known = turns.filter(day => Number.isFinite(day))
  const first = Math.min(...known)
  // Zones are up to a day apart.
  const days = Number.isFinite(first)
    ? [first - 8, ...known, ...known.map(day => day + 1), ...known.map(day => day - 1)]
    : []
  return days.map(day => day * DAY_MS)
}
