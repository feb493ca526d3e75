/** The figures of runs in docs/reliability.md: what stands between two marks is theirs. Knows no server. */
import { failedOf, figureText, limitText } from './criteria.ts'
import type { SoakReport } from './soak.ts'

/** A mixed run of some minutes, each fault once in full size, or each row by itself. */
export type Section = 'soak' | 'soak in full size' | 'alone'

export interface Run {
  readonly command: string
  /** As in `2026-11-22`. */
  readonly date: string
  /** `Node v26.10.0, 2 cores`. */
  readonly machine: string
}

/** One engine's last run. */
interface Column {
  readonly engine: string
  /** Its runs, each in a line of the page: a whole one, and those that have made some rows anew. */
  readonly said: readonly string[]
  readonly cells: readonly Cell[]
}

interface Cell {
  readonly row: string
  readonly what: string
  readonly limit: string
  readonly figure: string
}

/**
 * The page with the columns of these engines made anew in the section, or only these rows in them; throws where the page has no marks
 * for the section.
 */
export function withFigures(
  page: string,
  section: Section,
  reports: readonly SoakReport[],
  run: Run,
  rows?: readonly string[],
): string {
  const [begin, end] = [`<!-- ${section}: begin -->`, `<!-- ${section}: end -->`]
  const [from, to] = [page.indexOf(begin), page.indexOf(end)]
  if (from < 0 || to < from) throw new Error(`docs/reliability.md has no marks ${begin} and ${end}`)
  const before = columnsOf(page.slice(from, to))
  const kept = before.filter(({ engine }) => !reports.some(one => one.engine === engine))
  const made = reports.map(report => {
    const column = columnOf(report, run)
    const old = before.find(({ engine }) => engine === report.engine)
    return rows === undefined || old === undefined ? column : withRows(old, column, rows)
  })
  const columns = [...kept, ...made]
  return `${page.slice(0, from)}${begin}\n\n${sectionText(columns)}\n\n${page.slice(to)}`
}

/** The old column with these rows of the new one. */
function withRows(old: Column, { engine, said, cells }: Column, rows: readonly string[]): Column {
  const isNew = ({ row }: Cell): boolean => rows.includes(row)
  return {
    engine,
    said: [...old.said, ...said],
    cells: [...old.cells.filter(cell => !isNew(cell)), ...cells.filter(isNew)],
  }
}

function sectionText(columns: readonly Column[]): string {
  const inOrder = columns.toSorted((a, b) => a.engine.localeCompare(b.engine))
  return [
    'Of all times that something was measured, the worst.',
    '',
    ...inOrder.flatMap(({ said }) => said),
    '',
    tableText(inOrder),
  ].join('\n')
}

/** A line for each figure, and in it a column for each engine. */
function tableText(columns: readonly Column[]): string {
  const lines = new Map(columns.flatMap(({ cells }) => cells).map(cell => [keyOf(cell), cell]))
  const rows = [...lines]
    .toSorted(([, a], [, b]) => a.row.localeCompare(b.row))
    .map(([key, { row, what }]) => {
      const same = columns.map(({ cells }) => cells.find(cell => keyOf(cell) === key))
      // What depends on the number of threads has a limit for each engine.
      const limits = new Set(same.flatMap(cell => (cell === undefined ? [] : cell.limit)))
      return [row, what, [...limits].join(LIMITS), ...same.map(cell => cell?.figure ?? '')]
    })
  const head = [...HEAD, ...columns.map(({ engine }) => engine)]
  return [head, head.map(() => '---'), ...rows].map(cells => `| ${cells.join(CELLS)} |`).join('\n')
}

const HEAD = ['row', 'what', 'limit']
const CELLS = ' | '
const LIMITS = ', '

function columnOf({ engine, workers, seed, seconds, criteria, played, missing }: SoakReport, run: Run): Column {
  const made = `\`${run.command}\`, ${run.date}, ${run.machine}`
  const told = `${played} played in ${seconds} s, ${criteria.length} figures, ${failedOf(criteria)} failed`
  const without = missing.map(one => `; not played: ${one}`).join('')
  return {
    engine,
    said: [`- ${engine}, ${workers} workers, seed ${seed}: ${made}: ${told}${without}`],
    cells: criteria.map(one => {
      const figure = figureText(one.worst, one.unit)
      return { row: one.row, what: one.what, limit: limitText(one), figure: one.ok ? figure : `**${figure}**` }
    }),
  }
}

/** Reads what `sectionText` wrote. */
function columnsOf(section: string): readonly Column[] {
  const lines = section.split('\n')
  const [head = [], , ...rows] = lines.filter(line => line.startsWith('|')).map(line => line.slice(2, -2).split(CELLS))
  return head.slice(HEAD.length).map((engine, index, engines) => ({
    engine,
    said: lines.filter(line => line.startsWith(`- ${engine},`)),
    cells: rows.flatMap(([row = '', what = '', limit = '', ...figures]) => {
      const [figure, limits] = [figures[index] ?? '', limit.split(LIMITS)]
      const own = limits.length === engines.length ? limits[index] : limits[0]
      return figure === '' ? [] : { row, what, limit: own ?? '', figure }
    }),
  }))
}

function keyOf({ row, what }: Cell): string {
  return `${row} ${what}`
}
