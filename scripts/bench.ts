/**
 * Measures our server beside no proxy at all and beside other SOCKS servers that are installed: interleaved, in rounds,
 * medians. Figures are to be read as ratios within one run. `--short` only proves that it works; `--write` puts the
 * table into docs/benchmarks.md.
 */
import { writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { parseArgs } from 'node:util'
import { type Way, download, openTargets, opens, roundTrips } from '../bench/load.ts'
import { startProxies } from '../bench/proxies.ts'

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '3' },
    short: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
  },
})
const seconds = values.short ? 0.3 : Number(values.seconds)
const rounds = values.short ? 1 : Number(values.rounds)

const MEASUREMENTS = [
  { name: 'one stream down, MiB/s', run: download },
  { name: 'tunnels opened/s', run: opens },
  { name: '64-octet round trips/s, 16 tunnels', run: roundTrips },
] as const

interface Contender {
  readonly name: string
  readonly way: Way
  cpuSeconds(): number
  readonly figures: number[][]
  /** CPU seconds for each GiB down. */
  readonly cpuPerGib: number[]
}

const targets = await openTargets()
const proxies = await startProxies()
const contenders: Contender[] = [
  { name: 'no proxy', way: { kind: 'direct' }, cpuSeconds: () => 0, figures: [[], [], []], cpuPerGib: [] },
  ...proxies.map(proxy => ({
    name: proxy.name,
    way: { kind: 'socks5', port: proxy.port } as const,
    cpuSeconds: () => proxy.cpuSeconds(),
    figures: [[], [], []],
    cpuPerGib: [],
  })),
]

for (let round = 0; round < rounds; round++) {
  for (const [index, { name, run }] of MEASUREMENTS.entries()) {
    for (const contender of contenders) {
      process.stderr.write(`round ${round + 1} of ${rounds}: ${name}, ${contender.name}\n`)
      const cpu = contender.cpuSeconds()
      const figure = await run(contender.way, targets, seconds)
      contender.figures[index]?.push(figure)
      if (index === 0) contender.cpuPerGib.push((contender.cpuSeconds() - cpu) / ((figure * seconds) / 1_024))
    }
  }
}
for (const proxy of proxies) await proxy.stop()
targets.close()

const median = (numbers: readonly number[]): number => numbers.toSorted((a, b) => a - b)[numbers.length >> 1] ?? 0
const ceilings = contenders[0]?.figures.map(median) ?? []
const cell = (figure: number, index: number): string =>
  `${Math.round(figure).toLocaleString('en')} (${(figure / (ceilings[index] ?? 1)).toFixed(2)})`
const lines = [
  `| | ${MEASUREMENTS.map(({ name }) => name).join(' | ')} | proxy CPU s per GiB |`,
  `|---|${MEASUREMENTS.map(() => '---').join('|')}|---|`,
  ...contenders.map(({ name, figures, cpuPerGib }) => {
    const cells = figures.map((one, index) => cell(median(one), index))
    return `| ${name} | ${cells.join(' | ')} | ${name === 'no proxy' ? '-' : median(cpuPerGib).toFixed(2)} |`
  }),
]
process.stdout.write(`${lines.join('\n')}\n`)

if (values.write) {
  const machine = `${cpus().length} cores (${cpus()[0]?.model ?? 'unknown'}), Node ${process.versions.node}, ${process.platform}`
  const page = [
    '# Benchmarks',
    '',
    'Medians of one run on one machine; load generator, targets and proxy share its cores, so read them as ratios. In',
    'brackets: the ratio to no proxy at all in the same run. The load generator is a Node program, which is the ceiling of',
    'the direct figures. Sessions are written to a file.',
    '',
    '```sh',
    `npm run bench -- --rounds ${rounds} --seconds ${seconds} --write`,
    '```',
    '',
    `${new Date().toISOString().slice(0, 10)}: ${machine}.`,
    '',
    ...lines,
    '',
  ]
  writeFileSync('docs/benchmarks.md', page.join('\n'))
}
process.exit(0)
