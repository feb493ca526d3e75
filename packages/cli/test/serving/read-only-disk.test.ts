/**
 * Configuration, users and policy on a disk that the server cannot write to: served all the same, read again when somebody else
 * has changed them, and what would have to be written is refused by name.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFile, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { type RunOptions, run, serve, temporaryFolder } from '../run-command.ts'
import { connectPlainly, echo, logIn, open, requestConnect } from '../socks-client.ts'

const READ_ONLY = 'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && shift && exec "$@"'
/** EX_CANTCREAT and EX_UNAVAILABLE of sysexits.h. */
const CANNOT_WRITE = 73
const UNAVAILABLE = 69

interface Disk {
  /** Can be written to by this process. */
  readonly folder: string
  /** Runs a command to which the folder is read-only. */
  readonly options: RunOptions
}

/** A folder with users, a policy and a configuration; the reason where there can be no mount table of one's own. */
async function readOnlyDisk(t: TestContext, writable: string): Promise<Disk | string> {
  const folder = await temporaryFolder(t)
  const rights = process.getuid?.() === 0 ? ['-m'] : ['-m', '--map-root-user']
  const under = ['unshare', ...rights, 'sh', '-c', READ_ONLY, 'sh', folder]
  const tried = spawnSync('unshare', [...under.slice(1), 'true'])
  if (tried.status !== 0) return `no disk can be made read-only here: ${String(tried.stderr ?? tried.error)}`
  const added = await run(['user', 'add', 'alice', '--users', join(folder, 'users.txt')], { input: 'secret\n' })
  assert.equal(added.code, 0, added.stderr)
  await writeFile(join(folder, 'policy.yaml'), 'rules: [ { allow: everything } ]')
  await writeFile(
    join(folder, 'socksmith.yaml'),
    `listen: [ { address: '127.0.0.1:0', auth: password } ]
users: { file: ${folder}/users.txt }
policy: ${folder}/policy.yaml
state: ${writable}/state.db
control: ${writable}/control.sock
log: { file: ${writable}/sessions.log }
`,
  )
  return { folder, options: { under } }
}

for (const engine of [
  ['--engine', 'node'],
  ['--workers', '2'],
]) {
  test(`a configuration on a read-only disk is served, and read again: ${engine.join(' ')}`, async t => {
    const writable = await temporaryFolder(t)
    const disk = await readOnlyDisk(t, writable)
    if (typeof disk === 'string') return t.skip(disk)
    const { folder, options } = disk
    const server = await serve(t, ['--config', join(folder, 'socksmith.yaml'), ...engine], options)
    const target = await echo(t)
    const replyNow = async (): Promise<number> => {
      const stream = await open(t, server.port)
      assert.ok(await logIn(stream, { name: 'alice', password: 'secret' }))
      return requestConnect(stream, target)
    }
    assert.equal(await replyNow(), 0)
    await writeFile(join(folder, 'policy.yaml'), 'rules: [ { deny: { command: connect } }, { allow: everything } ]')
    const reloaded = await run(['reload', '--control', join(writable, 'control.sock')])
    assert.match(reloaded.stdout + reloaded.stderr, /^reloaded: 2 rules; 1 session ended$/m)
    assert.equal(await replyNow(), 2)
    assert.equal(await server.end(), 0)
    assert.deepEqual((await readdir(folder)).toSorted(), ['policy.yaml', 'socksmith.yaml', 'users.txt'])
  })
}

test('a state file that cannot be begun is told and stops nobody, a control socket is refused', async t => {
  const disk = await readOnlyDisk(t, await temporaryFolder(t))
  if (typeof disk === 'string') return t.skip(disk)
  const { folder, options } = disk
  const listen = ['--listen', '127.0.0.1:0']
  const server = await serve(t, [...listen, '--state', join(folder, 'state.db')], options)
  await server.logged('state.db: the file system is read-only; octets and bans are not kept over the end')
  const stream = await open(t, server.port)
  assert.equal(await connectPlainly(stream, await echo(t)), 0)
  stream.socket.destroy()
  assert.equal(await server.end(), 0)
  const control = ['--control', join(folder, 'control.sock')]
  const { code, stderr } = await run(['serve', ...listen, ...control], options)
  assert.match(stderr, /^error: cannot open the control socket .*: the file system is read-only$/m)
  assert.equal(code, UNAVAILABLE)
})

test('what would be written to a read-only disk is refused by name, and nothing is changed', async t => {
  const disk = await readOnlyDisk(t, await temporaryFolder(t))
  if (typeof disk === 'string') return t.skip(disk)
  const { folder, options } = disk
  const users = join(folder, 'users.txt')
  const before = await readFile(users, 'utf8')
  const listen = ['--listen', '127.0.0.1:0']
  const refused: readonly (readonly string[])[] = [
    ['user', 'add', 'bob', '--users', users],
    ['user', 'passwd', 'alice', '--users', users],
    ['user', 'remove', 'alice', '--users', users],
    ['serve', ...listen, '--log-file', join(folder, 'sessions.log')],
  ]
  await Promise.all(
    refused.map(async args => {
      const { code, stderr } = await run(args, { ...options, input: 'other\n' })
      assert.match(stderr, new RegExp(`^error: .*${folder}/.* read-only`, 'm'), args.join(' '))
      assert.equal(code, CANNOT_WRITE, args.join(' '))
    }),
  )
  assert.equal(await readFile(users, 'utf8'), before)
  assert.deepEqual((await readdir(folder)).toSorted(), ['policy.yaml', 'socksmith.yaml', 'users.txt'])
})
