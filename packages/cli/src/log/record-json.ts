/** A session, or an event of the server, as one line of JSON. The keys and their meaning are stable (docs/logs.md). */
import { formatDestination } from '@socksmith/protocol'
import type { SessionRecord } from '@socksmith/server'
import { formatPlace } from '../config/place-text.ts'

/** One line without its end. Keys that do not apply are left out. Made by hand, since a busy server makes thousands a second. */
export function sessionJson(record: SessionRecord): string {
  const { user, userid, protocol, command, target, dialled, reply, failure, detail } = record
  return (
    `{"time":"${new Date(record.startedAtMs + record.durationMs).toISOString()}"` +
    `,"id":${record.id}` +
    `,"client":${JSON.stringify(formatPlace(record.client))}` +
    `,"listener":${JSON.stringify(formatPlace(record.listener))}` +
    (user === undefined ? '' : `,"user":${JSON.stringify(user)}`) +
    (userid === undefined ? '' : `,"userid":${JSON.stringify(userid)}`) +
    (protocol === undefined ? '' : `,"protocol":"${protocol}"`) +
    (command === undefined ? '' : `,"command":"${command}"`) +
    (target === undefined ? '' : `,"target":${JSON.stringify(formatDestination(target))}`) +
    (dialled === undefined ? '' : `,"dialled":"${formatDestination(dialled)}"`) +
    `,"up_octets":${record.clientToTarget}` +
    `,"down_octets":${record.targetToClient}` +
    `,"duration_ms":${Math.round(record.durationMs)}` +
    (reply === undefined ? '' : `,"reply":${reply}`) +
    `,"end":"${record.end}"` +
    (failure === undefined ? '' : `,"failure":"${failure}"`) +
    (detail === undefined ? '' : `,"detail":${JSON.stringify(detail)}`) +
    '}'
  )
}

/** Something that happened to the server itself. `time` is milliseconds since 1970. */
export function noticeJson(time: number, event: string, message: string): string {
  return JSON.stringify({ time: new Date(time).toISOString(), event, message })
}
