/** A report as the table that a person reads: what the server can do, every failure, the score of each area. Prints nothing. */
import {
  AREAS,
  type Abilities,
  type Case,
  type CaseResult,
  LEVELS,
  type Level,
  type Need,
  type Report,
  type Transcript,
  byArea,
  failuresByLevel,
  scoreOf,
  transcriptLines,
} from '@socksmith/instruments'
import type { Paint } from '../terminal/colour.ts'
import { visible } from '../terminal/visible.ts'

const BAR_WIDTH = 24
const AREA_WIDTH = 34

/** The whole of it, as lines. `isVerbose`: the cases that passed or were left out, too. */
export function reportTable(report: Report, paint: Paint, isVerbose: boolean): string {
  const failures = report.results.filter(({ outcome }) => outcome.kind === 'fail')
  return [
    paint('bold', report.proxy),
    '',
    ...abilityLines(report.abilities),
    ...(isVerbose ? ['', ...report.results.flatMap(result => caseLine(result, paint))] : []),
    ...failures.flatMap(result => failureLines(result, paint)),
    '',
    // Last, where one looks when a long report has gone by.
    ...areaLines(report, paint),
    '',
    verdictLine(report, paint),
  ].join('\n')
}

const ABILITY_ROWS: readonly (readonly [label: string, words: readonly (readonly [Need, string])[]])[] = [
  [
    'speaks',
    [
      ['open', 'SOCKS5 without a password'],
      ['auth', 'SOCKS5 with a password'],
      ['socks4', 'SOCKS4'],
      ['socks4a', 'SOCKS4a'],
    ],
  ],
  [
    'serves',
    [
      ['connect', 'CONNECT'],
      ['bind', 'BIND'],
      ['udp', 'UDP ASSOCIATE'],
      ['bind4', 'SOCKS4 BIND'],
    ],
  ],
  [
    'reaches',
    [
      ['connect', 'IPv4'],
      ['ipv6', 'IPv6'],
      ['name', 'names'],
    ],
  ],
]

function abilityLines(abilities: Abilities): readonly string[] {
  return ABILITY_ROWS.map(([label, words]) => {
    const has = words.filter(([need]) => abilities[need].has).map(([, text]) => text)
    return `  ${label.padEnd(8)} ${has.join(', ') || 'nothing that was asked for'}`
  })
}

function areaLines({ results }: Report, paint: Paint): readonly string[] {
  const head = `  ${'area'.padEnd(AREA_WIDTH)}${''.padEnd(BAR_WIDTH)}  passed  failed  not asked`
  const lines = byArea(results).map(({ area, results }) => {
    const { passed, failed, skipped } = scoreOf(results)
    const counts = [count(passed, 8), count(failed, 8), count(skipped, 11)]
    const name = AREAS[area].padEnd(AREA_WIDTH)
    if (passed + failed === 0) return paint('dim', `  ${name}${''.padEnd(BAR_WIDTH)}${counts.join('')}`)
    const [passes = '', fails = '', skips = ''] = counts
    const tinted = failed > 0 ? paint('red', fails) : fails
    return `  ${name}${bar(passed, failed, paint)}${passes}${tinted}${skips}`
  })
  return [paint('dim', head), ...lines]
}

function count(value: number, width: number): string {
  return (value === 0 ? '-' : String(value)).padStart(width)
}

/** Its whole length are the cases that were asked; a failure is at least one cell, however many passed. */
function bar(passed: number, failed: number, paint: Paint): string {
  const exact = (failed / (passed + failed)) * BAR_WIDTH
  const red = failed === 0 ? 0 : Math.min(BAR_WIDTH, Math.max(1, Math.round(exact)))
  return paint('green', '#'.repeat(BAR_WIDTH - red)) + paint('red', '.'.repeat(red))
}

const LEVEL_STYLE: { readonly [L in Level]: Parameters<Paint>[0] } = {
  must: 'red',
  should: 'yellow',
  custom: 'blue',
  safety: 'magenta',
}

function caseLine({ case: about, outcome }: CaseResult, paint: Paint): readonly string[] {
  const start = `${about.id.padEnd(11)}${about.level.padEnd(7)} ${about.title}`
  if (outcome.kind === 'pass') return [`  ${paint('green', 'ok  ')} ${start}`]
  if (outcome.kind === 'fail') return [`  ${paint('red', 'FAIL')} ${start}`]
  return [paint('dim', `  --   ${start}: ${visible(outcome.reason)}`)]
}

function failureLines({ case: about, outcome, transcript }: CaseResult, paint: Paint): readonly string[] {
  if (outcome.kind !== 'fail') return []
  const head = `${paint('red', 'FAIL')} ${paint('bold', about.id)}  ${about.title}`
  return [
    '',
    head,
    `     ${paint(LEVEL_STYLE[about.level], about.level)}, ${about.clause}. ${about.why}`,
    `     expected  ${visible(outcome.expected)}`,
    `     got       ${paint('red', visible(outcome.got))}`,
    ...transcriptText(transcript, paint),
  ]
}

/** The lines of a transcript, each tinted by who spoke. */
export function transcriptText(transcript: Transcript, paint: Paint): readonly string[] {
  return transcriptLines(transcript).map(({ kind, text }) => {
    const shown = `     ${visible(text)}`
    switch (kind) {
      case 'sent':
      case 'fin-sent':
      case 'reset-sent':
        return paint('cyan', shown)
      case 'received':
      case 'fin-received':
      case 'reset-received':
        return paint('yellow', shown)
      case 'meaning':
        return shown
      case 'open':
      case 'gave-up':
      case 'connection':
        return paint('dim', shown)
    }
  })
}

function verdictLine({ results, durationMs }: Report, paint: Paint): string {
  const { passed, failed, skipped } = scoreOf(results)
  const took = `in ${(durationMs / 1_000).toFixed(1)} s`
  const left = skipped === 0 ? '' : `, ${skipped} not asked`
  if (passed + failed === 0) return 'no case was asked'
  if (failed === 0) return paint('green', `all ${passed} cases passed${left}, ${took}`)
  return `${paint('bold', `${passed} of ${passed + failed} cases passed`)}${left}, ${took}; ${failuresText(results)}`
}

/** `failed: 3 must, 1 safety`. */
export function failuresText(results: readonly CaseResult[]): string {
  const failures = failuresByLevel(results)
  const words = LEVELS.filter(level => failures[level] > 0).map(level => `${failures[level]} ${level}`)
  return `failed: ${words.join(', ')}`
}

/** The catalogue: what `--list` prints. */
export function caseList(cases: readonly Case[], paint: Paint): string {
  const areas = Object.keys(AREAS).filter(area => cases.some(one => one.area === area)) as (keyof typeof AREAS)[]
  const lines = areas.map(area => {
    const ofArea = cases
      .filter(one => one.area === area)
      .map(one => {
        const level = paint(LEVEL_STYLE[one.level], one.level.padEnd(7))
        const slow = one.isSlow === true ? paint('dim', ' (only with --slow)') : ''
        return `  ${one.id.padEnd(11)}${level} ${one.title}${slow}  ${paint('dim', one.clause)}\n`
      })
    return `${paint('bold', AREAS[area])} ${paint('dim', `(${area})`)}\n${ofArea.join('')}`
  })
  return [...lines, `${cases.length} cases`].join('\n')
}
