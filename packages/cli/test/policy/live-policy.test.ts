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
    users: { refresh: () => Promise.resolve({ users: new Map() }) },
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

test('the cases of a reload are held against what the server refuses by itself', async t => {
  const file = join(await temporaryFolder(t), 'policy.yaml')
  const config = await loadConfig(undefined, { keys: { listen: ['127.0.0.1:34567'], policy: file }, eachListener: {} })
  assert.ok(config.ok)
  const withCase = (verdict: string): Promise<void> =>
    writeFile(file, `rules: [{ allow: everything }]\ncases: [{ ${verdict}: { to: '127.0.0.1:34567' } }]\n`)
  await withCase('deny')
  const policy = await openLivePolicy({
    read: () => openConfiguredPolicy(config.value, undefined),
    users: { refresh: () => Promise.resolve({ users: new Map() }) },
    objection: () => undefined,
    notice: () => {},
  })
  assert.ok(policy.ok)
  await withCase('allow')
  const outcome = await policy.value.reload()
  assert.match(outcome.ok ? '' : outcome.trouble.message, /expected allow, but it is denied by the server itself/)
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
    users: { refresh: () => Promise.resolve({ users }) },
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

test('a set that somebody is writing in place is not read empty: what it denies stays denied', async t => {
  const folder = await temporaryFolder(t)
  const [file, set] = [join(folder, 'policy.yaml'), join(folder, 'blocked.txt')]
  await writeFile(
    file,
    'sets: { blocked: { file: blocked.txt } }\nrules: [{ deny: { to: $blocked } }, { allow: everything }]\n',
  )
  await writeFile(set, 'a.example\n')
  const config = await loadConfig(undefined, { keys: { policy: file }, eachListener: {} })
  assert.ok(config.ok)
  const { promise: told, resolve: tell } = Promise.withResolvers<string>()
  const policy = await openLivePolicy({
    read: () => openConfiguredPolicy(config.value, undefined),
    users: { refresh: () => Promise.resolve({ users: new Map() }) },
    objection: () => undefined,
    notice: tell,
    pause: () => writeFile(set, 'b.example\nc.example\n'),
  })
  assert.ok(policy.ok)
  const server = new Noting()
  await writeFile(set, '')
  t.after(policy.value.keep(server))
  assert.match(await told, /^a set changed/)
  const entries = server.policies.map(({ policy: read }) => JSON.stringify(read.rules[0]).includes('b.example'))
  assert.deepEqual(entries, [true])
})
