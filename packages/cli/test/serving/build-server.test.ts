/** What a server was started with is let go when there is something newer. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { createNodeEngine } from '@socksmith/engine'
import { loadConfig } from '../../src/config/load.ts'
import type { LiveUsers, PolicyData } from '../../src/policy/in-force.ts'
import { type BuiltServer, buildServer } from '../../src/serving/build-server.ts'
import { closing } from './pool-scene.ts'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** A server with users and rules that nobody else holds, and where these are. */
async function build(): Promise<{
  built: BuiltServer
  users: WeakRef<LiveUsers['known']>
  policy: WeakRef<PolicyData>
}> {
  const config = await loadConfig(undefined, { keys: { listen: ['127.0.0.1:0'] }, eachListener: {} })
  assert.ok(config.ok)
  const [known, policy] = [new Map(), closing(1)]
  const built = buildServer(config.value, {
    engine: createNodeEngine(),
    log: { session: () => {}, notice: () => {} },
    inForce: { policy, users: { known, gone: new Set() } },
    hasUsers: true,
    threads: 1,
    onBan: () => {},
    onDeaf: () => {},
  })
  assert.ok(built.ok)
  return { built: built.value, users: new WeakRef(known), policy: new WeakRef(policy) }
}

test('a server does not keep the users and rules of its start when others are in force', async () => {
  const { built, users, policy } = await build()
  await new Promise(resolve => setImmediate(resolve))
  collect()
  assert.ok(users.deref() !== undefined)
  void built.governed.useUsers({ known: new Map(), gone: new Set() })
  await built.governed.usePolicy(closing(2))
  // What a WeakRef has shown stays until the end of the turn.
  await new Promise(resolve => setImmediate(resolve))
  collect()
  assert.equal(users.deref(), undefined)
  assert.equal(policy.deref(), undefined)
  assert.equal(built.server.sessionCount, 0)
})
