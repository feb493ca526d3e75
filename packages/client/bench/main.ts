/**
 * Measures the client beside `socks`, `socks-proxy-agent` and undici's own SOCKS agent. Loopback only; it stops by
 * itself. `--seconds N` for each measurement, `--rounds N`, `--short` for a quick look, `--only TEXT` for the rows whose
 * title has it, `--write` to write docs/client-benchmarks.md.
 */
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { Worker } from 'node:worker_threads'
import { type Run, rowsFor } from './measures.ts'
import { type Result, type Sample, page, resultOf, table } from './report.ts'

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '1' },
    rounds: { type: 'string', default: '7' },
    short: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
    write: { type: 'boolean', default: false },
  },
})
const seconds = values.short ? 0.2 : Number(values.seconds)
const rounds = values.short ? 3 : Number(values.rounds)
if (!(seconds > 0 && seconds <= 60)) throw new Error('--seconds is a number above 0, 60 at most')
if (!Number.isInteger(rounds) || rounds < 1 || rounds > 100) throw new Error('--rounds is a number from 1 to 100')

// undici says that its SOCKS agent is experimental.
process.removeAllListeners('warning')

const counterpart = new Worker(new URL('counterpart.ts', import.meta.url))
try {
  const [port] = (await once(counterpart, 'message')) as [number]
  const results = await measureAll(port)
  process.stdout.write(table(results))
  if (values.write) {
    await writeFile(
      'docs/client-benchmarks.md',
      page(results, {
        command: `npm run bench:client -- --write --seconds ${seconds} --rounds ${rounds}`,
        seconds,
        rounds,
      }),
    )
  }
} finally {
  await counterpart.terminate()
}

async function measureAll(port: number): Promise<readonly Result[]> {
  const rows = rowsFor(port).filter(({ title }) => title.includes(values.only))
  const samples = rows.map(({ runs }) => runs.map((): Sample[] => []))
  // The first round only makes the code warm.
  for (let round = 0; round <= rounds; round++) {
    for (const [at, { runs }] of rows.entries()) {
      // Nobody always has the warmer cache: who begins changes from round to round.
      for (let turn = 0; turn < runs.length; turn++) {
        const index = (turn + round) % runs.length
        const sample = await sampleOf(runs[index] as Run)
        if (round > 0) samples[at]?.[index]?.push(sample)
      }
    }
    process.stderr.write(round === 0 ? 'warm\n' : `round ${round} of ${rounds}\n`)
  }
  return rows.map(({ title, unit, runs }, at) => resultOf(title, unit, runs, samples[at] ?? []))
}

async function sampleOf({ run }: Run): Promise<Sample> {
  const before = process.threadCpuUsage()
  const rate = await run(seconds)
  const { user, system } = process.threadCpuUsage(before)
  return { rate, cpuMicroseconds: (user + system) / (rate * seconds) }
}
