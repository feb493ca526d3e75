/** The log of a running server: chooses the sink and the format, and takes sessions and notices. */
import { isatty } from 'node:tty'
import type { SessionRecord } from '@socksmith/server'
import type { Config, SessionDetail } from '../config/config.ts'
import { EXIT, type Outcome, done, fileErrorText, trouble } from '../exit.ts'
import { type Paint, isPainted, paint, plain } from '../terminal/colour.ts'
import { type FileSink, type LogSink, descriptorSink, openFileSink } from './log-sink.ts'
import { LogWriter } from './log-writer.ts'
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
  /** Where the name of the log's file leads to another file by now, or to none, lines go there; why that cannot be. */
  reopen(): Promise<string | undefined>
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
  let file: FileSink | undefined
  let sink: LogSink
  try {
    file = config.file === undefined ? undefined : await openFileSink(config.file)
    sink = file ?? descriptorSink(STANDARD_OUTPUT, false)
  } catch (error) {
    return trouble(
      EXIT.CANNOT_WRITE,
      `cannot write the log ${config.file ?? 'to standard output'}: ${openErrorText(error)}`,
    )
  }
  const style = styleOf(config)
  const noticeText = (event: string, message: string): string =>
    style.pretty ? noticeLine(Date.now(), message, paintOf(style)) : noticeJson(Date.now(), event, message)
  const writer = new LogWriter(sink, count => noticeText('log-dropped', `${count} log lines were dropped`))
  const notice = (event: string, message: string): void => writer.line(noticeText(event, message))
  return done({
    style,
    session(record) {
      const line = lineOf(record, config.sessions, style)
      if (line !== undefined) writer.line(line)
    },
    lines: (text, count) => writer.lines(text, count),
    notice,
    async reopen() {
      if (file === undefined || config.file === undefined) return undefined
      try {
        if (await file.isNamed()) return undefined
        file = await openFileSink(config.file)
      } catch (error) {
        const fault = `the log ${config.file} cannot be opened again: ${openErrorText(error)}; the file opened before takes the lines`
        notice('log', fault)
        return fault
      }
      writer.use(file)
      return undefined
    },
    close: () => writer.close(),
  })
}

/** The file itself is made. */
function openErrorText(error: unknown): string {
  const isFolderMissing = error instanceof Error && 'code' in error && error.code === 'ENOENT'
  return isFolderMissing ? 'its folder does not exist' : fileErrorText(error)
}

function styleOf({ file, format }: Config['log']): LineStyle {
  const onTerminal = file === undefined && isatty(STANDARD_OUTPUT)
  return {
    pretty: format === 'pretty' || (format === 'auto' && onTerminal),
    coloured: file === undefined && isPainted(STANDARD_OUTPUT),
  }
}
