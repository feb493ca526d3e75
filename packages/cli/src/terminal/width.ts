/** How wide a terminal is, and text broken between words to fit, as the help texts are. Prints nothing. */
import { isatty } from 'node:tty'
import { Help } from 'commander'

const WIDTH_DEFAULT = 80

/** Columns behind standard output; 80 where it is no terminal, or one that does not know. */
export function outputWidth(): number {
  return (isatty(1) && process.stdout.columns) || WIDTH_DEFAULT
}

const help = new Help()
// What stands at the right of a margin is narrow, and still better broken by us than by the terminal.
help.minWidthToWrap = 20

/**
 * `start` with the parts behind it, two spaces between them. What does not fit goes on below the first part: a part as a
 * whole where that helps, or else between its words. Text may be painted.
 */
export function hanging(start: string, parts: readonly string[], width: number): string {
  const margin = help.displayWidth(start)
  const room = Math.max(1, width - margin)
  const lines: string[] = []
  for (const part of parts) {
    const last = lines.at(-1)
    const joined = `${last}  ${part}`
    if (last !== undefined && help.displayWidth(joined) <= room) lines[lines.length - 1] = joined
    else lines.push(...help.boxWrap(part, room).split('\n'))
  }
  return start + lines.join(`\n${' '.repeat(margin)}`)
}
