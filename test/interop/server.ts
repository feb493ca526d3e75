/** `socksmith serve` as the programs meet it, and the records of what they asked. Knows no program. */
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { type RunOptions, type Serving, serve } from '../../packages/cli/test/run-command.ts'

export { temporaryFolder } from '../../packages/cli/test/run-command.ts'

/** What the tests look at in a session's line of the log. */
export interface SessionLine {
  readonly user?: string
  readonly protocol?: string
  readonly command?: string
  readonly target?: string
  readonly up_octets: number
  readonly down_octets: number
  readonly end: string
  /** What went wrong, as a stable word. */
  readonly failure?: string
  /** When it ended, as ISO 8601. */
  readonly time: string
  readonly duration_ms: number
}

export interface Proxy extends Serving {
  /** `127.0.0.1:1080`: the first listener. */
  readonly at: string
  /** Ends the command, which must exit with 0, and gives every session's line, in the order in which they began. */
  sessions(): Promise<readonly SessionLine[]>
}

/** Flags for one user, `alice`, whose password is `open sesame`. */
export const WITH_ALICE: readonly string[] = ['--user', 'alice:open sesame']

let engine = 'auto'

/** The engine of every proxy that is started from now on, unless its flags name one. */
export function useEngine(name: 'auto' | 'node'): void {
  engine = name
}

/** The same engine for a command that is no proxy. */
export function engineFlags(): readonly string[] {
  return ['--engine', engine]
}

/** Starts the command on loopback; it is ended with the test. */
export async function startProxy(t: TestContext, flags: readonly string[] = [], options?: RunOptions): Promise<Proxy> {
  const listens = flags.includes('--listen') || flags.includes('--config')
  const listen = listens ? [] : ['--listen', '127.0.0.1:0']
  const chosen = flags.includes('--engine') ? [] : engineFlags()
  const serving = await serve(t, [...chosen, ...listen, ...flags], options)
  const at = / on (\S+) /.exec(serving.ready)?.[1]
  assert.ok(at !== undefined, serving.ready)
  return {
    ...serving,
    at,
    async sessions() {
      assert.equal(await serving.end(), 0, serving.stderr())
      const lines = serving.stdout().split('\n').slice(0, -1)
      // The log has events of the server too; only a session has an id.
      const sessions = lines.map(line => JSON.parse(line) as SessionLine).filter(line => 'id' in line)
      // Each worker writes when its session ends, so that of two programs in a row the first may be written last.
      return sessions.toSorted((one, other) => began(one) - began(other))
    },
  }
}

function began(session: SessionLine): number {
  return Date.parse(session.time) - session.duration_ms
}
