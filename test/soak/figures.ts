/** The figures of a run in docs/reliability.md: what stands between two marks is the run's own words. Knows no server. */
import { type Criterion, failedOf, figureText, limitText } from './criteria.ts'
import type { SoakReport } from './soak.ts'

/** A mixed run of some minutes, or each fault once in full size. */
export type Section = 'soak' | 'soak in full size'

export interface Run {
  readonly command: string
  /** As in `2026-11-22`. */
  readonly date: string
  /** `Node v26.10.0, 2 cores`. */
  readonly machine: string
}

/** The page with this section made anew; throws where the page has no marks for it. */
export function withFigures(page: string, section: Section, reports: readonly SoakReport[], run: Run): string {
  const [begin, end] = [`<!-- ${section}: begin -->`, `<!-- ${section}: end -->`]
  const [from, to] = [page.indexOf(begin), page.indexOf(end)]
  if (from < 0 || to < from) throw new Error(`docs/reliability.md has no marks ${begin} and ${end}`)
  return `${page.slice(0, from)}${begin}\n\n${sectionText(reports, run)}\n\n${page.slice(to)}`
}

function sectionText(reports: readonly SoakReport[], { command, date, machine }: Run): string {
  return [
    `\`${command}\`, ${date}, ${machine}. Of all times that something was measured, the worst.`,
    '',
    ...reports.map(reportText),
    '',
    tableText(reports),
  ].join('\n')
}

function reportText({ engine, workers, seed, seconds, criteria, played, missing }: SoakReport): string {
  const failed = failedOf(criteria)
  const without = missing.map(one => `; not played: ${one}`).join('')
  return `- ${engine}, ${workers} workers, seed ${seed}: ${played} faults played in ${seconds} s, ${criteria.length} figures, ${failed} failed${without}`
}

/** A line for each figure, and in it a column for each engine. */
function tableText(reports: readonly SoakReport[]): string {
  const all = reports.flatMap(({ criteria }) => criteria)
  const lines = new Map(all.map(one => [keyOf(one), one]))
  const rows = [...lines.values()]
    .toSorted((a, b) => a.row.localeCompare(b.row))
    .map(one => {
      const same = reports.map(({ criteria }) => criteria.find(other => keyOf(other) === keyOf(one)))
      // What depends on the number of threads has a limit for each engine.
      const limits = new Set(same.flatMap(found => (found === undefined ? [] : limitText(found))))
      return [one.row, one.what, [...limits].join(', '), ...same.map(cellText)]
    })
  const head = ['row', 'what', 'limit', ...reports.map(({ engine }) => engine)]
  return [head, head.map(() => '---'), ...rows].map(cells => `| ${cells.join(' | ')} |`).join('\n')
}

function keyOf({ row, what }: Criterion): string {
  return `${row} ${what}`
}

function cellText(one: Criterion | undefined): string {
  if (one === undefined) return ''
  return one.ok ? figureText(one.worst, one.unit) : `**${figureText(one.worst, one.unit)}**`
}
