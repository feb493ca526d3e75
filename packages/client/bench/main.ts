/**
 * Measures the client beside `socks`, `socks-proxy-agent` and undici's own SOCKS agent. Loopback only; it stops by
 * itself. `--seconds N` for each measurement, `--rounds N`, `--short` for a quick look, `--only TEXT` for the rows whose
 * title has it, `--write` to write docs/client-benchmarks.md.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { rowsFor } from './measures.ts'
import { type Result, page, table } from './report.ts'

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

const results: Result[] = []
// Only their titles: nobody dials this port.
for (const { title } of rowsFor(1).filter(row => row.title.includes(values.only))) results.push(await measured(title))
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
