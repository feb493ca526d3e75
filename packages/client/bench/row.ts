/** One row of the report, measured in this process: its title, the seconds and the rounds are the arguments. */
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { type Row, type Run, rowsFor } from './measures.ts'
import { type Result, type Sample, resultOf } from './report.ts'

const [wanted, secondsText, roundsText] = process.argv.slice(2)
const [seconds, rounds] = [Number(secondsText), Number(roundsText)]

// undici says that its SOCKS agent is experimental.
process.removeAllListeners('warning')

const counterpart = new Worker(new URL('counterpart.ts', import.meta.url))
try {
  const [port] = (await once(counterpart, 'message')) as [number]
  const row = rowsFor(port).find(({ title }) => title === wanted)
  if (row === undefined) throw new Error(`there is no row "${wanted}"`)
  process.send?.(await measure(row))
} finally {
  await counterpart.terminate()
}

async function measure({ title, unit, runs }: Row): Promise<Result> {
  const samples = runs.map((): Sample[] => [])
  // The first round only makes the code warm.
  for (let round = 0; round <= rounds; round++) {
    // Nobody always has the warmer cache: who begins changes from round to round.
    for (let turn = 0; turn < runs.length; turn++) {
      const index = (turn + round) % runs.length
      const sample = await sampleOf(runs[index] as Run)
      if (round > 0) samples[index]?.push(sample)
    }
  }
  return resultOf(title, unit, runs, samples)
}

async function sampleOf({ run }: Run): Promise<Sample> {
  const before = process.threadCpuUsage()
  const rate = await run(seconds)
  const { user, system } = process.threadCpuUsage(before)
  return { rate, cpuMicroseconds: (user + system) / (rate * seconds) }
}
