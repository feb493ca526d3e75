import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AllowRule } from '@socksmith/policy'
import { type IpAddress, parseIp } from '@socksmith/protocol'
import type { SessionRecord } from '@socksmith/server'
import { withPrivacy } from '../../src/log/privacy.ts'
import { sessionJson } from '../../src/log/record-json.ts'
import { durationText, octetsText, sessionLine } from '../../src/log/record-line.ts'
import { plain } from '../../src/terminal/colour.ts'

const ip = (text: string): IpAddress => parseIp(text) as IpAddress
const ENDED = new Date(2026, 10, 21, 12, 3, 4).getTime()

const RECORD: SessionRecord = {
  id: 7,
  startedAtMs: ENDED - 2_100,
  durationMs: 2_100,
  client: { kind: 'ip', endpoint: { address: ip('192.0.2.7'), port: 51_234 } },
  listener: { kind: 'ip', endpoint: { address: ip('127.0.0.1'), port: 1_080 } },
  user: 'alice',
  protocol: 'socks5',
  command: 'connect',
  target: { address: { type: 'domain', name: 'example.com' }, port: 443 },
  dialled: { address: ip('93.184.216.34'), port: 443 },
  clientToTarget: 1_229,
  targetToClient: 34_816,
  reply: 0,
  end: 'client-finished',
}

test('a session is one readable line', () => {
  assert.equal(
    sessionLine(RECORD, plain),
    '12:03:04 alice 192.0.2.7:51234 → example.com:443 (93.184.216.34) socks5 connect 1.2 KiB up 34 KiB down 2.1 s client-finished',
  )
  const { user: _user, dialled: _dialled, ...refused } = RECORD
  const target = { address: ip('10.0.0.1'), port: 80 }
  assert.equal(
    sessionLine(
      {
        ...refused,
        target,
        clientToTarget: 0,
        targetToClient: 0,
        end: 'refused',
        failure: 'not_allowed',
        detail: 'inside',
      },
      plain,
    ),
    '12:03:04 - 192.0.2.7:51234 → 10.0.0.1:80 socks5 connect 2.1 s refused: not_allowed (inside)',
  )
})

test('the proxies on the way are told', () => {
  const record = { ...RECORD, via: 'socks5h://a:1080 > http://b:3128' }
  assert.match(sessionLine(record, plain), /\(93\.184\.216\.34\) via socks5h:\/\/a:1080 > http:\/\/b:3128 socks5/)
  assert.equal((JSON.parse(sessionJson(record)) as { via?: string }).via, record.via)
  assert.ok(!('via' in (JSON.parse(sessionJson(RECORD)) as object)))
})

test('a SOCKS4 user id is not taken for a user', () => {
  const { user: _user, ...nobody } = RECORD
  const record = { ...nobody, userid: 'alice' }
  assert.match(sessionLine(record, plain), /^12:03:04 alice\? 192/)
  assert.deepEqual(
    Object.entries(JSON.parse(sessionJson(record)) as object).filter(([key]) => key.startsWith('user')),
    [['userid', 'alice']],
  )
})

test('a name from outside cannot break the line, colour it or turn it round', () => {
  const line = sessionLine(
    {
      ...RECORD,
      user: 'eve\n12:00:00 "root"',
      target: { address: { type: 'domain', name: '\u001b[2Jx\u202ey\u0085' }, port: 1 },
      detail: 'a\rb',
      failure: 'rejected',
      end: 'failed',
    },
    plain,
  )
  assert.doesNotMatch(line, /[\p{Cc}\p{Cf}\p{Zl}]/u)
  assert.match(line, /\\u\{1b\}\[2Jx\\u\{202e\}y\\u\{85\}/)
})

test('the time of a line is that of its end, to the millisecond, whatever the line before had', () => {
  const startedAtMs = Date.UTC(2026, 10, 21, 23, 59, 59, 7)
  for (const durationMs of [0, 3, 93, 992, 993, 1_000, 0, 86_400_000]) {
    const { time } = JSON.parse(sessionJson({ ...RECORD, startedAtMs, durationMs })) as { time: string }
    assert.equal(time, new Date(startedAtMs + durationMs).toISOString())
  }
})

test('the path of a Unix socket and a name are written with their escapes', () => {
  const place = { kind: 'unix', path: '/run/a"b\\c' } as const
  const target = { address: { type: 'domain', name: 'a"b' }, port: 1 } as const
  const record = JSON.parse(sessionJson({ ...RECORD, client: place, listener: place, target })) as object
  assert.deepEqual(
    { ...record },
    { ...record, client: `unix:${place.path}`, listener: `unix:${place.path}`, target: 'a"b:1' },
  )
})

test('the JSON record has the documented keys, in order, and leaves out what does not apply', () => {
  const record = JSON.parse(sessionJson({ ...RECORD, failure: 'timed_out', detail: 'x' })) as object
  assert.deepEqual(Object.keys(record), [
    'time',
    'id',
    'client',
    'listener',
    'user',
    'protocol',
    'command',
    'target',
    'dialled',
    'up_octets',
    'down_octets',
    'duration_ms',
    'reply',
    'end',
    'failure',
    'detail',
  ])
  const { id, client, listener, startedAtMs, durationMs, clientToTarget, targetToClient, end } = RECORD
  const least = sessionJson({ id, client, listener, startedAtMs, durationMs, clientToTarget, targetToClient, end })
  assert.deepEqual(Object.keys(JSON.parse(least) as object), [
    'time',
    'id',
    'client',
    'listener',
    'up_octets',
    'down_octets',
    'duration_ms',
    'end',
  ])
})

function toldBy(record: Partial<SessionRecord>): readonly unknown[] {
  const { refused_by, redirected } = JSON.parse(sessionJson({ ...RECORD, ...record })) as Record<string, unknown>
  return [refused_by, redirected]
}

test('a record says who refused, and whether its rule leads elsewhere', () => {
  const allow = { number: 1, place: { file: 'f', line: 1 }, condition: { kind: 'everything' }, text: '' } as const
  const rule: AllowRule = { ...allow, verdict: 'allow', mode: 'enforce', via: 'default', limits: [] }
  assert.deepEqual(toldBy({ rule }), [undefined, undefined])
  assert.deepEqual(toldBy({ rule: { ...rule, redirect: { address: ip('127.0.0.1') } } }), [undefined, true])
  assert.deepEqual(toldBy({ end: 'refused', refusedBy: 'server' }), ['server', undefined])
})

test('the level no-targets takes away everything that could name the target; none takes away the record', () => {
  const shown = withPrivacy({ ...RECORD, detail: 'example.com does not exist' }, 'no-targets')
  assert.ok(shown)
  assert.doesNotMatch(sessionJson(shown) + sessionLine(shown, plain), /example|93\.184/)
  assert.equal(shown.user, 'alice')
  assert.equal(withPrivacy(RECORD, 'none'), undefined)
  assert.equal(withPrivacy(RECORD, 'full'), RECORD)
})

test('amounts are short', () => {
  assert.deepEqual([0, 999, 1_000, 1_229, 34_816, 1_048_576, 10 * 1_048_576, 1.5 * 1_073_741_824].map(octetsText), [
    '0 B',
    '999 B',
    '1 KiB',
    '1.2 KiB',
    '34 KiB',
    '1 MiB',
    '10 MiB',
    '1.5 GiB',
  ])
  assert.deepEqual([0, 3.2, 999.6, 2_100, 59_400, 59_600, 200_000, 7_500_000].map(durationText), [
    '0 ms',
    '3 ms',
    '1000 ms',
    '2.1 s',
    '59 s',
    '1 min 0 s',
    '3 min 20 s',
    '2 h 5 min',
  ])
})
