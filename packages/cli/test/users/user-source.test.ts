import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { formatHash, hashPassword } from '../../src/users/password.ts'
import { Secret } from '../../src/users/secret.ts'
import { type UserSource, openUserSource } from '../../src/users/user-source.ts'
import { temporaryFolder } from '../run-command.ts'

const BROKEN = 'alice has no hash'

interface Opened {
  readonly source: UserSource
  readonly file: string
  /** A line of the file for this user. */
  readonly line: (name: string) => string
  readonly troubles: readonly string[]
}

/** The users of a file that holds alice; `written` is what somebody writes while the source waits for them to finish. */
async function opened(t: TestContext, ...written: string[]): Promise<Opened> {
  const file = join(await temporaryFolder(t), 'users.txt')
  const hash = formatHash(await hashPassword(new Secret('secret')))
  const line = (name: string): string => `${name}:${hash}\n`
  await writeFile(file, line('alice'))
  const troubles: string[] = []
  const source = await openUserSource({
    file,
    added: new Map(),
    onTrouble: message => void troubles.push(message),
    pause: async () => {
      const text = written.shift()
      if (text !== undefined) await writeFile(file, text === BROKEN ? text : line(text))
    },
  })
  assert.ok(source.ok)
  return { source: source.value, file, line, troubles }
}

async function names({ source }: Opened): Promise<readonly string[]> {
  return [...(await source.refresh()).users.keys()]
}

test('a file that does not change gives the same users', async t => {
  const { source } = await opened(t)
  assert.equal((await source.refresh()).users, (await source.refresh()).users)
})

test('a file that somebody is writing in place is not read empty', async t => {
  const users = await opened(t, 'bob')
  await writeFile(users.file, '')
  assert.deepEqual(await names(users), ['bob'])
})

test('a file that breaks while somebody is writing it in place keeps the users before, and is told once', async t => {
  const users = await opened(t, BROKEN)
  await writeFile(users.file, '')
  assert.deepEqual([await names(users), await names(users)], [['alice'], ['alice']])
  assert.deepEqual([users.troubles.length, users.troubles[0]?.includes('stay in force')], [1, true])
})

test('a file that stays without a line is a file without users', async t => {
  const users = await opened(t)
  await writeFile(users.file, '')
  assert.deepEqual(await names(users), [])
})

test('a change that is whole counts at once', async t => {
  const users = await opened(t)
  await writeFile(users.file, users.line('alice') + users.line('bob'))
  assert.deepEqual(await names(users), ['alice', 'bob'])
})
