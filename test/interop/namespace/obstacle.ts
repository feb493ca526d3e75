/** Network namespaces of a test's own: whether this machine allows them, and a program in one for each engine. */
import { execFile, spawnSync } from 'node:child_process'
import { promisify } from 'node:util'

/** Why there can be none in which this command of a shell works; `undefined` where there can. */
export function namespaceObstacle(command: string): string | undefined {
  if (process.platform !== 'linux') return 'namespaces are of Linux'
  if (process.getuid?.() !== 0) return 'only root may make network namespaces'
  const tried = spawnSync('unshare', ['-n', 'sh', '-c', command])
  return tried.status === 0 ? undefined : `no such namespace can be made here: ${String(tried.stderr ?? tried.error)}`
}

const ENGINES = [
  ['--engine', 'linux', '--workers', '2'],
  ['--engine', 'node'],
] as const
const PROGRAM_MS_MAX = 150_000

/** Runs a program in a namespace of its own for each engine, all at once; hands on what it printed as JSON. */
export async function onBothEngines(program: string, check: (told: unknown, engine: string) => void): Promise<void> {
  await Promise.all(
    ENGINES.map(async flags => {
      const args = ['-n', process.execPath, '--conditions=@socksmith/source', program, ...flags]
      const { stdout } = await promisify(execFile)('unshare', args, { timeout: PROGRAM_MS_MAX })
      check(JSON.parse(stdout), flags.join(' '))
    }),
  )
}
