/** The command as a child process, as a person or a service manager starts it. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'

export const LAUNCHER: string = fileURLToPath(new URL('../bin/socksmith.js', import.meta.url))

export interface Finished {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface RunOptions {
  readonly input?: string
  readonly cwd?: string
  readonly env?: NodeJS.ProcessEnv
  readonly nodeArgs?: readonly string[]
  /** A program with its arguments that runs the command, as `unshare` does. */
  readonly under?: readonly string[]
}

/** Runs a command to its end. */
export async function run(args: readonly string[], options: RunOptions = {}): Promise<Finished> {
  const child = start(args, options)
  const stdout = collect(child.stdout)
  const stderr = collect(child.stderr)
  child.stdin?.end(options.input ?? '')
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, stdout: stdout.text(), stderr: stderr.text() }
}

/** A running `serve`. */
export interface Serving {
  readonly child: ChildProcess
  /** The line that contains `ready`. */
  readonly ready: string
  /** The first TCP port in the ready line. */
  readonly port: number
  stdout(): string
  stderr(): string
  /** Resolves once standard error contains the text. */
  said(text: string): Promise<void>
  /** Resolves once standard output contains the text. */
  logged(text: string): Promise<void>
  /** Sends the signal and waits for the end; the exit code. */
  end(signal?: NodeJS.Signals): Promise<number | null>
}

/** Starts `serve` and waits for the ready line; it is ended with the test. */
export async function serve(t: TestContext, args: readonly string[], options: RunOptions = {}): Promise<Serving> {
  const child = start(['serve', ...args], options)
  const closed = once(child, 'close') as Promise<[number | null]>
  t.after(() => child.kill('SIGKILL'))
  const stdout = collect(child.stdout)
  const stderr = collect(child.stderr)
  await Promise.race([stderr.until('ready'), closed])
  const ready = stderr
    .text()
    .split('\n')
    .find(line => line.includes('ready'))
  if (ready === undefined) throw new Error(`it did not start: ${stderr.text()}`)
  return {
    child,
    ready,
    port: Number(/:(\d+) \(/.exec(ready)?.[1]),
    stdout: stdout.text,
    stderr: stderr.text,
    said: stderr.until,
    logged: stdout.until,
    async end(signal = 'SIGTERM') {
      child.kill(signal)
      return (await closed)[0]
    },
  }
}

function start(args: readonly string[], { cwd, env, nodeArgs = [], under = [] }: RunOptions): ChildProcess {
  const [program, ...rest] = [...under, process.execPath, ...nodeArgs, LAUNCHER, ...args] as [string, ...string[]]
  return spawn(program, rest, { cwd, env: { ...process.env, ...env } })
}

interface Collected {
  readonly text: () => string
  readonly until: (text: string) => Promise<void>
}

function collect(stream: NodeJS.ReadableStream | null): Collected {
  let text = ''
  const waiting = new Set<() => void>()
  stream?.on('data', (chunk: Buffer) => {
    text += chunk.toString()
    for (const look of waiting) look()
  })
  return {
    text: () => text,
    until: wanted =>
      new Promise(resolve => {
        const look = (): void => {
          if (!text.includes(wanted)) return
          waiting.delete(look)
          resolve()
        }
        waiting.add(look)
        look()
      }),
  }
}

/** A folder that goes with the test. */
export async function temporaryFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'socksmith-cli-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  return folder
}
