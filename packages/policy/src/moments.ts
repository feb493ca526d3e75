/**
 * Moments that stand for all others: between two of them no schedule of some begins or ends that does not do so at one of
 * them too. Knows no rule.
 */
import { DAY_MS, type Schedule } from './schedule.ts'

const MINUTE_MS = 60_000
const QUARTER_MINUTES = 15
const WEEK_QUARTERS = (7 * 1_440) / QUARTER_MINUTES

/**
 * A week from now, and wherever a calendar turns: between two turns the weeks are alike. Zones are quarters of an hour
 * apart, and change at one; so what begins or ends five minutes behind a quarter does so in every zone.
 */
export function momentsAround(schedules: readonly Schedule[], nowMs: number): readonly number[] {
  const minutes = schedules.flatMap(one => one.minutes ?? [])
  const behind = [...new Set([0, ...minutes.map(minute => minute % QUARTER_MINUTES)])]
  return [nowMs, ...turnsOf(schedules)].flatMap(start => {
    const first = Math.floor(start / MINUTE_MS / QUARTER_MINUTES)
    return behind.flatMap(more =>
      Array.from({ length: WEEK_QUARTERS }, (_, at) => ((first + at) * QUARTER_MINUTES + more) * MINUTE_MS),
    )
  })
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
