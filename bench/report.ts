/** The figures as a table, and as the page of the documentation. Knows nothing of how they were won. */
import { arch, cpus, release, totalmem, type } from 'node:os'

/** One measurement of one program, the median of its rounds. */
export interface Figure {
  readonly perSecond: number
  /** Seconds of the proxy's processor time for one unit; absent without a proxy. */
  readonly cpuSecondsPerUnit?: number
}

export interface Column {
  readonly title: string
  /** The proxy's processor time is told for so many units, in this unit of time. */
  readonly cpu: { readonly title: string; readonly units: number; readonly perSecond: number }
}

export const COLUMNS: readonly Column[] = [
  { title: 'one stream down, MiB/s', cpu: { title: 'CPU s per GiB', units: 1_024, perSecond: 1 } },
  { title: 'tunnels opened/s', cpu: { title: 'CPU ms per 1,000', units: 1_000, perSecond: 1_000 } },
  { title: '64-octet round trips/s', cpu: { title: 'CPU ms per 1,000', units: 1_000, perSecond: 1_000 } },
]

export interface Row {
  readonly name: string
  /** In the order of `COLUMNS`. */
  readonly figures: readonly Figure[]
}

/** A Markdown table; the first row is the ceiling, against which the others are told. */
export function table(rows: readonly Row[]): string {
  const ceiling = rows[0]?.figures
  const head = ['', ...COLUMNS.flatMap(({ title, cpu }) => [title, cpu.title])]
  const body = rows.map(({ name, figures }) => [
    name,
    ...COLUMNS.flatMap((column, index) => cells(column, figures[index], ceiling?.[index])),
  ])
  const lines = [head, head.map((_, index) => (index === 0 ? '---' : '--:')), ...body]
  return lines.map(line => `| ${line.join(' | ')} |\n`).join('')
}

function cells({ cpu }: Column, figure?: Figure, ceiling?: Figure): readonly string[] {
  if (figure === undefined || ceiling === undefined) return ['-', '-']
  const ratio = (figure.perSecond / ceiling.perSecond).toFixed(2)
  const perUnit = figure.cpuSecondsPerUnit
  return [
    `${shown(figure.perSecond)} (${ratio})`,
    perUnit === undefined ? '-' : shown(perUnit * cpu.units * cpu.perSecond),
  ]
}

// More digits than two or three would be noise.
function shown(value: number): string {
  return value.toLocaleString('en', { maximumFractionDigits: value < 1 ? 2 : value < 10 ? 1 : 0 })
}

export interface Conditions {
  readonly command: string
  readonly seconds: number
  readonly rounds: number
  readonly tunnels: number
}

/** docs/benchmarks.md. */
export function page(rows: readonly Row[], { command, seconds, rounds, tunnels }: Conditions): string {
  const processors = cpus()
  const machine = [
    `${processors.length} × ${processors[0]?.model.trim() ?? arch()}`,
    `${Math.round(totalmem() / 2 ** 30)} GiB`,
    `${type()} ${release()}`,
    `Node ${process.versions.node}`,
  ]
  return `# Benchmarks

Written by \`${command}\`; run it to get your own figures. In brackets: the ratio to no
proxy at all, in the same run. Read the ratios; the absolute figures belong to the machine.

${table(rows)}
Machine: ${machine.join(', ')}. Date: ${new Date().toISOString().slice(0, 10)}.

## What is measured

Everything on loopback, SOCKS5 without a password, each program with its default settings and its log thrown away
(socksmith: the portable engine, \`--engine node\`). The load is one Node process, and the targets are a second thread of it:
they take processor time from the proxy on a small machine, and the ceiling is theirs, not the kernel's. Each figure is
the median of ${rounds} rounds of ${seconds} s; within a round every measurement is taken for all programs, one after the other.

- One stream down: how fast one tunnel carries what its target sends without end.
- Tunnels opened: ${tunnels} at a time; a tunnel counts when one octet has gone to an echo and come back, and is then reset.
- Round trips: 64 octets to an echo and back, in ${tunnels} tunnels, one at a time in each.
- CPU: user and system time of all processes of the proxy, in its median round.

Not measured: UDP, names, passwords, TLS, latency under load, memory, and anything across a real network.
`
}
