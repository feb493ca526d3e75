/** What is measured of each server: rates, beside those without a proxy, and what tunnels and the process itself take. */
import type { HoldMode, RateMode } from '@socksmith/instruments/bench'

export interface RateMeasure {
  readonly kind: 'rate'
  readonly key: string
  readonly title: string
  readonly mode: RateMode
  readonly streams: number
  /** Only of programs that can. */
  readonly needs?: 'password' | 'udp'
}

/** Taken of a server that was started for it alone. */
export interface HoldMeasure {
  readonly kind: 'hold'
  readonly key: string
  readonly mode: HoldMode
  readonly tunnels: number
  readonly busy: number
  /** Only of ours, and from a fresh start: what the process takes in all, and not each tunnel of it. */
  readonly isOurs: boolean
}

const rate = (
  key: string,
  title: string,
  mode: RateMode,
  streams: number,
  needs?: RateMeasure['needs'],
): RateMeasure => ({
  kind: 'rate',
  key,
  title,
  mode,
  streams,
  ...(needs === undefined ? {} : { needs }),
})

export const RATES: readonly RateMeasure[] = [
  rate('down', 'one stream down, MiB/s', 'download', 1),
  rate('up', 'one stream up, MiB/s', 'upload', 1),
  rate('down16', '16 streams down, MiB/s', 'download', 16),
  rate('open', 'tunnels opened/s', 'open', 16),
  rate('login', 'opened with a password/s', 'open', 16, 'password'),
  rate('roundtrip', '64-octet round trips/s', 'roundtrip', 16),
  rate('udp', '512-octet UDP echoes/s', 'udp', 4, 'udp'),
]

/** Numbers of the long run; a short one takes fewer tunnels. */
export const HOLDS: readonly HoldMeasure[] = [
  { kind: 'hold', key: 'idle', mode: 'idle', tunnels: 4_000, busy: 0, isOurs: false },
  { kind: 'hold', key: 'stall', mode: 'stall', tunnels: 256, busy: 0, isOurs: false },
  { kind: 'hold', key: 'crowd', mode: 'idle', tunnels: 9_000, busy: 500, isOurs: true },
]

/** The process before anybody came. */
export const REST = 'rest'

export const MEASURE_KEYS: readonly string[] = [...RATES.map(({ key }) => key), ...HOLDS.map(({ key }) => key), REST]
