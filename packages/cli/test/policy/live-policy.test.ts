import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { loadConfig } from '../../src/config/load.ts'
import { listenersFault } from '../../src/config/to-server-options.ts'
import type { GovernedServer, LiveUsers, PolicyData } from '../../src/policy/in-force.ts'
import { openLivePolicy } from '../../src/policy/live-policy.ts'
import { openConfiguredPolicy } from '../../src/policy/open-policy.ts'
import { hashPassword } from '../../src/users/password.ts'
import { Secret } from '../../src/users/secret.ts'
import type { Users } from '../../src/users/users-file.ts'
import { temporaryFolder } from '../run-command.ts'

/** A server that only notes what it is given. */
class Noting implements GovernedServer {
  readonly policies: PolicyData[] = []
  readonly users: LiveUsers[] = []

  usePolicy(policy: PolicyData): number {
    return this.policies.push(policy)
  }

  useUsers(users: LiveUsers): number {
    return this.users.push(users)
  }
}

test('a reload cannot open to everybody what a start would not', async t => {
  const file = join(await temporaryFolder(t), 'policy.yaml')
  const config = await loadConfig(undefined, { keys: { listen: ['0.0.0.0:1080'], policy: file }, eachListener: {} })
  assert.ok(config.ok)
  await writeFile(file, 'rules: [{ allow: { from: 10.0.0.0/8 } }]\n')
  const notices: string[] = []
  const policy = await openLivePolicy({
    read: () => openConfiguredPolicy(config.value, undefined),
    users: { refresh: () => Promise.resolve(new Map()) },
    objection: decider => listenersFault(config.value, false, decider),
    notice: message => void notices.push(message),
  })
  assert.ok(policy.ok)
  const server = new Noting()
  t.after(policy.value.keep(server))
  const before = policy.value.inForce
  await writeFile(file, 'rules: [{ allow: everything }]\n')
  const outcome = await policy.value.reload()
  assert.ok(!outcome.ok)
  assert.match(outcome.trouble.message, /would be a proxy for everybody/)
  assert.match(String(notices), /the rules read before stay in force/)
  assert.deepEqual([server.policies.length, policy.value.inForce.policy === before.policy], [0, true])
})

test('whoever was a user once is kept out until the name is there again', async t => {
  const hash = await hashPassword(new Secret('secret'))
  let users: Users = new Map([
    ['alice', hash],
    ['bob', hash],
  ])
  const config = await loadConfig(undefined, { keys: {}, eachListener: {} })
  assert.ok(config.ok)
  const policy = await openLivePolicy({
    read: () => openConfiguredPolicy(config.value, undefined),
    users: { refresh: () => Promise.resolve(users) },
    objection: () => undefined,
    notice: () => {},
  })
  assert.ok(policy.ok)
  const server = new Noting()
  t.after(policy.value.keep(server))
  for (const names of [['bob'], [], ['alice']]) {
    users = new Map(names.map(name => [name, hash]))
    await policy.value.reload()
  }
  assert.deepEqual(
    server.users.map(({ known, gone }) => [[...known.keys()], [...gone].toSorted()]),
    [
      [['bob'], ['alice']],
      [[], ['alice', 'bob']],
      [['alice'], ['bob']],
    ],
  )
})
