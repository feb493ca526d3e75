/**
 * Measures the client beside `socks`, `socks-proxy-agent` and undici's own SOCKS agent. Loopback only; it stops by
 * itself. `--seconds N` for each measurement, `--rounds N`, `--short` for a quick look, `--only TEXT` for the rows whose
 * title has it, `--write` to write docs/client-benchmarks.md.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { readFlags } from '../../../scripts/flags.ts'
import { rowsFor } from './measures.ts'
import { type Result, page, table } from './report.ts'

const { values, refuse, whole, positive } = readFlags(
  'npm run bench:client -- [--seconds N] [--rounds N] [--short] [--only TEXT] [--write]',
  {
    seconds: { type: 'string', default: '1' },
    rounds: { type: 'string', default: '7' },
    short: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
    write: { type: 'boolean', default: false },
  },
)
const seconds = values.short ? 0.2 : positive('--seconds', values.seconds, 60)
const rounds = values.short ? 3 : whole('--rounds', values.rounds, 1, 100)
// Only their titles: nobody dials this port.
const rows = rowsFor(1).filter(row => row.title.includes(values.only))
if (rows.length === 0) refuse(`--only ${values.only}: no row has this in its title`)

const results: Result[] = []
for (const { title } of rows) results.push(await measured(title))
process.stdout.write(table(results))
if (values.write) {
  const command = `npm run bench:client -- --write --seconds ${seconds} --rounds ${rounds}`
  await writeFile('docs/client-benchmarks.md', page(results, { command, seconds, rounds }))
}

/** The row in a process of its own: what one leaves to the collector and to the compiler is not the cost of the next. */
async function measured(title: string): Promise<Result> {
  process.stderr.write(`${title}\n`)
  const child = fork(new URL('row.ts', import.meta.url), [title, String(seconds), String(rounds)])
  let result: Result | undefined
  child.on('message', message => (result = message as Result))
  const [code] = (await once(child, 'close')) as [number | null]
  if (result === undefined) throw new Error(`no figures of "${title}": its process ended with ${code}`)
  return result
}
