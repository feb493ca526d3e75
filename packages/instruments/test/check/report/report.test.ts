/** Reports as JSON and JUnit: what goes out, and what may come back in. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  CASES,
  type CaseResult,
  type Report,
  failuresByLevel,
  readReportJson,
  reportJson,
  reportJunit,
  scoreOf,
} from '@socksmith/instruments'
import { ALL_ABILITIES } from '../abilities.ts'

const transcript = {
  connections: [{ number: 1, transport: 'tcp', role: { kind: 'proxy' }, label: 'a to b' }],
  events: [
    { atMs: 0, connection: 1, kind: 'open' },
    { atMs: 0.5, connection: 1, kind: 'sent', octets: '050100' },
  ],
  targets: [{ kind: 'echo', address: '127.0.0.1', port: 4_000 }],
} as const

const [first, second, third] = CASES
assert.ok(first && second && third)

const results: readonly CaseResult[] = [
  { case: first, outcome: { kind: 'pass' }, durationMs: 1, transcript },
  {
    case: second,
    outcome: { kind: 'fail', expected: '<a> & "b"', got: 'c\u0000\u001b[31m' },
    durationMs: 2,
    transcript,
  },
  { case: third, outcome: { kind: 'skip', reason: 'it needs more' }, durationMs: 0, transcript },
]

const report: Report = {
  proxy: 'socks5://127.0.0.1:1080',
  startedAt: '2026-01-01T00:00:00.000Z',
  durationMs: 3,
  abilities: ALL_ABILITIES,
  results,
}

test('the score counts each way to end, and failures by level', () => {
  assert.deepEqual(scoreOf(results), { passed: 1, failed: 1, skipped: 1 })
  assert.equal(failuresByLevel(results)[second.level], 1)
})

test('JSON holds the transcripts of the failures only, and comes back', () => {
  const text = reportJson(report)
  assert.equal(text.match(/"transcript"/g)?.length, 1)
  const read = readReportJson(text)
  assert.ok(typeof read !== 'string')
  assert.equal(read.proxy, report.proxy)
  assert.deepEqual(
    read.failures.map(one => one.transcript),
    [transcript],
  )
})

test('what is no report is refused with a reason, whatever is wrong with it', () => {
  for (const text of [
    '',
    'null',
    '{}',
    '{"proxy":"x","results":1}',
    '{"proxy":"x","results":[{"transcript":1,"case":{"id":"a","title":"b"}}]}',
    '{"proxy":"x","results":[{"transcript":{}}]}',
    broken({ events: [{ kind: 'sent', connection: 1, octets: 'zz' }] }),
    broken({ events: [{ kind: 'sent', connection: 1, octets: '00', length: 1e12 }] }),
    broken({ targets: [{ kind: 'echo', address: '127.0.0.1', port: 70_000 }] }),
    broken({ connections: [null] }),
  ]) {
    assert.equal(typeof readReportJson(text), 'string', text)
  }
})

test('what of a transcript cannot be played is told with its case', () => {
  const event = { kind: 'sent', connection: 1, octets: '0502' }
  const connection = { number: 1, transport: 'udp', label: '' }
  for (const [change, words] of [
    [{ connections: [{ ...connection, role: { kind: 'datagrams', from: 'nonsense' } }] }, 'the address "from"'],
    [{ connections: [{ ...connection, role: { kind: 'bind-peer', of: 1 }, transport: 'tcp' }] }, 'the address "from"'],
    [{ connections: [{ ...connection, role: { kind: 'elsewhere' } }] }, 'its role'],
    [{ connections: [{ ...connection, role: { kind: 'proxy' } }] }, 'its role'],
    [{ events: [{ ...event, kind: 'thrown' }] }, 'no known kind'],
    [{ events: [{ ...event, masked: { offset: 1, length: 2 } }] }, 'masked password'],
    [{ events: [{ ...event, masked: { offset: -1, length: 1 } }] }, 'masked password'],
    [{ events: [{ ...event, masked: 1 }] }, 'masked password'],
    [{ events: [{ ...event, octets: '00', length: 1.5 }] }, 'octets'],
    [{ events: [{ ...event, note: {} }] }, 'an event'],
    [{ events: [{ ...event, relayOf: '1' }] }, 'an event'],
    [{ targets: [{ kind: 'echo', address: 'here', port: 1 }] }, 'a target'],
  ] as const) {
    const read = readReportJson(broken(change))
    assert.ok(typeof read === 'string', JSON.stringify(change))
    assert.ok(read.startsWith(`its transcript of ${second.id} has `) && read.includes(words), read)
  }
})

test('JUnit is well-formed whatever a server says', () => {
  const xml = reportJunit(report)
  assert.match(
    xml,
    /<testsuites name="socksmith check socks5:\/\/127\.0\.0\.1:1080" tests="3" failures="1" skipped="1"/,
  )
  assert.match(xml, /message="expected &lt;a&gt; &amp; &quot;b&quot;, got c\ufffd\ufffd\[31m"/)
  assert.match(xml, /<skipped message="it needs more"\/>/)
  // eslint-disable-next-line no-control-regex
  assert.doesNotMatch(xml, /[\u0000-\u0008\u000b\u001b]/)
})

/** The report with other transcripts. */
function broken(change: object): string {
  const whole = JSON.parse(reportJson(report)) as { results: { transcript?: object }[] }
  for (const one of whole.results) if (one.transcript !== undefined) one.transcript = { ...one.transcript, ...change }
  return JSON.stringify(whole)
}
