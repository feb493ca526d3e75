/** A transcript as lines that a person can read: hex in rows, with what it means beside it. Paints nothing. */
import type { EventKind, Transcript, TranscriptEvent } from '../transcript.ts'

export interface TranscriptLine {
  readonly kind: EventKind | 'connection'
  readonly text: string
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
    ...shown.map(({ number, transport, label }) => line('connection', `#${number} ${transport} ${label}`)),
    ...(left > 0 ? [line('connection', `and ${left} more, not shown`)] : []),
    ...transcript.events.filter(({ connection }) => numbers.has(connection)).flatMap(eventLines),
  ]
}

function line(kind: TranscriptLine['kind'], text: string): TranscriptLine {
  return { kind, text }
}

function eventLines(event: TranscriptEvent): readonly TranscriptLine[] {
  const { kind, connection, atMs } = event
  const start = `${atMs.toFixed(1).padStart(9)}  #${connection} ${ARROWS[kind]} `
  if (kind === 'meaning' || event.octets === undefined) {
    return [line(kind, start + (WORDS[kind] ?? event.note ?? ''))]
  }
  const peer = event.peer === undefined ? '' : `${kind === 'sent' ? 'to' : 'from'} ${event.peer}`
  const notes = [peer, event.note].filter(Boolean).join('; ')
  const rows = hexRows(event)
  return rows.map((row, index) => {
    const margin = index === 0 ? start : ' '.repeat(start.length)
    return line(kind, index === 0 && notes !== '' ? `${margin}${row.padEnd(HEX_WIDTH)}  ${notes}` : margin + row)
  })
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
