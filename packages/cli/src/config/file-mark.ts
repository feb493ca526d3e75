/**
 * Whether a file has changed since it was read, and whether somebody is writing it at this moment. Knows nothing of what
 * stands in the file.
 */
import { type BigIntStats, statSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { setTimeout } from 'node:timers/promises'

/** A text that changes when the file does. */
export type FileMark = string

/** The mark of a file as it is now. */
export function fileMark(path: string): FileMark {
  try {
    return markOf(statSync(path, { bigint: true }))
  } catch {
    return MISSING
  }
}

/** {@link fileMark} for a file that may lie on a disk that hangs: only the answer waits for it. */
export async function awaitedFileMark(path: string): Promise<FileMark> {
  return stat(path, { bigint: true }).then(markOf, () => MISSING)
}

/** Between two looks at a file that changes. */
export type Pause = () => Promise<void>

// A program that writes a file in place empties it first, and fills it within a few milliseconds, on a busy machine too.
const PAUSE_MS = 50

// With the look that found the change it stays below the second in which a removed user must be out.
const LOOKS_MAX = 4

/**
 * The mark once two looks in a row agree: between them nobody has written. A file without a line says something (no
 * users, nothing denied), and so does the first half of one; neither may be taken for what somebody is about to write.
 * A file that never rests is taken as it is after {@link LOOKS_MAX} looks.
 */
export async function settledMark(look: () => FileMark | Promise<FileMark>, pause: Pause = rest): Promise<FileMark> {
  let before = await look()
  for (let looks = 1; looks < LOOKS_MAX; looks += 1) {
    await pause()
    const mark = await look()
    if (mark === before) return mark
    before = mark
  }
  return before
}

function rest(): Promise<void> {
  return setTimeout(PAUSE_MS)
}

const MISSING: FileMark = 'missing'

function markOf(stats: BigIntStats): FileMark {
  return `${stats.ino}:${stats.mtimeNs}:${stats.size}`
}
