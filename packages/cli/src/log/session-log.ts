/** The log of a running server: chooses the sink and the format, and takes sessions and notices. */
import { isatty } from 'node:tty'
import type { SessionRecord } from '@socksmith/server'
import type { Config } from '../config/config.ts'
import { EXIT, type Outcome, done, fileErrorText, trouble } from '../exit.ts'
import { type Paint, paintFor, plain } from '../terminal/colour.ts'
import { type LogSink, LogWriter, descriptorSink, openFileSink } from './log-writer.ts'
import { withPrivacy } from './privacy.ts'
import { noticeJson, sessionJson } from './record-json.ts'
import { noticeLine, sessionLine } from './record-line.ts'

export interface SessionLog {
  session(record: SessionRecord): void
  /** Something that happened to the server itself. `event` is a stable word, `message` a sentence. */
  notice(event: string, message: string): void
  /** Writes what is left. */
  close(): Promise<void>
}

const STANDARD_OUTPUT = 1

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
  const paint: Paint = config.file === undefined ? paintFor(STANDARD_OUTPUT) : plain
  const noticeText = (event: string, message: string): string =>
    pretty ? noticeLine(Date.now(), message, paint) : noticeJson(Date.now(), event, message)
  const writer = new LogWriter(sink, count => noticeText('log-dropped', `${count} log lines were dropped`))
  return done({
    session(record) {
      const { rule } = record
      const detail = rule?.verdict === 'allow' ? rule.log : undefined
      const shown = withPrivacy(record, detail ?? config.sessions)
      if (shown !== undefined) writer.line(pretty ? sessionLine(shown, paint) : sessionJson(shown))
    },
    notice: (event, message) => writer.line(noticeText(event, message)),
    close: () => writer.close(),
  })
}
