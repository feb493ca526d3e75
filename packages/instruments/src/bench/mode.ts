/** The modes of the load: their names, their units, and how many streams they take by themselves. */
import { type HoldMode, HOLD_MODES } from './hold.ts'
import type { Load, LoadSettings } from './load.ts'
import { udp } from './load-datagrams.ts'
import { open } from './load-open.ts'
import { roundTrip } from './load-round-trips.ts'
import { download, upload } from './load-streams.ts'

/** Modes whose figure is so much a second, and can be had without a proxy too. */
export const RATE_MODES = ['download', 'upload', 'open', 'roundtrip', 'udp'] as const
export type RateMode = (typeof RATE_MODES)[number]
export type Mode = RateMode | HoldMode
export const ALL_MODES: readonly Mode[] = [...RATE_MODES, ...HOLD_MODES]

export interface ModeTerms {
  readonly load: Load
  /** What is counted. */
  readonly unit: 'MiB' | 'tunnels' | 'trips' | 'datagrams'
  readonly streams: number
  /** What is said of processor time: for so many units, under this name. */
  readonly cpuPer: { readonly units: number; readonly name: string }
}

export const MODES: { readonly [M in RateMode]: ModeTerms } = {
  download: { load: download, unit: 'MiB', streams: 1, cpuPer: { units: 1_024, name: 'GiB' } },
  upload: { load: upload, unit: 'MiB', streams: 1, cpuPer: { units: 1_024, name: 'GiB' } },
  open: { load: open, unit: 'tunnels', streams: 16, cpuPer: { units: 1_000, name: '1,000 tunnels' } },
  roundtrip: { load: roundTrip, unit: 'trips', streams: 16, cpuPer: { units: 1_000, name: '1,000 trips' } },
  udp: { load: udp, unit: 'datagrams', streams: 4, cpuPer: { units: 1_000, name: '1,000 datagrams' } },
}

/** Tunnels that are held, unless somebody says otherwise. */
export const HELD_TUNNELS: { readonly [M in HoldMode]: number } = { idle: 4_000, stall: 256 }

/** What a load does unless somebody says otherwise. */
export const DEFAULT_SETTINGS: Omit<LoadSettings, 'streams'> = {
  seconds: 2,
  messageOctets: 64,
  datagramOctets: 512,
  window: 32,
}
