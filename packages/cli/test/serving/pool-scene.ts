/** Several workers that serve in this process, and what they tell. */
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { Worker } from 'node:worker_threads'
import { createLinuxEngine } from '@socksmith/engine'
import { readPolicy } from '@socksmith/policy'
import { loadConfig } from '../../src/config/load.ts'
import type { RawMap } from '../../src/config/from-flags.ts'
import { toServerOptions } from '../../src/config/to-server-options.ts'
import type { SessionLog } from '../../src/log/session-log.ts'
import { LiveState } from '../../src/state/live-state.ts'
import type { LiveUsers, PolicyData } from '../../src/policy/in-force.ts'
import { type WorkerPool, startWorkerPool } from '../../src/serving/worker-pool.ts'

const made = createLinuxEngine()
/** Why there can be no workers here. */
export const skip: string | false = 'reason' in made ? made.reason : false

export interface PoolScene {
  readonly pool: WorkerPool
  readonly port: number
  readonly threads: Worker[]
  readonly lines: string[]
  readonly notices: string[]
}

/** Rules that allow everything but these ports. */
export function closing(...ports: readonly number[]): PolicyData {
  const raw = { rules: [...ports.map(port => ({ deny: { port } })), { allow: 'everything' }] }
  const read = readPolicy(raw, { file: 'policy', lineOf: () => 1, readText: () => ({ fault: 'none' }) })
  assert.ok(read.ok)
  return { policy: read.policy, inside: {}, geo: [], ways: {} }
}

export const NOBODY: LiveUsers = { known: new Map(), gone: new Set() }

/** Serves with so many workers; `users` are asked for their passwords, when there are any. */
export async function startPool(
  t: TestContext,
  workers: number,
  keys: RawMap = {},
  users: LiveUsers = NOBODY,
): Promise<PoolScene> {
  const hasUsers = users !== NOBODY
  const config = await loadConfig(undefined, { keys: { listen: ['127.0.0.1:0'], ...keys }, eachListener: {} })
  assert.ok(config.ok)
  const configured = toServerOptions(config.value, hasUsers, () => {})
  assert.ok(configured.ok)
  const [threads, lines, notices]: [Worker[], string[], string[]] = [[], [], []]
  const log: SessionLog = {
    style: { pretty: false, coloured: false },
    session: () => {},
    lines: text => void lines.push(...text.trimEnd().split('\n')),
    notice: (event, message) => void notices.push(`${event}: ${message}`),
    reopen: () => Promise.resolve(undefined),
    close: () => Promise.resolve(),
  }
  const pool = await startWorkerPool(configured.value.listeners, {
    workers,
    config: config.value,
    inForce: { policy: closing(), users },
    hasUsers,
    connectionsMax: 1_000,
    // What is tested is what each of them does: all must have something to do.
    isSteered: false,
    log,
    state: new LiveState({ threads: workers + 1, connectionsMax: 1_000, notice: () => {} }),
    startThread(task) {
      const worker = new Worker(new URL('./dying-worker.js', import.meta.url), { workerData: task, stderr: true })
      threads.push(worker)
      return worker
    },
  })
  assert.ok('ok' in pool && pool.ok, JSON.stringify(pool))
  t.after(() => pool.value.stop({ deadlineMs: 0 }))
  const [place] = pool.value.places
  assert.ok(place?.kind === 'ip')
  return { pool: pool.value, port: place.endpoint.port, threads, lines, notices }
}

/** Resolves once the condition holds. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = Date.now() + 10_000
  while (!condition()) {
    assert.ok(Date.now() < deadline, `never came true: ${what}`)
    await new Promise(resolve => setTimeout(resolve, 5))
  }
}
