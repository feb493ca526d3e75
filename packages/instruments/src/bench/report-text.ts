/** A report as a table for people. Knows nothing of how the figures were won. */
import type { Failure } from '@socksmith/protocol'
import type { HeldMemory, HoldReport } from './hold.ts'
import type { Percentiles } from './latencies.ts'
import { MODES, type RateMode } from './mode.ts'
import type { BenchReport, Figure, ModeReport, RateReport } from './report.ts'

/** The table, under it what was held, and why a mode has no figure. Ends with a line end. */
export function benchText(report: BenchReport): string {
  const rates = report.modes.flatMap(mode => (mode.kind === 'rate' ? rowsOf(mode) : []))
  const others = report.modes.flatMap(otherText)
  const rounds = report.rounds === 1 ? 'one round' : `medians of ${report.rounds} rounds`
  const warm = report.warmUpSeconds === 0 ? '' : ` after ${report.warmUpSeconds} s that do not count`
  const terms = `${rounds} of ${report.seconds} s each way${warm}; ratio: to no proxy; load on the ${report.engine} engine`
  const parts = [
    report.proxy,
    ...(rates.length === 0 ? [] : [`${alignedTable([HEAD, ...rates])}\n${terms}`]),
    ...(others.length === 0 ? [] : [others.join('\n')]),
  ]
  return `${parts.join('\n\n')}\n`
}

/** A sentence for a failure, in the words of whoever told it. */
export function failureText({ code, detail, errno }: Failure): string {
  return detail ?? errno ?? code
}

/** More digits than three would be noise: 4,358, 62.4, 0.123. */
export function rounded(value: number): string {
  return value.toLocaleString('en', value < 100 ? { maximumSignificantDigits: 3 } : { maximumFractionDigits: 0 })
}

const HEAD = ['', 'streams', 'a second', 'ratio', 'p50 ms', 'p90', 'p99', 'p99.9', 'max', 'lost', 'CPU s']

function rowsOf({ mode, unit, streams, direct, proxy, ratio }: RateReport): readonly (readonly string[])[] {
  return [
    [`${mode}, ${unit}`, String(streams), ...cellsOf(mode, proxy, ratio)],
    ['  no proxy', '', ...cellsOf(mode, direct)],
  ]
}

function cellsOf(mode: RateMode, figure: Figure, ratio?: number): readonly string[] {
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

function otherText(report: ModeReport): readonly string[] {
  if (report.kind === 'rate') return []
  if (report.kind === 'failed') return [`${report.mode}: ${failureText(report.failure)}`]
  return [`${report.mode}: ${holdText(report)}`]
}

function holdText({ mode, tunnels, memory, answered, busy, source }: HoldReport): string {
  return [
    `${rounded(tunnels)} tunnels`,
    memory === undefined
      ? 'memory not known (say --pid; it must be a process that you may look into)'
      : memoryText(memory, mode),
    ...(answered === undefined ? [] : [`${rounded(answered)} of them answered at the end`]),
    ...(busy === undefined ? [] : [`${busy.streams} others meanwhile: ${rounded(busy.tripsPerSecond)} round trips/s`]),
    ...(source === undefined
      ? []
      : [
          `${rounded(source.octetsPerTunnel / 1_024)} KiB left each source`,
          source.isPaused ? 'which then rested' : 'which did not rest',
        ]),
  ].join(', ')
}

function memoryText(memory: HeldMemory, mode: HoldReport['mode']): string {
  const { octetsPerTunnel, freshOctets, beforeOctets, warmUps, withOctets } = memory
  const mib = (octets: number): string => `${rounded(octets / 2 ** 20)} MiB`
  const rounds = warmUps === 1 ? '1 round' : `${warmUps} rounds`
  const first = mode === 'stall' ? ' and with the first quarter' : ''
  const after = `${mib(beforeOctets)} after ${rounds} of opening and closing${first}`
  return `${rounded(octetsPerTunnel)} octets of memory each (${mib(freshOctets)} at first, ${after}, ${mib(withOctets)} with them)`
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
