/** One line on standard error that is written over again and again, where a person looks at a terminal. */
import { writeSync } from 'node:fs'
import { isatty } from 'node:tty'

export interface ProgressLine {
  readonly show: (text: string) => void
  /** Leaves the line as if nothing had been there. */
  readonly clear: () => void
}

const LINE_START_AND_ERASE = '\r\u001B[K'

/** Shows nothing where standard error is not a terminal, or a dumb one. */
export function progressLine(): ProgressLine {
  if (!isatty(2) || process.env['TERM'] === 'dumb') return { show() {}, clear() {} }
  return {
    show: text => write(`${LINE_START_AND_ERASE}${text.slice(0, (process.stderr.columns ?? 80) - 1)}`),
    clear: () => write(LINE_START_AND_ERASE),
  }
}

// What a slow terminal does not take is dropped: the next line follows soon.
function write(text: string): void {
  try {
    writeSync(2, text)
  } catch {
    // As above.
  }
}
