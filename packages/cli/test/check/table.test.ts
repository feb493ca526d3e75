/** The table of `check` in terminals of different widths. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { CASES, type CaseResult, NEEDS, type Report, type Transcript } from '@socksmith/instruments'
import { caseList, reportTable, transcriptText } from '../../src/check/table.ts'
import { paint, plain } from '../../src/terminal/colour.ts'

const OCTETS = '05010001'.repeat(6)
const TRANSCRIPT: Transcript = {
  connections: [{ number: 1, transport: 'tcp', role: { kind: 'proxy' }, label: '127.0.0.1:36352 to 127.0.0.1:20596' }],
  events: [
    { atMs: 1.5, connection: 1, kind: 'open' },
    { atMs: 2, connection: 1, kind: 'sent', octets: '050100', note: 'greeting: method 00 (no authentication)' },
    {
      atMs: 3,
      connection: 1,
      kind: 'sent',
      octets: OCTETS,
      note: 'request: CONNECT 127.0.0.1:15584, and 16384 behind it',
    },
    { atMs: 4, connection: 1, kind: 'meaning', note: `reply: REP 00 (succeeded), BND ${'long '.repeat(20)}` },
    { atMs: 5, connection: 1, kind: 'fin-received' },
  ],
  targets: [],
}

/** Every case of the suite, of which every third failed and every third could not be asked. */
function report(): Report {
  const outcomes = [
    { kind: 'pass' },
    { kind: 'fail', expected: 'word '.repeat(30).trim(), got: 'another '.repeat(20).trim() },
    { kind: 'skip', reason: 'it needs SOCKS5 with a password, and a good many words to say why there is none' },
  ] as const
  const results = CASES.map((about, index): CaseResult => {
    const outcome = outcomes[index % 3] ?? outcomes[0]
    return { case: about, outcome, durationMs: 1, transcript: TRANSCRIPT }
  })
  const abilities = Object.fromEntries(Object.keys(NEEDS).map(need => [need, { has: true }])) as Report['abilities']
  return { proxy: 'socks5://127.0.0.1:1080', startedAt: '2026-11-01T00:00:00Z', durationMs: 1_234, abilities, results }
}

function longest(text: string): string {
  return text.split('\n').reduce((one, other) => (other.length > one.length ? other : one))
}

suite('no line is wider than the terminal', () => {
  // A row of sixteen octets takes 69.
  for (const width of [70, 80, 120]) {
    test(`${width} columns: report and list`, () => {
      for (const text of [reportTable(report(), plain, width, true), caseList(CASES, plain, width)]) {
        const line = longest(text)
        assert.ok(line.length <= width, `${line.length}: ${line}`)
      }
    })
  }

  test('colours take no room', () => {
    const [coloured, bare] = [paint, plain].map(one => reportTable(report(), one, 80, true))
    // eslint-disable-next-line no-control-regex
    assert.equal(coloured?.replaceAll(/\u001b\[\d+m/g, ''), bare)
  })
})

test('the bar is as long as there is room for, and none where there is none', () => {
  const bars = [64, 80, 120].map(width =>
    /Greeting +([#.]*) +\d+ +\d+ +\d+$/m.exec(reportTable(report(), plain, width, false)),
  )
  assert.deepEqual(
    bars.map(found => found?.[1]?.length),
    [0, 17, 24],
  )
})

test('what octets mean is beside them, or below the last row of them', () => {
  assert.deepEqual(transcriptText(TRANSCRIPT, plain, 80).join('\n').split('\n').slice(2, 6), [
    '           2.0  #1 -> 05 01 00  greeting: method 00 (no authentication)',
    '           3.0  #1 -> 05 01 00 01 05 01 00 01 05 01 00 01 05 01 00 01',
    '                      05 01 00 01 05 01 00 01',
    '                      request: CONNECT 127.0.0.1:15584, and 16384 behind it',
  ])
  assert.match(transcriptText(TRANSCRIPT, plain, 160)[3] ?? '', /05 01 00 01 {2}request: CONNECT 127\.0\.0\.1:15584/)
})
