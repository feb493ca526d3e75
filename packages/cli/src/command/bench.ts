/** `socksmith bench`: loads a proxy, shows how far it is, and prints the figures. */
import { type BenchReport, type Progress, MODES, benchText, rounded, runBench } from '@socksmith/instruments/bench'
import { type Outcome, done } from '../exit.ts'
import { progressLine } from '../terminal/progress.ts'
import { print } from '../terminal/say.ts'
import { type BenchFlags, benchOptions } from './bench-flags.ts'
import { benchTrouble } from './bench-trouble.ts'

/** Runs the load to its end. What went wrong on the way is told after what went right. */
export async function bench(url: string, flags: BenchFlags): Promise<Outcome<void>> {
  const options = await benchOptions(url, flags)
  if (!options.ok) return options
  const line = progressLine()
  const report = await runBench({ ...options.value, onProgress: progress => line.show(progressText(progress)) })
  line.clear()
  if ('code' in report) return benchTrouble(report, options.value.proxy)
  const failed = report.modes.flatMap(mode => (mode.kind === 'failed' ? [mode] : []))
  if (failed.length < report.modes.length || flags.json) print(textOf(report, flags))
  // A proxy without UDP is a sound proxy: it is a trouble only for somebody who named the mode.
  const first = failed.find(({ mode }) => mode !== 'udp' || flags.mode !== undefined)
  return first === undefined ? done(undefined) : benchTrouble(first.failure, options.value.proxy)
}

function textOf(report: BenchReport, flags: BenchFlags): string {
  return flags.json ? JSON.stringify(report, undefined, 2) : benchText(report)
}

function progressText(progress: Progress): string {
  if (progress.kind === 'hold') return `${progress.mode}: ${progress.step}`
  const { mode, way, round, rounds, perSecond } = progress
  const where = way === 'direct' ? 'no proxy' : 'proxy'
  const when = round === 0 ? 'warming up' : `round ${round} of ${rounds}`
  return `${mode}, ${when}, ${where}: ${rounded(perSecond)} ${MODES[mode].unit}/s`
}
