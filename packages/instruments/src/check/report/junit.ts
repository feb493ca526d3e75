/** A report as JUnit XML, which CI systems show. */
import { AREAS, type CaseResult, type Report } from '../case.ts'
import { byArea, scoreOf } from '../score.ts'
import { lineText, transcriptLines } from './transcript-text.ts'

const XML = '<?xml version="1.0" encoding="UTF-8"?>'

export function reportJunit(report: Report): string {
  const { passed, failed, skipped } = scoreOf(report.results)
  const suites = byArea(report.results).map(({ area, results }) => suite(AREAS[area], results))
  const counts = `tests="${passed + failed + skipped}" failures="${failed}" skipped="${skipped}"`
  return [
    XML,
    `<testsuites name="${escaped(`socksmith check ${report.proxy}`)}" ${counts} time="${seconds(report.durationMs)}">`,
    ...suites,
    '</testsuites>',
    '',
  ].join('\n')
}

/** Of a server that cannot be asked anything. JUnit has errors of cases only, so one case stands for all of them. */
export function hopelessJunit(proxy: string, reason: string): string {
  const counts = 'tests="1" failures="0" errors="1" skipped="0"'
  return `${XML}
<testsuites name="${escaped(`socksmith check ${proxy}`)}" ${counts}>
  <testsuite name="socksmith check" ${counts}>
    <testcase classname="check" name="the server can be asked">
      <error message="${escaped(reason)}"/>
    </testcase>
  </testsuite>
</testsuites>
`
}

function suite(name: string, results: readonly CaseResult[]): string {
  const { passed, failed, skipped } = scoreOf(results)
  const counts = `tests="${passed + failed + skipped}" failures="${failed}" skipped="${skipped}"`
  return [`  <testsuite name="${escaped(name)}" ${counts}>`, ...results.map(testCase), '  </testsuite>'].join('\n')
}

function testCase({ case: about, outcome, durationMs, transcript }: CaseResult): string {
  const head = `    <testcase classname="${about.area}" name="${escaped(`${about.id} ${about.title}`)}" time="${seconds(durationMs)}"`
  switch (outcome.kind) {
    case 'pass':
      return `${head}/>`
    case 'skip':
      return `${head}>\n      <skipped message="${escaped(outcome.reason)}"/>\n    </testcase>`
    case 'fail': {
      const message = `expected ${outcome.expected}, got ${outcome.got}`
      const lines = transcriptLines(transcript).map(lineText)
      const text = [`${about.clause} (${about.level}): ${about.why}`, ...lines].join('\n')
      const body = `<failure type="${about.level}" message="${escaped(message)}">${escaped(text)}</failure>`
      return `${head}>\n      ${body}\n    </testcase>`
    }
  }
}

function seconds(ms: number): string {
  return (ms / 1_000).toFixed(3)
}

const ENTITIES: { readonly [character: string]: string } = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }

/** XML has no place for control characters, not even as entities. */
function escaped(text: string): string {
  return text
    .replace(/[&<>"]/g, character => ENTITIES[character] as string)
    .replace(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, '\ufffd')
}
