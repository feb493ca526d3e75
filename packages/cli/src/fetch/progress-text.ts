/** How far a download is, in one line. Knows no terminal and no clock. */

/** Octets that are here, and how many there will be where that is known. */
export interface Progress {
  readonly octets: number
  readonly total?: number
  /** Of `octets`, those that were here before this run: they say nothing about its pace. */
  readonly before: number
  /** Milliseconds since the run began. */
  readonly elapsedMs: number
}

const BAR_COLUMNS = 24

/** `45% ##########..............  12.3 MiB of 27.4 MiB  3.2 MiB/s  5 s left` */
export function progressText({ octets, total, before, elapsedMs }: Progress): string {
  const pace = elapsedMs > 0 ? ((octets - before) * 1_000) / elapsedMs : 0
  const parts: string[] = []
  if (total !== undefined && total > 0) {
    const share = Math.min(1, octets / total)
    const filled = Math.round(share * BAR_COLUMNS)
    parts.push(
      `${String(Math.floor(share * 100)).padStart(3)}% ${'#'.repeat(filled)}${'.'.repeat(BAR_COLUMNS - filled)}`,
    )
  }
  parts.push(total === undefined ? sizeText(octets) : `${sizeText(octets)} of ${sizeText(total)}`)
  parts.push(`${sizeText(pace)}/s`)
  if (total !== undefined && pace > 0 && octets < total) parts.push(`${timeText((total - octets) / pace)} left`)
  return parts.join('  ')
}

const UNITS = ['KiB', 'MiB', 'GiB', 'TiB'] as const

/** `512 B`, `12.3 MiB`. */
export function sizeText(octets: number): string {
  let size = octets
  let unit = 'B'
  for (const next of UNITS) {
    if (size < 1_024) break
    size /= 1_024
    unit = next
  }
  return unit === 'B' ? `${Math.round(size)} B` : `${size.toFixed(1)} ${unit}`
}

function timeText(seconds: number): string {
  if (seconds < 60) return `${Math.ceil(seconds)} s`
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min ${Math.ceil(seconds % 60)} s`
  return `${Math.floor(seconds / 3_600)} h ${Math.ceil((seconds % 3_600) / 60)} min`
}
