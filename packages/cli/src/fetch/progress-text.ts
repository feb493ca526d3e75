/** How far a download is, in one line. Knows no terminal and no clock. */
import { durationText, octetsText } from '../log/record-line.ts'

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

/** `45% ##########..............  12 MiB of 27 MiB  3.2 MiB/s  4.7 s left` */
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
  parts.push(total === undefined ? octetsText(octets) : `${octetsText(octets)} of ${octetsText(total)}`)
  parts.push(`${octetsText(pace)}/s`)
  if (total !== undefined && pace > 0 && octets < total)
    parts.push(`${durationText(((total - octets) / pace) * 1_000)} left`)
  return parts.join('  ')
}
