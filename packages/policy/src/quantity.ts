/** Quantities as people write them: a number and its unit, `30s`, `64KiB`, `10Mbit/s`. Knows not what they are for. */

/** The whole number that the text stands for, at most `most`; `0` needs no unit. Anything else is `undefined`. */
export function parseQuantity(
  text: string | number,
  units: { readonly [unit: string]: number },
  most: number,
): number | undefined {
  const match = /^([0-9]+(?:\.[0-9]+)?) ?([a-zA-Z/]*)$/.exec(String(text))
  if (match === null) return undefined
  const [, count = '', unit = ''] = match
  if (unit === '') return Number(count) === 0 ? 0 : undefined
  const factor = Object.hasOwn(units, unit) ? units[unit] : undefined
  if (factor === undefined) return undefined
  const value = Number(count) * factor
  return Number.isInteger(value) && value <= most ? value : undefined
}

/** The shortest exact text of a quantity: 90,000 milliseconds are `90s`. */
export function formatQuantity(value: number, units: { readonly [unit: string]: number }): string {
  if (value === 0) return '0'
  const fitting = Object.entries(units).findLast(([, factor]) => value % factor === 0)
  return fitting === undefined ? String(value) : `${value / fitting[1]}${fitting[0]}`
}

export const DURATION_UNITS: { readonly [unit: string]: number } = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
}

export const SIZE_UNITS: { readonly [unit: string]: number } = {
  B: 1,
  KiB: 1_024,
  MiB: 1_048_576,
  GiB: 1_073_741_824,
  TiB: 1_099_511_627_776,
}

/** Octets a second. Networks count bits by thousands, storage counts octets by 1,024. */
export const BANDWIDTH_UNITS: { readonly [unit: string]: number } = {
  'bit/s': 0.125,
  'kbit/s': 125,
  'Mbit/s': 125_000,
  'Gbit/s': 125_000_000,
  'B/s': 1,
  'KiB/s': 1_024,
  'MiB/s': 1_048_576,
  'GiB/s': 1_073_741_824,
}

/** Far beyond any use, and small enough to stay exact in sums. */
export const DURATION_MS_MAX: number = 366 * 86_400_000
