/** A session, or an event of the server, as one line that a person reads. Names from outside are shown without their tricks. */
import { type FailureCode, formatAddress, formatDestination } from '@socksmith/protocol'
import type { SessionRecord } from '@socksmith/server'
import { formatPlace } from '../config/place-text.ts'
import type { Paint } from '../terminal/colour.ts'
import { visible } from '../terminal/visible.ts'

/** `12:03:04 alice 192.0.2.7:51234 → example.com:443 (93.184.216.34) socks5 connect 1.2 KiB up 34 KiB down 2.1 s client-finished` */
export function sessionLine(record: SessionRecord, paint: Paint): string {
  const failed = record.failure !== undefined
  const parts = [
    paint('dim', clockTime(record.startedAtMs + record.durationMs)),
    paint('bold', whoText(record)),
    record.client.kind === 'unix' ? formatPlace(record.listener) : formatPlace(record.client),
    targetText(record),
    record.via === undefined ? undefined : `via ${visible(record.via)}`,
    record.protocol,
    record.command,
    failed && record.clientToTarget + record.targetToClient === 0
      ? undefined
      : `${octetsText(record.clientToTarget)} up ${octetsText(record.targetToClient)} down`,
    durationText(record.durationMs),
    paint(failed ? 'red' : 'green', failed ? failureText(record.end, record.failure, record.detail) : endText(record)),
  ]
  return parts.filter(part => part !== undefined).join(' ')
}

/** `12:03:04 ! the message` */
export function noticeLine(time: number, message: string, paint: Paint): string {
  return `${paint('dim', clockTime(time))} ${paint('yellow', `! ${visible(message)}`)}`
}

function targetText({ target, dialled }: SessionRecord): string | undefined {
  if (target === undefined) return undefined
  const named = visible(formatDestination(target))
  if (dialled === undefined) return `→ ${named}`
  const host = formatAddress(dialled.address)
  if (dialled.port !== target.port) return `→ ${named} (${formatDestination(dialled)})`
  return host === formatAddress(target.address) ? `→ ${named}` : `→ ${named} (${host})`
}

function endText({ end, limit }: SessionRecord): string {
  return limit === undefined ? end : `${end} (limit ${limit})`
}

function failureText(end: string, failure: FailureCode | undefined, detail: string | undefined): string {
  return `${end}: ${failure}${detail === undefined ? '' : ` (${visible(detail)})`}`
}

/** Who logged in; a USERID of SOCKS4, which proves nothing, with a question mark. */
function whoText({ user, userid }: SessionRecord): string {
  if (user !== undefined) return userText(user)
  return userid === undefined ? '-' : `${userText(userid)}?`
}

/** A user name may hold spaces, which part the words of the line. */
function userText(user: string): string {
  const shown = visible(user)
  return /[\s"]/.test(shown) ? JSON.stringify(shown) : shown
}

/** Local time of day. */
function clockTime(ms: number): string {
  const date = new Date(ms)
  return [date.getHours(), date.getMinutes(), date.getSeconds()].map(part => String(part).padStart(2, '0')).join(':')
}

/** `0 B`, `1.2 KiB`, `34 KiB`, `1.5 GiB`: two digits that count, never more than needed. */
export function octetsText(octets: number): string {
  let value = octets
  for (const unit of ['B', 'KiB', 'MiB', 'GiB', 'TiB']) {
    if (value < 999.5 || unit === 'TiB') return `${shortNumber(value)} ${unit}`
    value /= 1_024
  }
  return `${octets} B`
}

/** `3 ms`, `2.1 s`, `3 min 20 s`, `2 h 5 min`. */
export function durationText(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`
  const seconds = Math.round(ms / 1_000)
  if (seconds < 60) return `${shortNumber(ms / 1_000)} s`
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`
  return `${Math.floor(seconds / 3_600)} h ${Math.floor((seconds % 3_600) / 60)} min`
}

function shortNumber(value: number): string {
  return value < 9.95 ? String(Number(value.toFixed(1))) : String(Math.round(value))
}
