/** One line on a terminal that says what is being asked just now; nothing where nobody looks. Knows no case. */
import { writeSync } from 'node:fs'
import { isatty } from 'node:tty'
import type { Progress } from '@socksmith/instruments'

export interface ProgressLine {
  show(progress: Progress): void
  /** Takes the line away. */
  clear(): void
}

const WIDTH_DEFAULT = 80
const TO_START_AND_ERASE = '\r\u001b[K'

export function progressLine(): ProgressLine {
  if (!isatty(2) || process.env['TERM'] === 'dumb') return { show() {}, clear() {} }
  return {
    show(progress) {
      const width = (process.stderr.columns ?? WIDTH_DEFAULT) - 1
      write(TO_START_AND_ERASE + progressText(progress).slice(0, width))
    },
    clear: () => write(TO_START_AND_ERASE),
  }
}

/** `[ 17/178] S5-REQ-10 An unknown command is answered by REP 07`. */
export function progressText(progress: Progress): string {
  if (progress.kind === 'discovering') return `finding out: ${progress.what}`
  const { case: about, index, of } = progress
  return `[${String(index + 1).padStart(String(of).length)}/${of}] ${about.id} ${about.title}`
}

function write(text: string): void {
  try {
    writeSync(2, text)
  } catch {
    // A terminal that does not take it now gets the next one.
  }
}
