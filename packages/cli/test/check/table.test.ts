/** The table of `check` in terminals of different widths. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { CASES, type CaseResult, NEEDS, type Report } from '@socksmith/instruments'
import { caseList, reportTable } from '../../src/check/table.ts'
import { paint, plain } from '../../src/terminal/colour.ts'
import { TRANSCRIPT } from './transcript-example.ts'

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
