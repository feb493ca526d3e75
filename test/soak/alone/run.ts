/** Plays trials one after the other, each with targets and servers of its own, and answers what was measured. */
import { copyFileSync, existsSync } from 'node:fs'
import { Random } from '../../simulation/world/random.ts'
import { Criteria } from '../criteria.ts'
import { isInside } from '../room.ts'
import { Served } from '../served.ts'
import { clockEnvironment, makeFiles, removeFiles } from '../server-files.ts'
import type { SoakReport } from '../soak.ts'
import { type StageFiles, wait } from '../stage.ts'
import { Targets } from '../targets.ts'
import { noteHealth, warmUp } from './health.ts'
import type { Setting, Trial } from './trial.ts'

export interface AloneOptions {
  readonly engine: 'linux' | 'node'
  readonly workers: number
  readonly seed: number
  readonly trials: readonly Trial[]
  /** Progress, a line at a time. */
  readonly say: (line: string) => void
}

/** A trial that lasts longer hangs. */
const TRIAL_MS_MAX = 600_000

/** What is noted while the trials are played. */
interface Notes {
  readonly criteria: Criteria
  /** Logs of servers that did not do as they should. */
  readonly logs: string[]
}

export async function playAlone({ engine, workers, seed, trials, say }: AloneOptions): Promise<SoakReport> {
  const startedAt = performance.now()
  const notes: Notes = { criteria: new Criteria(), logs: [] }
  const { criteria } = notes
  const [missing, failures]: [string[], string[]] = [[], []]
  for (const trial of trials) {
    const [row = ''] = trial.rows
    const targets = await Targets.start()
    const setting: Setting = {
      engine,
      workers,
      targets,
      random: new Random(seed),
      ownNetwork: isInside(),
      note: (...figure) => criteria.note(row, ...figure),
      serve: (...asked) => serve(setting, notes, ...asked),
    }
    const why = trial.cannot?.(setting)
    if (why === undefined) {
      const [trialAt, failedBefore] = [performance.now(), criteria.failed]
      await playOne(trial, setting)
      if (criteria.failed > failedBefore) failures.push(`${row} ${trial.name}`)
      say(`${row}  ${trial.name} (${((performance.now() - trialAt) / 1_000).toFixed(1)} s)`)
    } else missing.push(`${trial.name}: ${why}`)
    await targets.kill()
  }
  const seconds = Math.round((performance.now() - startedAt) / 1_000)
  const played = trials.length - missing.length
  const [log] = notes.logs
  return { engine, workers, seed, seconds, criteria: criteria.all, played, missing, failures, ...(log && { log }) }
}

async function playOne(trial: Trial, setting: Setting): Promise<void> {
  const hangs = wait(TRIAL_MS_MAX).then(() => {
    throw new Error('it does not come to its end')
  })
  await Promise.race([trial.run(setting), hangs]).catch((error: unknown) => {
    setting.note(`${trial.name}: ${String(error).replaceAll('\n', ' ')}`, 1, { atMost: 0 })
  })
  hangs.catch(() => {})
}

async function serve(
  { engine, workers, targets }: Setting,
  { criteria, logs }: Notes,
  ...[keys, work, { hasClock = false, prepare, env, ...how } = {}]: Parameters<Setting['serve']>
): Promise<void> {
  const files = makeFiles(targets.ports.names, keys)
  prepare?.(files)
  const clock = hasClock && files.clock !== undefined ? clockEnvironment(files.clock) : {}
  const args = ['--config', files.configuration, '--engine', engine, '--workers', String(workers)]
  const failedBefore = criteria.failed
  let [served, isDone]: [Served | undefined, boolean] = [undefined, false]
  try {
    served = await Served.start(args, workers, { ...how, env: { ...clock, ...env } })
    const stand = { served, files }
    const before = await warmUp(stand, targets.ports.echo)
    await work(stand)
    // The worst of all trials.
    const note: Setting['note'] = (what, ...figure) => criteria.note('each', `afterwards: ${what}`, ...figure)
    if (served.isAlive) await noteHealth(stand, targets.ports.echo, workers + 1, before, note)
    isDone = true
  } finally {
    await served?.end('SIGKILL')
    if (!isDone || criteria.failed > failedBefore) logs.push(...keptLog(files))
    removeFiles(files)
  }
}

/** Where the log is kept: without it nobody finds out why. */
function keptLog({ log, folder }: StageFiles): readonly string[] {
  // A server that never came up has written none.
  if (!existsSync(log)) return []
  copyFileSync(log, `${folder}.log`)
  return [`${folder}.log`]
}
