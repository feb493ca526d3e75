/** The figures as tables, and as the page of the documentation. Knows nothing of how they were won. */
import { arch, cpus, release, totalmem, type } from 'node:os'
import { type Figure, MODES, estimateText, rounded } from '@socksmith/instruments/bench'
import { crowdOctets, verdicts } from './demands.ts'
import { type RateMeasure, RATES } from './measures.ts'
import type { Program } from './program.ts'
import { CEILING, type Results } from './results.ts'

/** A row of figures: a program, or no proxy at all. */
interface Line {
  readonly key: string
  readonly name: string
}

/** All tables, under headings. */
export function tables(results: Results, programs: readonly Program[]): string {
  const lines: readonly Line[] = [{ key: CEILING, name: 'no proxy' }, ...programs]
  return `## Speed

In brackets: the ratio to no proxy at all.

${speedTable(results, lines)}
## Against the others

socksmith with two workers, as a ratio. In brackets: between which figures it would be 95 times in 100 if all were measured again.

${otherTable(results, programs)}
${rulesTable(results)}## Latency

Milliseconds, p50 and p99.

${latencyTable(results, lines)}
## Cost

${costTable(results, programs)}
## Targets

A target is met, or not, when the whole interval in brackets says so; where it lies on both sides, the median decides, within chance.

${targetTable(results)}${failureList(results)}`
}

function speedTable(results: Results, lines: readonly Line[]): string {
  const rates = measuredOf(results, lines)
  const cell = ({ key }: Line, rate: RateMeasure): string => {
    const figure = results.figure(rate.key, key)
    if (figure === undefined) return '-'
    const ratio = results.ratio({ measure: rate.key, program: key }, { measure: rate.key, program: CEILING })
    const shown = ratio === undefined || key === CEILING ? '' : ` (${ratio.median.toFixed(2)})`
    return `${rounded(figure.perSecond)}${shown}${lostText(figure)}`
  }
  return markdownTable([
    ['', ...rates.map(({ title }) => title)],
    ...lines.map(line => [line.name, ...rates.map(rate => cell(line, rate))]),
  ])
}

function measuredOf(results: Results, lines: readonly Line[]): readonly RateMeasure[] {
  return RATES.filter(rate => lines.some(({ key }) => results.figure(rate.key, key) !== undefined))
}

function lostText({ lostShare = 0 }: Figure): string {
  return lostShare === 0 ? '' : `, ${rounded(lostShare * 100)} % lost`
}

function latencyTable(results: Results, lines: readonly Line[]): string {
  const rates = measuredOf(results, lines).filter(({ mode }) => mode === 'open' || mode === 'roundtrip')
  const cell = ({ key }: Line, rate: RateMeasure): string => {
    const latencies = results.figure(rate.key, key)?.latencies
    return latencies === undefined ? '-' : `${rounded(latencies.p50)}, ${rounded(latencies.p99)}`
  }
  return markdownTable([
    ['', ...rates.map(({ title }) => withoutUnit(title))],
    ...lines.map(line => [line.name, ...rates.map(rate => cell(line, rate))]),
  ])
}

function otherTable(results: Results, programs: readonly Program[]): string {
  const others = programs.filter(({ key }) => !key.startsWith('socksmith'))
  const rows = measuredOf(results, programs).map(({ key, title }) => {
    const ratios = others.map(({ key: program }) =>
      results.ratio({ measure: key, program: 'socksmith' }, { measure: key, program }),
    )
    const known = ratios.filter(ratio => ratio !== undefined)
    const best = known.length === 0 ? '-' : Math.min(...known.map(ratio => ratio.median)).toFixed(2)
    const shown = ratios.map(ratio => (ratio === undefined ? '-' : estimateText(ratio)))
    return [withoutUnit(title), best].concat(shown)
  })
  return markdownTable([['', 'to the best other', ...others.map(({ name }) => `to ${name}`)], ...rows])
}

/** What a thousand rules and counted sessions leave of the figures without them. */
function rulesTable(results: Results): string {
  const [one, other] = ['socksmith-rules', 'socksmith']
  const rows = RATES.flatMap(({ key, title, needs }) => {
    const ratio = results.ratio({ measure: key, program: one }, { measure: key, program: other })
    return ratio === undefined || needs === 'password' ? [] : [[withoutUnit(title), estimateText(ratio)]]
  })
  return rows.length === 0
    ? ''
    : `## With 1,000 rules

Two workers with 1,000 rules, of which the last one decides, and sessions counted by client, user and rule, as a ratio to
two workers without.

${markdownTable([['', 'to without'], ...rows])}
`
}

const KIB = 1_024
const MIB = 1_024 * KIB

function costTable(results: Results, programs: readonly Program[]): string {
  const rates = measuredOf(results, programs)
  const cpu = ({ key, mode }: RateMeasure, program: string): string => {
    const seconds = results.figure(key, program)?.cpuSecondsPerUnit
    // Below a second, so that no figure has more noughts than digits.
    return seconds === undefined ? '-' : rounded(seconds * MODES[mode].cpuPer.units * 1_000)
  }
  const row = ({ key, name }: Program): readonly string[] => {
    const [idle, stall, crowd] = ['idle', 'stall', 'crowd'].map(hold => results.hold(hold, key))
    const rest = results.rest(key)
    return [
      name,
      ...rates.map(rate => cpu(rate, key)),
      rest === undefined ? '-' : rounded(rest / MIB),
      shown(idle?.memory?.octetsPerTunnel),
      shown(idle?.memory?.octetsPerTunnelFromFresh),
      shown(stall?.memory && stall.memory.octetsPerTunnel / KIB),
      shown(crowd && crowdOctets(crowd) / MIB),
    ]
  }
  const heads = rates.map(({ title, mode }) => `${withoutUnit(title)}: CPU ms per ${MODES[mode].cpuPer.name}`)
  const memory = [
    'idle process, MiB',
    'idle tunnel, octets',
    'the same from a fresh start',
    'stalled reader, KiB',
    '9,000 idle and 500 busy, MiB',
  ]
  return markdownTable([['', ...heads, ...memory], ...programs.map(row)])
}

function withoutUnit(title: string): string {
  return title.replace(/(, MiB)?\/s$/, '')
}

function shown(value: number | undefined): string {
  return value === undefined ? '-' : rounded(value)
}

function targetTable(results: Results): string {
  const rows = verdicts(results).map(({ demand, target, found, met }) => [
    demand,
    target,
    found ?? 'not measured',
    met ?? '',
  ])
  return markdownTable([['', 'target', 'found', ''], ...rows])
}

function failureList({ failures }: Results): string {
  return failures.length === 0 ? '' : `\nNot measured:\n\n${failures.map(text => `- ${text}\n`).join('')}`
}

function line(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |\n`
}

/** Padded, so that it can be read as text too. The first row is the head. */
function markdownTable(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, at) => Math.max(3, ...rows.map(row => row[at]?.length ?? 0)))
  const padded = rows.map(row =>
    line(widths.map((width, at) => (at === 0 ? (row[at] ?? '').padEnd(width) : (row[at] ?? '').padStart(width)))),
  )
  const rule = line(widths.map((width, at) => (at === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`)))
  return [padded[0], rule, ...padded.slice(1)].join('')
}

export interface Conditions {
  readonly command: string
  readonly seconds: number
  readonly rounds: number
  readonly warmUpSeconds: number
  readonly programs: readonly Program[]
  /** Processes that wanted to run in the minute before. */
  readonly load: number
  /** Name and version of each foreign program, as the system's packages tell. */
  readonly versions: readonly string[]
}

/** docs/benchmarks.md. */
export function page(results: Results, conditions: Conditions): string {
  const { command, seconds, rounds, warmUpSeconds, programs, load, versions } = conditions
  const processors = cpus()
  // Others at work on the machine make a figure worth little, and a reader should know.
  const machine = [
    `${processors.length} × ${processors[0]?.model.trim() ?? arch()}`,
    `${Math.round(totalmem() / 2 ** 30)} GiB`,
    `${type()} ${release()}`,
    `Node ${process.versions.node}`,
    ...versions,
    `load average before the run ${load.toFixed(1)}`,
  ]
  return `# Benchmarks

Written by \`${command}\`; run it to get your own figures. Read the ratios; the absolute figures belong to the machine.

Machine: ${machine.join(', ')}. Date: ${new Date().toISOString().slice(0, 10)}.

${tables(results, programs)}
## What is measured

Everything on loopback, SOCKS5, by [socksmith bench](bench.md): the load is one thread of one Node process, the target
another one, both on socksmith's own engine, with ordinary sends and receives (datagrams of one turn leave segmented, GSO, and come one by one). On a small machine they take processor
time from the proxy; so does the proxy from them, and the ceiling is theirs.

Each rate is the median of ${rounds} rounds of ${seconds} s. In a round every measurement is taken for all programs, one
after the other, and a ratio is the median of the ratios within each round. Before, each program has had ${warmUpSeconds} s of each load
that do not count: JavaScript is compiled while it runs, and a server runs for weeks. Processor time is user and system time of all
processes of the program. Memory is the proportional set size of all its processes, without what the kernel holds for
sockets; each program is started anew for it. Before tunnels are held, as many are opened and closed until that leaves
nothing more behind; the figure from a fresh start counts what was left behind too.

- Tunnels opened: a tunnel counts when one octet has gone to an echo and come back, and is then reset; p50 and p99 are
  from the first step to that octet.
- Round trips and echoes: every message is compared with what was sent. A datagram that is away for 50 ms is lost.
- A stalled reader: its source sends without end and nobody reads. 64 are there first, and what 192 more take is told: what a
  program with a garbage collector leaves lying on the way is bounded for the process, and not held by a tunnel.

The commands, each with its log to a file:

${programs.map(({ shown }) => `- \`${shown}\`\n`).join('')}`
}
