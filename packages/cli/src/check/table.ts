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
  byArea,
  failuresByLevel,
  scoreOf,
} from '@socksmith/instruments'
import type { Paint } from '../terminal/colour.ts'
import { visible } from '../terminal/visible.ts'
import { hanging } from '../terminal/width.ts'
import { findingLines } from './finding.ts'
import { transcriptText } from './transcript.ts'

const BAR_WIDTH_MAX = 24
/** Less says nothing. */
const BAR_WIDTH_MIN = 6
const AREA_WIDTH = 34
/** Passed, failed, not asked. */
const COUNT_WIDTHS = [8, 8, 11] as const
const BESIDE_BAR = 2 + AREA_WIDTH + COUNT_WIDTHS.reduce((sum, one) => sum + one, 0)

/** The whole of it, as lines of this width. `isVerbose`: the cases that passed or were left out, too. */
export function reportTable(report: Report, paint: Paint, width: number, isVerbose: boolean): string {
  const failures = report.results.filter(({ outcome }) => outcome.kind === 'fail')
  return [
    paint('bold', report.proxy),
    '',
    ...abilityLines(report.abilities, width),
    ...(isVerbose ? ['', ...report.results.map(result => caseLine(result, paint, width))] : []),
    ...failures.flatMap(result => failureLines(result, paint, width)),
    '',
    // Last, where one looks when a long report has gone by.
    ...areaLines(report, paint, width),
    '',
    hanging('', [verdictLine(report, paint)], width),
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
      ['ipv4', 'IPv4'],
      ['ipv6', 'IPv6'],
      ['name', 'names'],
    ],
  ],
]

function abilityLines(abilities: Abilities, width: number): readonly string[] {
  return ABILITY_ROWS.map(([label, words]) => {
    const has = words.filter(([need]) => abilities[need].has).map(([, text]) => text)
    const unknown = words.filter(([need]) => isUnknown(abilities[need])).map(([, text]) => text)
    const left = unknown.length === 0 ? '' : `; not found out: ${unknown.join(', ')}`
    return hanging(`  ${label.padEnd(8)} `, [`${has.join(', ') || 'nothing that was asked for'}${left}`], width)
  })
}

function isUnknown(ability: Abilities[Need]): boolean {
  return !ability.has && ability.isUnknown === true
}

function areaLines({ results }: Report, paint: Paint, width: number): readonly string[] {
  const room = width - BESIDE_BAR
  const barWidth = room < BAR_WIDTH_MIN ? 0 : Math.min(BAR_WIDTH_MAX, room)
  const head = `  ${'area'.padEnd(AREA_WIDTH)}${' '.repeat(barWidth)}${counted(['passed', 'failed', 'not asked']).join('')}`
  const lines = byArea(results).map(({ area, results }) => {
    const { passed, failed, skipped } = scoreOf(results)
    const counts = counted([passed, failed, skipped].map(value => (value === 0 ? '-' : String(value))))
    const name = AREAS[area].padEnd(AREA_WIDTH)
    if (passed + failed === 0) return paint('dim', `  ${name}${' '.repeat(barWidth)}${counts.join('')}`)
    const [passes = '', fails = '', skips = ''] = counts
    const tinted = failed > 0 ? paint('red', fails) : fails
    return `  ${name}${bar(passed, failed, barWidth, paint)}${passes}${tinted}${skips}`
  })
  return [paint('dim', head), ...lines]
}

function counted(texts: readonly string[]): readonly string[] {
  return texts.map((text, at) => text.padStart(COUNT_WIDTHS[at] ?? 0))
}

/** Its whole length are the cases that were asked; a failure is at least one cell, however many passed. */
function bar(passed: number, failed: number, width: number, paint: Paint): string {
  const exact = (failed / (passed + failed)) * width
  const red = failed === 0 ? 0 : Math.min(width, Math.max(1, Math.round(exact)))
  return paint('green', '#'.repeat(width - red)) + paint('red', '.'.repeat(red))
}

const LEVEL_STYLE: { readonly [L in Level]: Parameters<Paint>[0] } = {
  must: 'red',
  should: 'yellow',
  custom: 'blue',
  safety: 'magenta',
}

function caseLine({ case: about, outcome }: CaseResult, paint: Paint, width: number): string {
  const start = `${about.id.padEnd(11)}${about.level.padEnd(7)} `
  if (outcome.kind === 'pass') return hanging(`  ${paint('green', 'ok  ')} ${start}`, [about.title], width)
  if (outcome.kind === 'fail') return hanging(`  ${paint('red', 'FAIL')} ${start}`, [about.title], width)
  return paint('dim', hanging(`  --   ${start}`, [`${about.title}: ${visible(outcome.reason)}`], width))
}

function failureLines(
  { case: about, outcome, transcript }: CaseResult,
  paint: Paint,
  width: number,
): readonly string[] {
  if (outcome.kind !== 'fail') return []
  const level = paint(LEVEL_STYLE[about.level], about.level)
  return [
    '',
    hanging(`${paint('red', 'FAIL')} `, [`${paint('bold', about.id)}  ${about.title}`], width),
    hanging('     ', [`${level}, ${about.clause}. ${about.why}`], width),
    ...findingLines(outcome, paint, width),
    ...transcriptText(transcript, paint, width),
  ]
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
export function caseList(cases: readonly Case[], paint: Paint, width: number): string {
  const areas = Object.keys(AREAS).filter(area => cases.some(one => one.area === area)) as (keyof typeof AREAS)[]
  const lines = areas.map(area => {
    const ofArea = cases
      .filter(one => one.area === area)
      .map(one => {
        const level = paint(LEVEL_STYLE[one.level], one.level.padEnd(7))
        const slow = one.isSlow === true ? paint('dim', ' (only with --slow)') : ''
        const about = [`${one.title}${slow}`, paint('dim', one.clause)]
        return `${hanging(`  ${one.id.padEnd(11)}${level} `, about, width)}\n`
      })
    return `${paint('bold', AREAS[area])} ${paint('dim', `(${area})`)}\n${ofArea.join('')}`
  })
  return [...lines, `${cases.length} cases`].join('\n')
}
