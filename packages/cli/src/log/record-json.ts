/** A session, or an event of the server, as one line of JSON. The keys and their meaning are stable (docs/logs.md). */
import { formatDestination } from '@socksmith/protocol'
import type { SessionRecord } from '@socksmith/server'
import { type Reported, type Rule, ruleLabel } from '@socksmith/policy'
import { formatPlace } from '../config/place-text.ts'

/** One line without its end. Keys that do not apply are left out. Made by hand, since a busy server makes thousands a second. */
export function sessionJson(record: SessionRecord): string {
  const { user, method, userid, protocol, command, target, dialled, via, reply, rule, reported } = record
  const { limit, failure, detail } = record
  const listener = formatPlace(record.listener)
  return (
    `{"time":"${new Date(record.startedAtMs + record.durationMs).toISOString()}"` +
    `,"id":${record.id}` +
    `,"client":${JSON.stringify(formatPlace(record.client))}` +
    `,"listener":${JSON.stringify(listener)}` +
    // Said by the address already, but for names, wildcards and port 0.
    listenerNameJson(record.listenerName, listener) +
    (user === undefined ? '' : `,"user":${JSON.stringify(user)}`) +
    (record.parameters === undefined ? '' : `,"parameters":${JSON.stringify(record.parameters)}`) +
    (method === undefined ? '' : `,"method":"${method}"`) +
    (userid === undefined ? '' : `,"userid":${JSON.stringify(userid)}`) +
    (protocol === undefined ? '' : `,"protocol":"${protocol}"`) +
    (command === undefined ? '' : `,"command":"${command}"`) +
    (target === undefined ? '' : `,"target":${JSON.stringify(formatDestination(target))}`) +
    (dialled === undefined ? '' : `,"dialled":"${formatDestination(dialled)}"`) +
    (via === undefined ? '' : `,"via":${JSON.stringify(via)}`) +
    `,"up_octets":${record.clientToTarget}` +
    `,"down_octets":${record.targetToClient}` +
    `,"duration_ms":${Math.round(record.durationMs)}` +
    (reply === undefined ? '' : `,"reply":${reply}`) +
    `,"end":"${record.end}"` +
    (rule === undefined ? '' : ruleJson(rule)) +
    (reported === undefined ? '' : `,"reported":${JSON.stringify(reported.map(reportedText))}`) +
    (limit === undefined ? '' : `,"limit":"${limit}"`) +
    (failure === undefined ? '' : `,"failure":"${failure}"`) +
    (detail === undefined ? '' : `,"detail":${JSON.stringify(detail)}`) +
    '}'
  )
}

function listenerNameJson(name: string | undefined, listener: string): string {
  return name === undefined || name === listener ? '' : `,"listener_name":${JSON.stringify(name)}`
}

function ruleJson(rule: Rule): string {
  const note = rule.note === undefined ? '' : `,"note":${JSON.stringify(rule.note)}`
  return `,"rule":${JSON.stringify(ruleLabel(rule))}${note}`
}

function reportedText({ verdict, rule }: Reported): string {
  return `${verdict} by ${rule === undefined ? 'no rule' : ruleLabel(rule)}`
}

/** Something that happened to the server itself. `time` is milliseconds since 1970. */
export function noticeJson(time: number, event: string, message: string): string {
  return JSON.stringify({ time: new Date(time).toISOString(), event, message })
}
