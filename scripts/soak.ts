/**
 * Loads a real `socksmith serve` with honest clients and faults at random, and says what held.
 *
 *   --minutes N    for all engines together (10)
 *   --engine NAME  linux, node or both (both)
 *   --workers N    threads of the Linux engine (2)
 *   --seed S       of the order and the sizes (the time)
 *   --only ROWS    the faults of these rows, each once, in full size
 *   --full         each fault once, in full size
 *   --alone        each row of the plan by itself, in the plan's own amounts and held to its own limits, without other load
 *   --write        writes the figures into docs/reliability.md; those of an engine that was left out stay, with --alone --only also
 *                  those of the other rows
 *   --json         the report as JSON on standard output, progress on standard error
 *   --list         the faults with their rows
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { TRIALS } from '../test/soak/alone/all.ts'
import { playAlone } from '../test/soak/alone/run.ts'
import { criteriaTable, failedOf, isShown } from '../test/soak/criteria.ts'
import { withFigures } from '../test/soak/figures.ts'
import { FAULTS } from '../test/soak/faults/all.ts'
import { runInside } from '../test/soak/room.ts'
import { type SoakReport, soak } from '../test/soak/soak.ts'
import { readFlags } from './flags.ts'

/** Starting, warming up, coming to rest and draining, for each engine. */
const AROUND_MS = 8_000
/** Up to this a run is short: its faults are small, so that there is time for all. */
const SHORT_MINUTES = 3
/** As many as `serve` takes. */
const WORKERS_MAX = 64
const ENGINES = ['linux', 'node'] as const
const PAGE = 'docs/reliability.md'

const { values, refuse, whole, positive } = readFlags(
  'npm run soak -- [--minutes N] [--engine linux|node|both] [--workers N] [--seed S] [--only ROWS] [--full | --alone] [--write] [--json] [--list]',
  {
    minutes: { type: 'string', default: '10' },
    engine: { type: 'string', default: 'both' },
    workers: { type: 'string', default: '2' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
    only: { type: 'string' },
    full: { type: 'boolean', default: false },
    alone: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    list: { type: 'boolean', default: false },
  },
)
const minutes = positive('--minutes', values.minutes, 10 ** 6)
const workers = whole('--workers', values.workers, 0, WORKERS_MAX)
const seed = whole('--seed', values.seed, 0, 2 ** 32)
const engines = enginesOf(values.engine)
if (values.full && values.only !== undefined) refuse('--full and --only: one of them')
if (values.full && values.alone) refuse('--full and --alone: one of them')
if (values.write && values.only !== undefined && !values.alone) refuse('--write and --only: only with --alone')
const rows = values.only?.split(',')
const trials = values.alone ? shownBy(TRIALS) : []
const faults = values.alone ? [] : shownBy(FAULTS)
const isFull = values.full || rows !== undefined

if (values.list) {
  for (const one of values.alone ? TRIALS : FAULTS) {
    process.stdout.write(`${one.rows.join(' ').padEnd(12)} ${one.name}\n`)
  }
} else {
  // Whatever a fault has left open here, it is over.
  process.exit((await runInside()) ?? (await main()))
}

async function main(): Promise<number> {
  const say = (line: string): void => void (values.json ? process.stderr : process.stdout).write(`${line}\n`)
  const reports: SoakReport[] = []
  for (const engine of engines) {
    const threads = engine === 'node' ? 0 : workers
    say(`engine ${engine}, ${threads} workers, seed ${seed}`)
    const common = { engine, workers: threads, seed, say }
    reports.push(
      values.alone
        ? await playAlone({ ...common, trials })
        : await soak({
            ...common,
            size: isFull ? 'full' : minutes <= SHORT_MINUTES ? 'short' : 'long',
            playMs: Math.max(1_000, (minutes * 60_000) / engines.length - AROUND_MS),
            ...(isFull && { only: faults }),
          }),
    )
    if (!values.json) say(reportText(reports.at(-1) as SoakReport))
  }
  if (values.write) writePage(reports)
  if (values.json) writeFileSync(1, `${JSON.stringify(reports, undefined, 2)}\n`)
  for (const { engine, played } of reports) {
    if (played === 0) process.stderr.write(`engine ${engine}: no fault was played, and so nothing is shown\n`)
  }
  return reports.every(({ played, criteria }) => isShown(played, criteria)) ? 0 : 1
}

function writePage(reports: readonly SoakReport[]): void {
  const machine = `Node ${process.version}, ${availableParallelism()} cores`
  const date = new Date().toISOString().slice(0, 'YYYY-MM-DD'.length)
  const command = ['npm run soak --', ...process.argv.slice(2)].join(' ')
  const section = values.alone ? 'alone' : values.full ? 'soak in full size' : 'soak'
  writeFileSync(PAGE, withFigures(readFileSync(PAGE, 'utf8'), section, reports, { command, date, machine }, rows))
}

function reportText({ engine, workers, seed, seconds, criteria, played, missing, failures, log }: SoakReport): string {
  const failed = failedOf(criteria)
  return [
    '',
    criteriaTable(criteria),
    '',
    ...missing.map(one => `not played: ${one}`),
    ...failures.map(one => `failed: ${one}`),
    ...(log === undefined ? [] : [`the server's log is kept: ${log}`]),
    `engine ${engine}, ${workers} workers, seed ${seed}: ${played} played, ${missing.length} not; ${criteria.length} figures in ${seconds} s, ${failed} failed`,
    '',
  ].join('\n')
}

function enginesOf(name: string): readonly (typeof ENGINES)[number][] {
  const engines = ENGINES.filter(engine => name === 'both' || name === engine)
  return engines.length > 0 ? engines : refuse(`--engine ${name}: there are linux, node and both`)
}

/** Those that show one of the rows that were asked for. */
function shownBy<T extends { readonly rows: readonly string[] }>(all: readonly T[]): readonly T[] {
  const unknown = rows?.find(row => !all.some(one => one.rows.includes(row)))
  if (unknown !== undefined) refuse(`--only ${unknown}: no fault shows this row; --list tells what there is`)
  return all.filter(one => rows === undefined || one.rows.some(row => rows.includes(row)))
}
