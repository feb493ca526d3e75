/** The log of a running server: chooses the sink and the format, and takes sessions and notices. */
import { isatty } from 'node:tty'
import type { SessionRecord } from '@socksmith/server'
import type { Config, SessionDetail } from '../config/config.ts'
import { EXIT, type Outcome, done, fileErrorText, trouble } from '../exit.ts'
import { type Paint, isPainted, paint, plain } from '../terminal/colour.ts'
import { type LogSink, LogWriter, descriptorSink, openFileSink } from './log-writer.ts'
import { withPrivacy } from './privacy.ts'
import { noticeJson, sessionJson } from './record-json.ts'
import { noticeLine, sessionLine } from './record-line.ts'

/** How lines look; plain data, for a thread that makes them. */
export interface LineStyle {
  readonly pretty: boolean
  readonly coloured: boolean
}

export interface SessionLog {
  readonly style: LineStyle
  session(record: SessionRecord): void
  /** Takes finished lines, each with its end, that another thread made by `lineOf`. */
  lines(text: string, count: number): void
  /** Something that happened to the server itself. `event` is a stable word, `message` a sentence. */
  notice(event: string, message: string): void
  /** Writes what is left. */
  close(): Promise<void>
}

const STANDARD_OUTPUT = 1

/** The line of a session without its end; `undefined` when it may not be written down. A rule may say otherwise than `detail`. */
export function lineOf(record: SessionRecord, detail: SessionDetail, style: LineStyle): string | undefined {
  const { rule } = record
  const shown = withPrivacy(record, (rule?.verdict === 'allow' ? rule.log : undefined) ?? detail)
  if (shown === undefined) return undefined
  return style.pretty ? sessionLine(shown, paintOf(style)) : sessionJson(shown)
}

function paintOf({ coloured }: LineStyle): Paint {
  return coloured ? paint : plain
}

/** Opens the log that the configuration names. */
export async function openSessionLog(config: Config['log']): Promise<Outcome<SessionLog>> {
  let sink: LogSink
  try {
    sink = config.file === undefined ? descriptorSink(STANDARD_OUTPUT, false) : await openFileSink(config.file)
  } catch (error) {
    return trouble(
      EXIT.CANNOT_WRITE,
      `cannot write the log ${config.file ?? 'to standard output'}: ${fileErrorText(error)}`,
    )
  }
  const onTerminal = config.file === undefined && isatty(STANDARD_OUTPUT)
  const pretty = config.format === 'pretty' || (config.format === 'auto' && onTerminal)
  const style: LineStyle = { pretty, coloured: config.file === undefined && isPainted(STANDARD_OUTPUT) }
  const noticeText = (event: string, message: string): string =>
    pretty ? noticeLine(Date.now(), message, paintOf(style)) : noticeJson(Date.now(), event, message)
  const writer = new LogWriter(sink, count => noticeText('log-dropped', `${count} log lines were dropped`))
  return done({
    style,
    session(record) {
      const line = lineOf(record, config.sessions, style)
      if (line !== undefined) writer.line(line)
    },
    lines: (text, count) => writer.lines(text, count),
    notice: (event, message) => writer.line(noticeText(event, message)),
    close: () => writer.close(),
  })
}
