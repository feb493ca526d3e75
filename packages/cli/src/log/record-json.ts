/** A session, or an event of the server, as one line of JSON. The keys and their meaning are stable (docs/logs.md). */
import { formatDestination } from '@socksmith/protocol'
import type { SessionRecord } from '@socksmith/server'
import { ruleLabel } from '@socksmith/policy'
import { formatPlace } from '../config/place-text.ts'

/** One line without its end. Keys that do not apply are left out. */
export function sessionJson(record: SessionRecord): string {
  return JSON.stringify({
    time: new Date(record.startedAtMs + record.durationMs).toISOString(),
    id: record.id,
    client: formatPlace(record.client),
    listener: formatPlace(record.listener),
    // Said by the address already, but for names, wildcards and port 0.
    listener_name: record.listenerName === formatPlace(record.listener) ? undefined : record.listenerName,
    user: record.user,
    method: record.method,
    userid: record.userid,
    protocol: record.protocol,
    command: record.command,
    target: record.target && formatDestination(record.target),
    dialled: record.dialled && formatDestination(record.dialled),
    up_octets: record.clientToTarget,
    down_octets: record.targetToClient,
    duration_ms: Math.round(record.durationMs),
    reply: record.reply,
    end: record.end,
    rule: record.rule && ruleLabel(record.rule),
    note: record.rule?.note,
    reported: record.reported?.map(
      ({ verdict, rule }) => `${verdict} by ${rule === undefined ? 'no rule' : ruleLabel(rule)}`,
    ),
    failure: record.failure,
    detail: record.detail,
  })
}

/** Something that happened to the server itself. `time` is milliseconds since 1970. */
export function noticeJson(time: number, event: string, message: string): string {
  return JSON.stringify({ time: new Date(time).toISOString(), event, message })
}
