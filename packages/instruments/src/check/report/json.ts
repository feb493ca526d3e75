/** A report as JSON, and back for a replay. What is read back is checked: it may come from anywhere. */
import type { CaseResult, Report } from '../case.ts'
import { scoreOf } from '../score.ts'
import type { Transcript } from '../transcript.ts'

/** The transcripts of failures are part of it; those of all else would make it large and say nothing. */
export function reportJson(report: Report): string {
  const results = report.results.map(({ transcript, ...result }) =>
    result.outcome.kind === 'fail' ? { ...result, transcript } : result,
  )
  return JSON.stringify({ ...report, score: scoreOf(report.results), results }, undefined, 2)
}

/** A failed case of a report. */
export interface RecordedCase {
  readonly case: CaseResult['case']
  readonly outcome: CaseResult['outcome']
  readonly transcript: Transcript
}

/** The server that a JSON report is about, and its failures; a string is what is wrong with the text. */
export function readReportJson(
  text: string,
): { readonly proxy: string; readonly failures: readonly RecordedCase[] } | string {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    return `it is not JSON: ${(error as Error).message}`
  }
  if (!isRecord(value) || typeof value['proxy'] !== 'string' || !Array.isArray(value['results'])) return NOT_A_REPORT
  const results: readonly unknown[] = value['results']
  const failures = results.filter((one): one is RecordedCase => isRecord(one) && 'transcript' in one)
  return failures.every(isReplayable) ? { proxy: value['proxy'], failures } : NOT_A_REPORT
}

const NOT_A_REPORT = 'it is not a report of "socksmith check --json"'

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}

function isReplayable({ case: about, transcript }: RecordedCase): boolean {
  return (
    isRecord(about) &&
    typeof about.id === 'string' &&
    typeof about.title === 'string' &&
    isRecord(transcript) &&
    isListOf(transcript.connections, ({ number, role }) => typeof number === 'number' && isRecord(role)) &&
    isListOf(transcript.targets, ({ port, address }) => isPort(port) && typeof address === 'string') &&
    isListOf(transcript.events, isEvent)
  )
}

/** No octets of one event are longer: the longest of the suite are a mebioctet. */
const EVENT_LENGTH_MAX = 1_048_576

function isEvent({ kind, connection, octets, length }: Readonly<Record<string, unknown>>): boolean {
  const isHex = octets === undefined || (typeof octets === 'string' && /^([0-9a-f]{2})*$/.test(octets))
  const fits = length === undefined || (typeof length === 'number' && length > 0 && length <= EVENT_LENGTH_MAX)
  return typeof kind === 'string' && typeof connection === 'number' && isHex && fits
}

function isPort(value: unknown): boolean {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 65_535
}

function isListOf(value: unknown, fits: (one: Readonly<Record<string, unknown>>) => boolean): boolean {
  return Array.isArray(value) && value.every(one => isRecord(one) && fits(one))
}
