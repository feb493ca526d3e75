/** A limit as a sentence. */
import type { Bandwidth, LimitAmounts, LimitScope, Period, Quota, Rate } from '../limit.ts'
import { BANDWIDTH_UNITS, DURATION_UNITS, SIZE_UNITS, formatQuantity } from '../quantity.ts'
import { DAY_NAMES } from '../schedule.ts'

/** `10Mbit/s down, 20 sessions at once; per user`. */
export function limitText(amounts: LimitAmounts, per: readonly LimitScope[]): string {
  const { bandwidth, sessions, newSessions, octets, sessionLengthMs, datagrams, idleMs } = amounts
  const parts = [
    bandwidth && bandwidthText(bandwidth),
    sessions === undefined ? undefined : `${sessions} sessions at once`,
    newSessions && `${rateText(newSessions)} new sessions`,
    octets && quotaText(octets),
    sessionLengthMs === undefined ? undefined : `${formatQuantity(sessionLengthMs, DURATION_UNITS)} a session`,
    datagrams && `${rateText(datagrams)} datagrams each way`,
    idleMs === undefined ? undefined : `${formatQuantity(idleMs, DURATION_UNITS)} idle`,
  ]
  const counted = per.includes('all') ? 'all together' : `per ${per.join(' and ')}`
  return `${parts.filter(part => part !== undefined).join(', ')}; ${counted}`
}

function bandwidthText({ up, down }: NonNullable<LimitAmounts['bandwidth']>): string {
  if (up !== undefined && down !== undefined && up.octetsPerSecond === down.octetsPerSecond) {
    return `${speedText(up)} each way`
  }
  return [up && `${speedText(up)} up`, down && `${speedText(down)} down`].filter(one => one !== undefined).join(', ')
}

const BIT_UNITS = Object.fromEntries(Object.entries(BANDWIDTH_UNITS).filter(([unit]) => unit.endsWith('bit/s')))

function speedText({ octetsPerSecond }: Bandwidth): string {
  return formatQuantity(octetsPerSecond, BIT_UNITS)
}

function rateText({ count, perMs }: Rate): string {
  const unit = { 1_000: 's', 60_000: 'min', 3_600_000: 'h', 86_400_000: 'd' }[perMs] ?? `${perMs}ms`
  return `${count}/${unit}`
}

function quotaText({ up, down, total, period }: Quota): string {
  const amounts = [
    total === undefined ? undefined : formatQuantity(total, SIZE_UNITS),
    up === undefined ? undefined : `${formatQuantity(up, SIZE_UNITS)} up`,
    down === undefined ? undefined : `${formatQuantity(down, SIZE_UNITS)} down`,
  ]
  return `${amounts.filter(one => one !== undefined).join(' and ')} a ${periodText(period)}`
}

function periodText(period: Period): string {
  const { zone, minute } = period
  const clock = `${String(Math.floor(minute / 60)).padStart(2, '0')}:${String(minute % 60).padStart(2, '0')} ${zone}`
  switch (period.every) {
    case 'day':
      return `day from ${clock}`
    case 'week':
      return `week from ${DAY_NAMES[period.weekday] ?? ''} ${clock}`
    case 'month':
      return `month from day ${period.day}, ${clock}`
  }
}
