/** A script on a disk that is really small, in a mount table of its own. */
import { execFile, spawnSync } from 'node:child_process'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { temporaryFolder } from './run-command.ts'

/** What the script prints, whose argument is a folder on a disk of `size` (as `16k`); skips the test and answers nothing where none can be mounted. */
export async function onSmallDisk(t: TestContext, size: string, script: URL): Promise<string | undefined> {
  const folder = await temporaryFolder(t)
  const mount = `mount -t tmpfs -o size=${size} none "$1"`
  const rights = process.getuid?.() === 0 ? ['-m'] : ['-m', '--map-root-user']
  const tried = spawnSync('unshare', [...rights, 'sh', '-c', mount, 'sh', folder])
  if (tried.status !== 0) {
    t.skip(`no small disk can be mounted here: ${String(tried.stderr ?? tried.error)}`)
    return undefined
  }
  const node = [process.execPath, '--conditions=@socksmith/source', fileURLToPath(script), folder]
  const inside = ['sh', '-c', `${mount} && shift && exec "$@"`, 'sh', folder, ...node]
  return (await promisify(execFile)('unshare', [...rights, ...inside])).stdout
}
