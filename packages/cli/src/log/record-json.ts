/** A session, or an event of the server, as one line of JSON. The keys and their meaning are stable (docs/logs.md). */
import type { Place } from '@socksmith/engine'
import { type Destination, formatDestination } from '@socksmith/protocol'
import type { SessionRecord } from '@socksmith/server'
import { type Reported, type Rule, ruleLabel } from '@socksmith/policy'
import { formatPlace } from '../config/place-text.ts'

/** One line without its end. Keys that do not apply are left out. Made by hand, since a busy server makes thousands a second. */
export function sessionJson(record: SessionRecord): string {
  const { user, method, userid, protocol, command, target, dialled, via, reply, rule, reported } = record
  const { limit, refusedBy, failure, detail } = record
  const listener = formatPlace(record.listener)
  return (
    `{"time":"${isoTime(record.startedAtMs + record.durationMs)}"` +
    `,"id":${record.id}` +
    `,"client":${placeJson(record.client, formatPlace(record.client))}` +
    `,"listener":${placeJson(record.listener, listener)}` +
    // Said by the address already, but for names, wildcards and port 0.
    listenerNameJson(record.listenerName, listener) +
    (user === undefined ? '' : `,"user":${JSON.stringify(user)}`) +
    (record.parameters === undefined ? '' : `,"parameters":${JSON.stringify(record.parameters)}`) +
    (method === undefined ? '' : `,"method":"${method}"`) +
    (userid === undefined ? '' : `,"userid":${JSON.stringify(userid)}`) +
    (protocol === undefined ? '' : `,"protocol":"${protocol}"`) +
    (command === undefined ? '' : `,"command":"${command}"`) +
    (target === undefined ? '' : `,"target":${targetJson(target)}`) +
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
    (refusedBy === undefined ? '' : `,"refused_by":"${refusedBy}"`) +
    (failure === undefined ? '' : `,"failure":"${failure}"`) +
    (detail === undefined ? '' : `,"detail":${JSON.stringify(detail)}`) +
    '}'
  )
}

// What is made of digits needs no escapes, and most are.
function placeJson({ kind }: Place, text: string): string {
  return kind === 'ip' ? `"${text}"` : JSON.stringify(text)
}

function targetJson(target: Destination): string {
  const text = formatDestination(target)
  return target.address.type === 'domain' ? JSON.stringify(text) : `"${text}"`
}

// The text of the second of the last line, up to its point: most lines are of the same one.
let lastSecond = Number.NaN
let secondText = ''

/** As `toISOString` writes it. */
function isoTime(ms: number): string {
  const second = Math.floor(ms / 1_000)
  if (second !== lastSecond) {
    lastSecond = second
    secondText = new Date(second * 1_000).toISOString().slice(0, -'000Z'.length)
  }
  return `${secondText}${String(Math.floor(ms) - second * 1_000).padStart(3, '0')}Z`
}

function listenerNameJson(name: string | undefined, listener: string): string {
  return name === undefined || name === listener ? '' : `,"listener_name":${JSON.stringify(name)}`
}

// A few rules decide most sessions; those of a policy that was replaced are forgotten with it.
const ruleTexts = new WeakMap<Rule, string>()

function ruleJson(rule: Rule): string {
  let text = ruleTexts.get(rule)
  if (text === undefined) {
    const note = rule.note === undefined ? '' : `,"note":${JSON.stringify(rule.note)}`
    const isRedirect = rule.verdict === 'allow' && rule.redirect !== undefined
    text = `,"rule":${JSON.stringify(ruleLabel(rule))}${isRedirect ? ',"redirected":true' : ''}${note}`
    ruleTexts.set(rule, text)
  }
  return text
}

function reportedText({ verdict, rule }: Reported): string {
  return `${verdict} by ${rule === undefined ? 'no rule' : ruleLabel(rule)}`
}

/** Something that happened to the server itself. `time` is milliseconds since 1970. */
export function noticeJson(time: number, event: string, message: string): string {
  return JSON.stringify({ time: new Date(time).toISOString(), event, message })
}
