/** A report as a table for people. Knows nothing of how the figures were won. */
import type { Failure } from '@socksmith/protocol'
import type { Percentiles } from './latencies.ts'
import { MODES } from './mode.ts'
import type { BenchReport, Figure, ModeReport } from './run.ts'

/** The table, and under it why a mode has no figure. Ends with a line end. */
export function benchText(report: BenchReport): string {
  const rows = report.modes.flatMap(rowsOf)
  const shown = alignedTable([HEAD, ...rows])
  const failed = report.modes.flatMap(({ mode, proxy }) =>
    'code' in proxy ? [`${mode}: ${failureText(proxy)}\n`] : [],
  )
  const terms = `${report.rounds} rounds of ${report.seconds} s each way, medians; ratio: to no proxy; load on the ${report.engine} engine\n`
  return `${report.proxy}\n\n${shown}\n${failed.join('')}${terms}`
}

/** A sentence for a failure, in the words of whoever told it. */
export function failureText({ code, detail, errno }: Failure): string {
  return detail ?? errno ?? code
}

const HEAD = ['', 'streams', 'a second', 'ratio', 'p50', 'p90', 'p99', 'p99.9', 'max ms', 'lost', 'CPU s']

function rowsOf(report: ModeReport): readonly (readonly string[])[] {
  const { mode, unit, direct, proxy, ratio } = report
  const streams = String(report.streams)
  const through = 'code' in proxy ? ['-'] : cellsOf(report, proxy, ratio)
  return [
    [`${mode}, ${unit}`, streams, ...through],
    ['  no proxy', streams, ...cellsOf(report, direct)],
  ]
}

function cellsOf({ mode }: ModeReport, figure: Figure, ratio?: number): readonly string[] {
  const { cpuPer } = MODES[mode]
  const cpu = figure.cpuSecondsPerUnit
  return [
    rounded(figure.perSecond),
    ratio === undefined ? '' : ratio.toFixed(2),
    ...latencyCells(figure.latencies),
    figure.lostShare === undefined ? '' : `${(figure.lostShare * 100).toFixed(2)} %`,
    cpu === undefined ? '' : `${rounded(cpu * cpuPer.units)} per ${cpuPer.name}`,
  ]
}

function latencyCells(latencies: Percentiles | undefined): readonly string[] {
  if (latencies === undefined) return ['', '', '', '', '']
  const { p50, p90, p99, p999, max } = latencies
  return [p50, p90, p99, p999, max].map(rounded)
}

/** More digits than three would be noise: 4,358, 62.4, 0.123. */
export function rounded(value: number): string {
  return value.toLocaleString('en', value < 100 ? { maximumSignificantDigits: 3 } : { maximumFractionDigits: 0 })
}

// The first column to the left, figures to the right; a column without a figure is left out.
function alignedTable(rows: readonly (readonly string[])[]): string {
  const columns = HEAD.map((_, at) => rows.map(row => row[at] ?? ''))
  const used = columns.filter((cells, at) => at === 0 || cells.slice(1).some(cell => cell !== ''))
  const widths = used.map(cells => Math.max(...cells.map(cell => cell.length)))
  return rows
    .map((_, line) => {
      const cells = used.map((column, at) => {
        const cell = column[line] as string
        return at === 0 ? cell.padEnd(widths[at] as number) : cell.padStart(widths[at] as number)
      })
      return `${cells.join('  ').trimEnd()}\n`
    })
    .join('')
}
