/**
 * Times in rules: `[DATE..DATE] [DAYS] [HH:MM-HH:MM] [ZONE]`, each part optional. The wall clock of the zone counts, with
 * its summer time. Knows no clock: the moment is an argument.
 */

/** One stretch of the week or the calendar. Minutes are counted from midnight. */
export interface Schedule {
  readonly zone: string
  /** Whole days since 1970, first and last. */
  readonly days?: readonly [first: number, last: number]
  /** Sunday is 0. */
  readonly weekdays?: ReadonlySet<number>
  /** From, and until but not including; `until` at or before `from` is on the next day. */
  readonly minutes?: readonly [from: number, until: number]
  readonly text: string
}

export const DAY_NAMES: readonly string[] = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat']
export const DAY_MS = 86_400_000
const DAY_MINUTES = 1_440

/** The schedule that the text writes; `undefined` when it is none. `zone` is for a text without one. */
export function parseSchedule(text: string, zone: string): Schedule | undefined {
  let days: Schedule['days'] | undefined
  let weekdays: Schedule['weekdays'] | undefined
  let minutes: Schedule['minutes'] | undefined
  let named = zone
  // Each part may stand once, in this order.
  const parts: readonly ((word: string) => boolean)[] = [
    word => (days = parseDays(word)) !== undefined,
    word => (weekdays = parseWeekdays(word)) !== undefined,
    word => (minutes = parseMinutes(word)) !== undefined,
    word => isZone((named = word)),
  ]
  let part = 0
  for (const word of text.trim().split(/\s+/)) {
    while (part < parts.length && parts[part]?.(word) !== true) part++
    if (part++ >= parts.length) return undefined
  }
  return { zone: named, text, ...(days && { days }), ...(weekdays && { weekdays }), ...(minutes && { minutes }) }
}

/** Whether this runtime knows the zone: `Europe/Berlin`, `UTC`. */
export function isZone(zone: string): boolean {
  try {
    return new Intl.DateTimeFormat('en-US', { timeZone: zone }).resolvedOptions().timeZone !== ''
  } catch {
    // The only way to ask: an unknown zone throws a RangeError.
    return false
  }
}

/** Whether the moment lies in the schedule. It can only change at a full minute. */
export function isWithin(schedule: Schedule, nowMs: number): boolean {
  const { day, minute } = wallClock(schedule.zone, nowMs)
  const { minutes } = schedule
  if (minutes === undefined) return isDay(schedule, day)
  const [from, until] = minutes
  if (from < until) return minute >= from && minute < until && isDay(schedule, day)
  return (minute >= from && isDay(schedule, day)) || (minute < until && isDay(schedule, day - 1))
}

function isDay({ days, weekdays }: Schedule, day: number): boolean {
  if (days !== undefined && (day < days[0] || day > days[1])) return false
  // 1 January 1970 was a Thursday.
  return weekdays === undefined || weekdays.has((((day + 4) % 7) + 7) % 7)
}

/** Formatters are costly to make; there are as many as zones in the rules. */
const FORMATTERS = new Map<string, Intl.DateTimeFormat>()

/** What the zone's clock shows: whole days since 1970, and minutes since midnight. */
export function wallClock(zone: string, nowMs: number): { day: number; minute: number } {
  let format = FORMATTERS.get(zone)
  if (format === undefined) {
    const fields = { year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric', minute: 'numeric' } as const
    format = new Intl.DateTimeFormat('en-US', { ...fields, timeZone: zone, hourCycle: 'h23', calendar: 'iso8601' })
    FORMATTERS.set(zone, format)
  }
  const part: Record<string, number> = {}
  for (const { type, value } of format.formatToParts(nowMs)) part[type] = Number(value)
  const { year = 0, month = 0, day = 0, hour = 0, minute = 0 } = part
  return { day: Date.UTC(year, month - 1, day) / DAY_MS, minute: hour * 60 + minute }
}

function parseDays(word: string): readonly [number, number] | undefined {
  const [first, last, ...rest] = word.split('..')
  if (first === undefined || last === undefined || rest.length > 0 || word === '..') return undefined
  const from = first === '' ? -Infinity : parseDate(first)
  const until = last === '' ? Infinity : parseDate(last)
  return from === undefined || until === undefined || from > until ? undefined : [from, until]
}

function parseDate(text: string): number | undefined {
  const match = /^([0-9]{4})-([0-9]{2})-([0-9]{2})$/.exec(text)
  if (match === null) return undefined
  const [year, month, day] = [Number(match[1]), Number(match[2]), Number(match[3])]
  const ms = Date.UTC(year, month - 1, day)
  // 31 February would be a day of March.
  return new Date(ms).getUTCMonth() === month - 1 ? ms / DAY_MS : undefined
}

function parseWeekdays(word: string): ReadonlySet<number> | undefined {
  const days = new Set<number>()
  for (const part of word.toLowerCase().split(',')) {
    const [first, last = first, ...rest] = part.split('-').map(name => DAY_NAMES.indexOf(name))
    if (first === undefined || last === undefined || first < 0 || last < 0 || rest.length > 0) return undefined
    for (let day = first; ; day = (day + 1) % 7) {
      days.add(day)
      if (day === last) break
    }
  }
  return days
}

function parseMinutes(word: string): readonly [number, number] | undefined {
  const match = /^([0-9]{2}):([0-9]{2})-([0-9]{2}):([0-9]{2})$/.exec(word)
  if (match === null) return undefined
  const [fromHour = 0, fromMinute = 0, untilHour = 0, untilMinute = 0] = match.slice(1).map(Number)
  const [from, until] = [fromHour * 60 + fromMinute, untilHour * 60 + untilMinute]
  const fits = fromMinute < 60 && untilMinute < 60 && from < DAY_MINUTES && until <= DAY_MINUTES
  return fits && from !== until ? [from, until] : undefined
}
