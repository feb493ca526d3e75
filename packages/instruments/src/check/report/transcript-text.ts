/** A transcript as lines that a person can read: hex in rows, with what it means beside it. Paints nothing. */
import type { EventKind, Transcript, TranscriptEvent } from '../transcript.ts'

export interface TranscriptLine {
  readonly kind: EventKind | 'connection'
  /** When, on which connection, in which direction; as many blanks in rows behind the first of an event. */
  readonly margin: string
  /** Words, or a row of octets. */
  readonly text: string
  /** What stands beside the octets. */
  readonly note?: string
}

const OCTETS_PER_ROW = 16
/** Rows of one event; what is longer is only counted. */
const ROWS_MAX = 4
/** Connections of one case that are shown; a flood of forty looks forty times the same. */
const CONNECTIONS_MAX = 6
const HEX_WIDTH = OCTETS_PER_ROW * 3 - 1

const ARROWS: { readonly [K in EventKind]: string } = {
  open: '--',
  sent: '->',
  received: '<-',
  'fin-sent': '->',
  'fin-received': '<-',
  'reset-sent': '->',
  'reset-received': '<-',
  meaning: ' =',
  'gave-up': '--',
}

const WORDS: { readonly [K in EventKind]?: string } = {
  open: 'open',
  'fin-sent': 'FIN',
  'fin-received': 'FIN',
  'reset-sent': 'RST',
  'reset-received': 'RST',
}

/** The lines: first the connections, then what happened, in order, with milliseconds since the start of the case. */
export function transcriptLines(transcript: Transcript): readonly TranscriptLine[] {
  const shown = transcript.connections.slice(0, CONNECTIONS_MAX)
  const numbers = new Set(shown.map(({ number }) => number))
  const left = transcript.connections.length - shown.length
  return [
    ...shown.map(({ number, transport, label }) => connectionLine(`#${number} `, `${transport} ${label}`)),
    ...(left > 0 ? [connectionLine('', `and ${left} more, not shown`)] : []),
    ...transcript.events.filter(({ connection }) => numbers.has(connection)).flatMap(eventLines),
  ]
}

/** The whole line, notes below each other. */
export function lineText({ margin, text, note }: TranscriptLine): string {
  return note === undefined ? margin + text : `${margin}${text.padEnd(HEX_WIDTH)}  ${note}`
}

function connectionLine(margin: string, text: string): TranscriptLine {
  return { kind: 'connection', margin, text }
}

function eventLines(event: TranscriptEvent): readonly TranscriptLine[] {
  const { kind, connection, atMs } = event
  const margin = `${atMs.toFixed(1).padStart(9)}  #${connection} ${ARROWS[kind]} `
  if (kind === 'meaning' || event.octets === undefined) {
    return [{ kind, margin, text: WORDS[kind] ?? event.note ?? '' }]
  }
  const peer = event.peer === undefined ? '' : `${kind === 'sent' ? 'to' : 'from'} ${event.peer}`
  const note = [peer, event.note].filter(Boolean).join('; ')
  const [first = '', ...others] = hexRows(event)
  return [
    { kind, margin, text: first, ...(note !== '' && { note }) },
    ...others.map(text => ({ kind, margin: ' '.repeat(margin.length), text })),
  ]
}

function hexRows(event: TranscriptEvent): readonly string[] {
  const octets = event.octets ?? ''
  const count = event.length ?? octets.length / 2
  if (count === 0) return ['(no octets)']
  const pairs = octets.match(/../g) ?? []
  for (let at = 0; event.masked !== undefined && at < event.masked.length; at++) pairs[event.masked.offset + at] = '**'
  const rows: string[] = []
  for (let at = 0; at < pairs.length && rows.length < ROWS_MAX; at += OCTETS_PER_ROW) {
    rows.push(pairs.slice(at, at + OCTETS_PER_ROW).join(' '))
  }
  return count > ROWS_MAX * OCTETS_PER_ROW ? [...rows, `... ${count.toLocaleString('en')} octets in all`] : rows
}
