/** A transcript on a terminal: each line tinted by who spoke, and fitted to the width. Prints nothing. */
import { type Transcript, type TranscriptLine, lineText, transcriptLines } from '@socksmith/instruments'
import type { Paint } from '../terminal/colour.ts'
import { visible } from '../terminal/visible.ts'
import { hanging } from '../terminal/width.ts'

const INDENT = '     '

/** The lines, none wider than this but rows of octets, which stay whole. */
export function transcriptText(transcript: Transcript, paint: Paint, width: number): readonly string[] {
  let below: string | undefined
  const lines: string[] = []
  const endEvent = (): void => {
    if (below !== undefined) lines.push(below)
    below = undefined
  }
  for (const line of transcriptLines(transcript)) {
    if (line.margin.trim() !== '') endEvent()
    const tint = tintOf(line.kind, paint)
    const { shown, rest } = fitted(line, width)
    lines.push(tint(shown))
    if (rest !== undefined) below = tint(rest)
  }
  endEvent()
  return lines
}

/** `rest` goes below the last row of octets: what stands beside the first has no room there. */
function fitted(line: TranscriptLine, width: number): { readonly shown: string; readonly rest?: string } {
  const whole = `${INDENT}${visible(lineText(line))}`
  if (whole.length <= width) return { shown: whole }
  const margin = `${INDENT}${line.margin}`
  if (line.note === undefined) return { shown: hanging(margin, [visible(line.text)], width) }
  const [octets, note] = [margin + line.text, visible(line.note)]
  const close = `${octets}  ${note}`
  if (close.length <= width) return { shown: close }
  return { shown: octets, rest: hanging(' '.repeat(margin.length), [note], width) }
}

function tintOf(kind: TranscriptLine['kind'], paint: Paint): (text: string) => string {
  switch (kind) {
    case 'sent':
    case 'fin-sent':
    case 'reset-sent':
      return text => paint('cyan', text)
    case 'received':
    case 'fin-received':
    case 'reset-received':
      return text => paint('yellow', text)
    case 'meaning':
      return text => text
    case 'open':
    case 'gave-up':
    case 'connection':
      return text => paint('dim', text)
  }
}
