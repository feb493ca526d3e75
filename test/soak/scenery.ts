/** Sets the stage: the files, the targets and the server of one soak, and takes them down again. */
import { copyFileSync, existsSync } from 'node:fs'
import { Random } from '../simulation/world/random.ts'
import { Criteria } from './criteria.ts'
import { Honest } from './honest.ts'
import { isInside } from './room.ts'
import { Served } from './served.ts'
import { LOGIN, clockEnvironment, makeFiles, removeFiles } from './server-files.ts'
import type { Size, Stage } from './stage.ts'
import { Targets } from './targets.ts'

export interface StageOptions {
  readonly engine: 'linux' | 'node'
  readonly workers: number
  readonly seed: number
  readonly size: Size
}

export async function setStage({ engine, workers, seed, size }: StageOptions): Promise<Stage> {
  const targets = await Targets.start()
  const files = makeFiles(targets.ports.names)
  const engineArgs = ['--engine', engine, '--workers', String(workers)]
  const served = await Served.start(['--config', files.configuration, ...engineArgs], workers, {
    ...(files.clock !== undefined && { env: clockEnvironment(files.clock) }),
  })
  const random = new Random(seed)
  const honest = new Honest({ ports: served.ports, targets: targets.ports, login: LOGIN }, new Random(seed + 1))
  const common = { login: LOGIN, criteria: new Criteria(), ownNetwork: isInside() }
  return { served, targets, honest, random, size, files, engine, workers, engineArgs, ...common }
}

/** Answers where the server's log is kept, which it is when something failed: without it nobody finds out why. */
export async function strikeStage({ served, targets, files, criteria }: Stage): Promise<string | undefined> {
  await served.end('SIGKILL')
  await targets.kill()
  // A server that never came up has written none.
  const kept = criteria.failed > 0 && existsSync(files.log) ? `${files.folder}.log` : undefined
  if (kept !== undefined) copyFileSync(files.log, kept)
  removeFiles(files)
  return kept
}
