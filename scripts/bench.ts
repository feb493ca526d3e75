/**
 * Measures the server against no proxy at all, and against other proxies that are installed. Loopback only; it stops by
 * itself. `--seconds N` for each measurement, `--short` for a quick look, `--write` to write docs/benchmarks.md.
 */
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Worker } from 'node:worker_threads'
import { type Measure, TUNNELS, download, opening, roundTrips } from '../bench/measure.ts'
import { type Proxy, startProxies } from '../bench/proxy.ts'
import { type Figure, type Row, page, table } from '../bench/report.ts'
import type { TargetPorts } from '../bench/target.ts'

/** In the order of the report's columns. */
const MEASURES: readonly Measure[] = [download, opening, roundTrips]
/** The least with a median. */
const ROUNDS = 3
const SHORT_SECONDS = 0.3

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '2' },
    short: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
  },
})
const seconds = values.short ? SHORT_SECONDS : Number(values.seconds)
if (!(seconds > 0 && seconds <= 60)) throw new Error('--seconds is a number above 0, 60 at most')

const folder = await mkdtemp(join(tmpdir(), 'socksmith-bench-'))
const target = new Worker(new URL('../bench/target.ts', import.meta.url))
const proxies: Proxy[] = []
try {
  const [ports] = (await once(target, 'message')) as [TargetPorts]
  proxies.push(...(await startProxies(folder)))
  const rows = await measureAll(ports)
  process.stdout.write(table(rows))
  if (values.write) {
    const command = `npm run bench -- --write${values.short ? ' --short' : seconds === 2 ? '' : ` --seconds ${seconds}`}`
    await writeFile('docs/benchmarks.md', page(rows, { command, seconds, rounds: ROUNDS, tunnels: TUNNELS }))
  }
} finally {
  await Promise.all(proxies.map(proxy => proxy.end()))
  await target.terminate()
  await rm(folder, { recursive: true })
}

async function measureAll(ports: TargetPorts): Promise<readonly Row[]> {
  const programs = [undefined, ...proxies]
  const rounds = programs.map(() => MEASURES.map((): Figure[] => []))
  for (let round = 1; round <= ROUNDS; round++) {
    for (const [column, measure] of MEASURES.entries()) {
      for (const [row, proxy] of programs.entries()) {
        rounds[row]?.[column]?.push(await measureOne(measure, proxy, ports))
      }
    }
    process.stderr.write(`round ${round} of ${ROUNDS}\n`)
  }
  return programs.map((proxy, row) => ({
    name: proxy?.name ?? 'no proxy',
    figures: rounds[row]?.map(median) ?? [],
  }))
}

async function measureOne(measure: Measure, proxy: Proxy | undefined, ports: TargetPorts): Promise<Figure> {
  if (proxy === undefined) {
    const done = await measure({ kind: 'direct' }, ports, seconds)
    return { perSecond: done.amount / done.seconds }
  }
  const before = proxy.cpuSeconds()
  const done = await measure({ kind: 'socks5', port: proxy.port }, ports, seconds).catch((cause: unknown) => {
    throw new Error(`${proxy.name} failed`, { cause })
  })
  return {
    perSecond: done.amount / done.seconds,
    cpuSecondsPerUnit: (proxy.cpuSeconds() - before) / done.amount,
  }
}

function median(figures: readonly Figure[]): Figure {
  return figures.toSorted((a, b) => a.perSecond - b.perSecond)[Math.floor(figures.length / 2)] as Figure
}
