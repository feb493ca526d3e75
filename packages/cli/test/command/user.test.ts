import assert from 'node:assert/strict'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { run, temporaryFolder } from '../run-command.ts'

test('a user is added from a pipe, listed, changed and removed; nothing is in clear on disk', async t => {
  const cwd = await temporaryFolder(t)
  const file = join(cwd, 'users.txt')
  const user = (args: readonly string[], input = ''): ReturnType<typeof run> =>
    run(['user', ...args, '--users', 'users.txt'], { cwd, input })
  const added = await user(['add', 'alice'], 'correct horse\nnot read\n')
  assert.deepEqual(added, { code: 0, stdout: '', stderr: 'alice was added to users.txt\n' })
  const first = await readFile(file, 'utf8')
  assert.match(first, /^alice:\$argon2id\$v=19\$m=19456,t=2,p=1\$[\w+/]{22}\$[\w+/]{43}$/m)
  assert.doesNotMatch(first, /horse/)
  assert.equal((await stat(file)).mode & 0o777, 0o600)
  assert.equal((await user(['add', 'bób'], 'x\n')).code, 0)
  assert.equal((await user(['list'])).stdout, 'alice\nbób\n')
  assert.equal((await user(['passwd', 'alice'], 'other\n')).code, 0)
  assert.notEqual(await readFile(file, 'utf8'), first)
  assert.equal((await user(['remove', 'alice'])).code, 0)
  assert.equal((await user(['list'])).stdout, 'bób\n')
})

test('the users file can be named by the configuration', async t => {
  const cwd = await temporaryFolder(t)
  await writeFile(join(cwd, 'socksmith.yaml'), 'users: { file: people }\n')
  const added = await run(['user', 'add', 'alice', '--config', 'socksmith.yaml'], { cwd, input: 'x\n' })
  assert.equal(added.code, 0)
  assert.match(await readFile(join(cwd, 'people'), 'utf8'), /^alice:/m)
})

test('what cannot be done is told in a sentence, with its exit code', async t => {
  const cwd = await temporaryFolder(t)
  const file = join(cwd, 'users.txt')
  await run(['user', 'add', 'alice', '--users', file], { input: 'x\n' })
  const before = await readFile(file, 'utf8')
  const cases: readonly [readonly string[], string, number, RegExp][] = [
    [['add', 'alice', '--users', file], 'y\n', 65, /alice is there already/],
    [['add', 'bob', '--users', file], '\n', 65, /an empty password is not accepted/],
    [['add', 'bob', '--users', file], `${'x'.repeat(256)}\n`, 65, /at most 255 octets/],
    [['add', 'a:b', '--users', file], 'x\n', 64, /must not contain ":"/],
    [['passwd', 'bob', '--users', file], 'x\n', 65, /there is no user bob/],
    [['remove', 'bob', '--users', file], '', 65, /there is no user bob/],
    [['list', '--users', join(cwd, 'none')], '', 66, /there is no such file/],
    [['add', 'bob', '--users', join(cwd, 'none', 'users')], 'x\n', 73, /cannot write/],
    [['list'], '', 64, /which users file\?/],
  ]
  for (const [args, input, code, message] of cases) {
    const finished = await run(['user', ...args], { input })
    assert.equal(finished.code, code, args.join(' '))
    assert.match(finished.stderr, message)
    assert.doesNotMatch(finished.stderr, /\n./, 'one line and no stack')
  }
  assert.equal(await readFile(file, 'utf8'), before)
})
