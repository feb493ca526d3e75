/** Durations, sizes and port ranges as people write them. Strict: a number without its unit is not taken. */
import { DURATION_MS_MAX, DURATION_UNITS, SIZE_UNITS, formatQuantity, parseQuantity } from '@socksmith/policy'
import type { PortRange } from '@socksmith/server'

const SIZE_OCTETS_MAX = 1_099_511_627_776

export const DURATION_EXPECTED = 'expected a duration such as 500ms, 30s, 5m or 2h'
export const SIZE_EXPECTED = 'expected a size such as 512B, 64KiB or 1MiB'
export const PORTS_EXPECTED = 'expected a port or a range of ports such as 40000-40100'

/** Milliseconds of `500ms`, `30s`, `1.5m`, `2h`, `1d` or `0`; otherwise `undefined`. */
export function parseDuration(text: string | number): number | undefined {
  return parseQuantity(text, DURATION_UNITS, DURATION_MS_MAX)
}

/** Octets of `512B`, `64KiB`, `1MiB`, `1GiB` or `0`; otherwise `undefined`. */
export function parseSize(text: string | number): number | undefined {
  return parseQuantity(text, SIZE_UNITS, SIZE_OCTETS_MAX)
}

/** The shortest exact text of a duration: 90_000 is `90s`, 120_000 is `2m`. */
export function formatDuration(ms: number): string {
  return formatQuantity(ms, DURATION_UNITS)
}

/** The shortest exact text of a size: 65_536 is `64KiB`. */
export function formatSize(octets: number): string {
  return formatQuantity(octets, SIZE_UNITS)
}

/** `40000-40100`, or one port; otherwise `undefined`. Port 0 is not a port here. */
export function parsePortRange(text: string | number): PortRange | undefined {
  const match = /^([1-9][0-9]{0,4})(?:-([1-9][0-9]{0,4}))?$/.exec(String(text))
  if (match === null) return undefined
  const first = Number(match[1])
  const last = Number(match[2] ?? match[1])
  return first <= last && last <= 65_535 ? { first, last } : undefined
}

// More threads than the cores of any machine that this is for; each costs some megabytes.
const WORKERS_MAX = 64

export const WORKERS_EXPECTED: string = `expected auto, or a number of threads from 0 to ${WORKERS_MAX}`

/** `auto`, or a number of threads; `undefined` for anything else. */
export function parseWorkers(value: string | number): number | 'auto' | undefined {
  if (value === 'auto') return value
  const text = String(value)
  return /^(0|[1-9][0-9]?)$/.test(text) && Number(text) <= WORKERS_MAX ? Number(text) : undefined
}
