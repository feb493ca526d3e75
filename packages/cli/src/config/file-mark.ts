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

/** Waits between two looks at a file. */
export type Pause = () => Promise<void>

const PAUSE_MS = 50

// With the look that found the change they take less than the second in which a removed user must be out.
const LOOKS_MAX = 10

/**
 * Waits until nobody writes these files any more. A program that writes a file in place empties it first: what it then
 * says (no users, nothing denied), or with its first half, may not be taken for what is about to stand there. So two looks
 * must agree, and one at an empty file counts for nothing; after {@link LOOKS_MAX} of them a file is taken as it is.
 */
export async function untilWritten(files: readonly string[], pause: Pause = rest): Promise<void> {
  let before = await marksOf(files)
  for (let looks = 1; looks < LOOKS_MAX; looks++) {
    await pause()
    const marks = await marksOf(files)
    if (marks === before && !marks.includes(EMPTY)) return
    before = marks
  }
}

async function marksOf(files: readonly string[]): Promise<string> {
  return (await Promise.all(files.map(awaitedFileMark))).join(' ')
}

function rest(): Promise<void> {
  return setTimeout(PAUSE_MS, undefined, { ref: false })
}

const MISSING: FileMark = 'missing'
const EMPTY = 'empty'

function markOf({ ino, mtimeNs, size }: BigIntStats): FileMark {
  return `${ino}:${mtimeNs}:${size === 0n ? EMPTY : size}`
}
