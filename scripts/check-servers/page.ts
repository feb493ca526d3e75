/** Results of several servers as a page of Markdown. Runs nothing. */
import { AREAS, type Area, type CaseResult, LEVELS, byArea, failuresByLevel, scoreOf } from '@socksmith/instruments'

export interface Checked {
  readonly name: string
  /** `1.4.2+dfsg-7`; empty for ours. */
  readonly version: string
  readonly configured: string
  /** One for each case. */
  readonly results: readonly CaseResult[]
}

/** The whole page. It holds no time and no port, so that it changes only when a result changes. */
export function resultsPage(checked: readonly Checked[]): string {
  const cases = checked[0]?.results.length ?? 0
  return [
    '# What the SOCKS servers of Debian do',
    '',
    'Written by `npm run check:servers`, which starts each server on loopback and runs [`socksmith check`](check.md)',
    `against it, all ${cases} cases. Do not edit it. Each cell: cases passed of cases asked; a case is asked when the`,
    'server can do what it needs. The results are those of this version, configured as told below; they say nothing',
    'about other versions or other settings.',
    '',
    ...summary(checked),
    '',
    '## By area',
    '',
    ...areaTable(checked),
    '',
    ...checked.flatMap(one => section(one)),
  ].join('\n')
}

function summary(checked: readonly Checked[]): readonly string[] {
  const head = `| | version | passed | ${LEVELS.map(level => `failed: ${level}`).join(' | ')} | not asked |`
  const rows = checked.map(one => {
    const { passed, failed, skipped } = scoreOf(one.results)
    const levels = failuresByLevel(one.results)
    const counts = LEVELS.map(level => String(levels[level]))
    return `| ${one.name} | ${one.version || 'this one'} | ${passed} of ${passed + failed} | ${counts.join(' | ')} | ${skipped} |`
  })
  return [head, `|---|---|--:|${LEVELS.map(() => '--:').join('|')}|--:|`, ...rows]
}

function areaTable(checked: readonly Checked[]): readonly string[] {
  const rows = (Object.keys(AREAS) as Area[]).map(area => {
    const cells = checked.map(({ results }) => {
      const { passed, failed } = scoreOf(byArea(results).find(group => group.area === area)?.results ?? [])
      return passed + failed === 0 ? '-' : `${passed}/${passed + failed}`
    })
    return `| ${AREAS[area]} | ${cells.join(' | ')} |`
  })
  return [`| | ${checked.map(one => one.name).join(' | ')} |`, `|---|${checked.map(() => '--:').join('|')}|`, ...rows]
}

function section({ name, version, configured, results }: Checked): readonly string[] {
  const failures = results.filter(({ outcome }) => outcome.kind === 'fail')
  const lines = failures.map(({ case: about, outcome }) => {
    const got = outcome.kind === 'fail' ? steady(outcome.got) : ''
    return `| ${about.id} | ${about.level} | ${about.title} | ${got} |`
  })
  const table = ['| case | level | what must hold | what was seen |', '|---|---|---|---|', ...lines]
  return [
    `## ${name}${version === '' ? '' : ` ${version}`}`,
    '',
    `Configured: ${configured}.`,
    '',
    ...(failures.length === 0 ? ['No failures.'] : table),
    '',
  ]
}

/** Without what changes from run to run: ports, and the octets that hold them. */
function steady(text: string): string {
  return text
    .replace(/(\d+\.\d+\.\d+\.\d+|\]):(?!0\b)\d+/g, '$1:PORT')
    .replace(/\b([0-9a-f]{8})[0-9a-f]{8,}/g, '$1…')
    .replace(/number \d+ on.*/, 'some number on')
    .replace(/^"\d+ octets/, '"fewer octets')
    .replaceAll('|', '\\|')
}
