/** The real command in the namespace of the program that calls, and commands that lay links. Knows no test. */
import { type ChildProcessByStdio, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'

const LAUNCHER = fileURLToPath(new URL('../../../packages/cli/bin/socksmith.js', import.meta.url))

/** `socksmith serve`, ready; its standard output has to be read. It is ended with this process. */
export async function startServer(flags: readonly string[]): Promise<ChildProcessByStdio<null, Readable, Readable>> {
  const server = spawn(process.execPath, [LAUNCHER, 'serve', ...flags], { stdio: ['ignore', 'pipe', 'pipe'] })
  process.on('exit', () => server.kill())
  for (let said = ''; !said.includes('ready');) {
    const [octets] = (await once(server.stderr, 'data')) as [Buffer]
    said += octets.toString()
  }
  return server
}

/** A command without blanks in its arguments, which must succeed. */
export function run(command: string): void {
  const [program = '', ...args] = command.split(' ')
  execFileSync(program, args, { stdio: ['ignore', 'ignore', 'inherit'] })
}
