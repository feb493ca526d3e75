/**
 * The repository as a test may change it: a copy of its sources, committed or not, whose `@socksmith/*` are its own
 * packages. Knows nothing of what is done with it.
 */
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { cp, mkdir, mkdtemp, readdir, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const ROOT: string = fileURLToPath(new URL('../..', import.meta.url))

/** The environment of a child process that finds this Node first, whatever PATH says. */
export const SAME_NODE: NodeJS.ProcessEnv = {
  ...process.env,
  PATH: `${dirname(process.execPath)}${delimiter}${process.env['PATH'] ?? ''}`,
}

/** A folder that is gone after `remove`. */
export interface Folder {
  readonly path: string
  remove(): Promise<void>
}

export async function temporaryFolder(): Promise<Folder> {
  const path = await mkdtemp(join(tmpdir(), 'socksmith-repository-'))
  return { path, remove: () => rm(path, { recursive: true, force: true }) }
}

/** The folders under packages/ that hold a package. */
export async function packageFolders(): Promise<readonly string[]> {
  const names = await readdir(join(ROOT, 'packages'))
  return names.filter(name => existsSync(join(ROOT, 'packages', name, 'package.json'))).toSorted()
}

/** Copies everything that git tracks or would track, and links the installed packages. */
export async function copyTree(into: string): Promise<void> {
  const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { cwd: ROOT })
  for (const file of new Set(listed.toString().split('\0'))) {
    // Deleted and not yet committed: listed, and not there.
    if (file !== '' && existsSync(join(ROOT, file))) await cp(join(ROOT, file), join(into, file))
  }
  await linkModules(join(ROOT, 'node_modules'), join(into, 'node_modules'))
}

// One link to the whole folder would lead `@socksmith/*` back to the sources that were copied.
async function linkModules(from: string, to: string): Promise<void> {
  await mkdir(to)
  for (const { name } of await readdir(from, { withFileTypes: true })) {
    if (name === '.cache') continue
    if (name === '@socksmith') await cp(join(from, name), join(to, name), { recursive: true, verbatimSymlinks: true })
    else if (name === 'socksmith') await symlink('../packages/cli', join(to, name))
    else await symlink(join(from, name), join(to, name))
  }
}
