/**
 * Loads a real `socksmith serve` with honest clients and faults at random, and says what held.
 *
 *   --minutes N    for all engines together (10)
 *   --engine NAME  linux, node or both (both)
 *   --workers N    threads of the Linux engine (2)
 *   --seed S       of the order and the sizes (the time)
 *   --only ROWS    the faults of these rows, each once, in full size
 *   --json         the report as JSON on standard output, progress on standard error
 *   --list         the faults with their rows
 */
import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { criteriaTable } from '../test/soak/criteria.ts'
import { FAULTS } from '../test/soak/faults/all.ts'
import { runInside } from '../test/soak/room.ts'
import { type SoakReport, soak } from '../test/soak/soak.ts'

/** Starting, warming up, coming to rest and draining, for each engine. */
const AROUND_MS = 8_000
/** Up to this a run is short: its faults are small, so that there is time for all. */
const SHORT_MINUTES = 3

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    engine: { type: 'string', default: 'both' },
    workers: { type: 'string', default: '2' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
    only: { type: 'string' },
    json: { type: 'boolean', default: false },
    list: { type: 'boolean', default: false },
  },
})
if (values.list) {
  for (const { rows, name } of FAULTS) process.stdout.write(`${rows.join(' ').padEnd(12)} ${name}\n`)
} else {
  // Whatever a fault has left open here, it is over.
  process.exit((await runInside()) ?? (await main()))
}

async function main(): Promise<number> {
  const [minutes, workers, seed] = [Number(values.minutes), Number(values.workers), Number(values.seed)]
  if (!(minutes > 0) || !Number.isSafeInteger(workers) || workers < 0 || !Number.isSafeInteger(seed)) {
    return usage('--minutes, --workers and --seed are numbers')
  }
  const engines = values.engine === 'both' ? (['linux', 'node'] as const) : [values.engine].filter(isEngine)
  if (engines.length === 0) return usage('--engine is linux, node or both')
  const rows = values.only?.split(',')
  const only = rows && FAULTS.filter(fault => fault.rows.some(row => rows.includes(row)))
  if (only?.length === 0) return usage(`no fault shows ${values.only}; --list tells what there is`)
  const say = (line: string): void => void (values.json ? process.stderr : process.stdout).write(`${line}\n`)
  const reports: SoakReport[] = []
  for (const engine of engines) {
    const threads = engine === 'node' ? 0 : workers
    say(`engine ${engine}, ${threads} workers, seed ${seed}`)
    reports.push(
      await soak({
        engine,
        workers: threads,
        seed,
        size: only ? 'full' : minutes <= SHORT_MINUTES ? 'short' : 'long',
        playMs: Math.max(1_000, (minutes * 60_000) / engines.length - AROUND_MS),
        ...(only && { only }),
        say,
      }),
    )
    if (!values.json) say(reportText(reports.at(-1) as SoakReport))
  }
  if (values.json) writeFileSync(1, `${JSON.stringify(reports, undefined, 2)}\n`)
  return reports.every(({ criteria }) => criteria.every(({ ok }) => ok)) ? 0 : 1
}

function reportText({ engine, workers, seed, seconds, criteria, missing, failures, log }: SoakReport): string {
  const failed = criteria.filter(({ ok }) => !ok).length
  return [
    '',
    criteriaTable(criteria),
    '',
    ...missing.map(one => `not played: ${one}`),
    ...failures.map(one => `an honest client failed: ${one}`),
    ...(log === undefined ? [] : [`the server's log is kept: ${log}`]),
    `engine ${engine}, ${workers} workers, seed ${seed}: ${criteria.length} figures in ${seconds} s, ${failed} failed`,
    '',
  ].join('\n')
}

function isEngine(name: string): name is 'linux' | 'node' {
  return name === 'linux' || name === 'node'
}

function usage(what: string): number {
  process.stderr.write(
    `${what}\nusage: npm run soak -- [--minutes N] [--engine linux|node|both] [--workers N] [--seed S] [--only ROWS] [--json] [--list]\n`,
  )
  return 64
}
