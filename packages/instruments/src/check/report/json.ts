/** A report as JSON, and back for a replay. What is read back is checked: it may come from anywhere. */
import { parseIp } from '@socksmith/protocol'
import type { CaseResult, Report } from '../case.ts'
import { scoreOf } from '../score.ts'
import { EVENT_KINDS, type Transcript } from '../transcript.ts'

/** The transcripts of failures are part of it; those of all else would make it large and say nothing. */
export function reportJson(report: Report): string {
  const results = report.results.map(({ transcript, ...result }) =>
    result.outcome.kind === 'fail' ? { ...result, transcript } : result,
  )
  return JSON.stringify({ ...report, score: scoreOf(report.results), results }, undefined, 2)
}

/** Of a server that cannot be asked anything. Without `results`: nobody takes it for one that passed. */
export function hopelessJson(proxy: string, reason: string): string {
  return JSON.stringify({ proxy, error: reason }, undefined, 2)
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
  for (const one of failures) {
    const defect = defectOf(one)
    if (defect !== undefined) return defect
  }
  return { proxy: value['proxy'], failures }
}

const NOT_A_REPORT = 'it is not a report of "socksmith check --json"'

type Fields = Readonly<Record<string, unknown>>

function isRecord(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null
}

/** What of a failure cannot be played or shown; `undefined` when all is well. */
function defectOf({ case: about, transcript }: RecordedCase): string | undefined {
  if (!isRecord(about) || typeof about.id !== 'string' || typeof about.title !== 'string') return NOT_A_REPORT
  if (!isRecord(transcript)) return NOT_A_REPORT
  for (const [list, fits, what] of [
    [transcript.targets, isTarget, 'a target without address or port'],
    [transcript.connections, isConnection, 'a connection that leads nowhere: its role, or the address "from"'],
    [transcript.events, isEvent, 'an event of no known kind, or whose octets or masked password are not right'],
  ] as const) {
    if (!Array.isArray(list)) return NOT_A_REPORT
    if (!list.every(one => isRecord(one) && fits(one))) return `its transcript of ${about.id} has ${what}`
  }
  return undefined
}

function isTarget({ kind, port, address }: Fields): boolean {
  return typeof kind === 'string' && isPort(port) && isAddress(address)
}

function isConnection({ number, transport, role, label }: Fields): boolean {
  if (!isCount(number) || typeof label !== 'string' || !isRecord(role)) return false
  switch (role['kind']) {
    case 'proxy':
      return transport === 'tcp'
    case 'bind-peer':
      return transport === 'tcp' && isCount(role['of']) && isAddress(role['from'])
    case 'datagrams':
      return transport === 'udp' && isAddress(role['from'])
    default:
      return false
  }
}

/** No octets of one event are longer: the longest of the suite are a mebioctet. */
const EVENT_LENGTH_MAX = 1_048_576

function isEvent(event: Fields): boolean {
  const { kind, connection, octets = '', length, masked } = event
  return (
    (EVENT_KINDS as readonly unknown[]).includes(kind) &&
    isCount(connection) &&
    typeof octets === 'string' &&
    /^([0-9a-f]{2})*$/.test(octets) &&
    (length === undefined || (isCount(length) && length > 0 && length <= EVENT_LENGTH_MAX)) &&
    (masked === undefined || isMasked(masked, octets.length / 2)) &&
    [event['note'], event['peer']].every(text => text === undefined || typeof text === 'string') &&
    (event['relayOf'] === undefined || isCount(event['relayOf']))
  )
}

/** The octets of a password are among those of its event. */
function isMasked(masked: unknown, count: number): boolean {
  if (!isRecord(masked)) return false
  const { offset, length, from = 0, isCaseSwapped } = masked
  const isInside = isCount(offset) && isCount(length) && isCount(from) && offset + length <= count
  return isInside && (isCaseSwapped === undefined || isCaseSwapped === true)
}

function isAddress(value: unknown): boolean {
  return typeof value === 'string' && parseIp(value) !== undefined
}

function isPort(value: unknown): boolean {
  return isCount(value) && value <= 65_535
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0
}
