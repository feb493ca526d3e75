import assert from 'node:assert/strict'
import { readFile, readdir, symlink, writeFile } from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { join } from 'node:path'
import { test } from 'node:test'
import timers from 'node:timers/promises'
import { done } from '../../src/exit.ts'
import { formatHash, unknowableHash } from '../../src/users/password.ts'
import { userNameFault } from '../../src/users/user-name.ts'
import { changeUsersFile, parseUsers, readUsersFile } from '../../src/users/users-file.ts'
import { temporaryFolder } from '../run-command.ts'

const HASH = formatHash(unknowableHash())

test('lines are users, comments and empty lines are not, and one wrong line makes the whole file wrong', () => {
  const users = parseUsers('f', `# people\n\nalice:${HASH}\r\n  bob smith:${HASH}\n`)
  assert.ok(users.ok)
  assert.deepEqual([...users.value.keys()], ['alice', 'bob smith'])
  for (const [text, message] of [
    [
      `alice:${HASH}\nbob:secret\n`,
      'f:2:1: expected an argon2id hash after the name; set the password with "socksmith user passwd"',
    ],
    ['alice', 'f:1:1: expected name:hash; passwords are set with "socksmith user passwd"'],
    [`alice:${HASH}\nalice:${HASH}`, 'f:2:1: this user is there twice'],
    [`:${HASH}`, 'f:1:1: a user name must not be empty'],
  ] as const) {
    const broken = parseUsers('f', text)
    assert.ok(!broken.ok)
    assert.equal(broken.trouble.message, message)
    assert.equal(broken.trouble.exitCode, 65)
  }
})

test('a long file is read bit by bit: others have their turns meanwhile', async t => {
  const file = join(await temporaryFolder(t), 'users')
  await writeFile(file, Array.from({ length: 20_000 }, (_, index) => `user${index}:${HASH}\n`).join(''))
  const { setImmediate: nextTurn } = timers
  let turns = 0
  timers.setImmediate = ((...rest: Parameters<typeof nextTurn>) => {
    turns++
    return nextTurn(...rest)
  }) as typeof nextTurn
  syncBuiltinESMExports()
  t.after(() => {
    timers.setImmediate = nextTurn
    syncBuiltinESMExports()
  })
  const users = await readUsersFile(file)
  assert.ok(users.ok)
  assert.equal(users.value.size, 20_000)
  assert.equal(turns, 20)
})

test('a change keeps comments and order, replaces the file at once, follows a link and leaves nothing behind', async t => {
  const folder = await temporaryFolder(t)
  const [file, link] = [join(folder, 'real'), join(folder, 'link')]
  await writeFile(file, `# first\nalice:${HASH}\n# second\nbob:${HASH}\n`)
  await symlink(file, link)
  const hash = unknowableHash()
  const set = (name: string, to: typeof hash | undefined): ReturnType<typeof changeUsersFile> =>
    changeUsersFile(link, false, () => done({ name, hash: to }))
  assert.ok((await set('alice', hash)).ok)
  assert.ok((await set('carol', hash)).ok)
  assert.ok((await set('bob', undefined)).ok)
  assert.equal(
    await readFile(file, 'utf8'),
    `# first\nalice:${formatHash(hash)}\n# second\ncarol:${formatHash(hash)}\n`,
  )
  assert.deepEqual((await readdir(folder)).toSorted(), ['link', 'real'])
})

test('two changes at once: one is made, the other is told to wait', async t => {
  const file = join(await temporaryFolder(t), 'users')
  const outcomes = await Promise.all(
    ['a', 'b'].map(name => changeUsersFile(file, true, () => done({ name, hash: unknowableHash() }))),
  )
  const failed = outcomes.filter(outcome => !outcome.ok)
  assert.ok(failed.length <= 1)
  for (const outcome of failed) assert.match(outcome.trouble.message, /another change is going on/)
  const users = parseUsers(file, await readFile(file, 'utf8'))
  assert.ok(users.ok)
  assert.equal(users.value.size, 2 - failed.length)
})

test('a user name has 1 to 255 octets and nothing that breaks a line', () => {
  for (const name of ['a', 'bob smith', 'jürgen', '日本', 'x'.repeat(255)])
    assert.equal(userNameFault(name), undefined, name)
  for (const name of ['', 'a:b', 'a\nb', 'a\0', 'a\u0085', '#a', ' a', 'a ', 'ä'.repeat(128), '\ud800']) {
    assert.ok(userNameFault(name), JSON.stringify(name))
  }
})
