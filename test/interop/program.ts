/** Foreign programs as child processes: whether they are there, and what they said. Knows no particular one. */
import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import type { TestContext } from 'node:test'

/** Debian's Python, which sees Debian's modules; another `python3` in PATH does not. */
export const PYTHON = '/usr/bin/python3'

/**
 * Whether the program is installed. When it is not, the test is skipped with the name of its Debian package, or fails
 * where SOCKSMITH_ALL_PROGRAMS is set.
 */
export function needProgram(t: TestContext, program: string, debianPackage: string): boolean {
  return need(t, program, debianPackage, spawnSync('sh', ['-c', 'command -v "$1"', 'sh', program]).status === 0)
}

/** The same for a module of Debian's Python. */
export function needPythonModule(t: TestContext, module: string, debianPackage: string): boolean {
  return need(t, `Python's ${module}`, debianPackage, spawnSync(PYTHON, ['-c', `import ${module}`]).status === 0)
}

function need(t: TestContext, what: string, debianPackage: string, isThere: boolean): boolean {
  if (isThere) return true
  const advice = `${what} is missing: apt-get install ${debianPackage}`
  if (process.env['SOCKSMITH_ALL_PROGRAMS']) throw new Error(advice)
  t.skip(advice)
  return false
}

export interface Finished {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface ProgramOptions {
  /** What stands on its standard input, before the end of file. */
  readonly input?: string
  readonly cwd?: string
  readonly env?: NodeJS.ProcessEnv
}

/** Runs a program to its end. */
export async function runProgram(
  t: TestContext,
  program: string,
  args: readonly string[],
  { input = '', ...options }: ProgramOptions = {},
): Promise<Finished> {
  const child = startProgram(t, program, args, options)
  // A program that refuses its input (a wrong password) may be gone before it has read it.
  child.stdin.on('error', () => undefined).end(input)
  const [[code], stdout, stderr] = await Promise.all([
    once(child, 'close') as Promise<[number | null]>,
    text(child.stdout),
    text(child.stderr),
  ])
  return { code, stdout, stderr }
}

/** Starts a program; it is ended with the test at the latest. */
export function startProgram(
  t: TestContext,
  program: string,
  args: readonly string[],
  { cwd, env }: Omit<ProgramOptions, 'input'> = {},
): ChildProcessWithoutNullStreams {
  const child = spawn(program, args, { cwd, env: { ...process.env, ...env } })
  t.after(() => child.kill('SIGKILL'))
  return child
}
