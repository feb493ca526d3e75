import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { type Serving, run, serve, temporaryFolder } from '../run-command.ts'
import { type OctetStream, connectPlainly, echo, logIn, open, requestConnect, whenClosed } from '../socks-client.ts'

const allowing = (...ports: readonly number[]): string => `rules:\n  - allow: { port: [${ports.join(', ')}] }\n`

interface Scene {
  readonly folder: string
  readonly server: Serving
  reload(): ReturnType<typeof run>
  write(name: string, text: string): Promise<void>
}

async function openScene(t: TestContext, policy: string, args: readonly string[] = []): Promise<Scene> {
  const folder = await temporaryFolder(t)
  const control = join(folder, 'control.sock')
  const write = (name: string, text: string): Promise<void> => writeFile(join(folder, name), text)
  await write('policy.yaml', policy)
  const server = await serve(
    t,
    ['--listen', '127.0.0.1:0', '--policy', 'policy.yaml', '--control', control, '--drain', '0', ...args],
    {
      cwd: folder,
    },
  )
  return { folder, server, write, reload: () => run(['reload', '--control', control]) }
}

async function tunnel(t: TestContext, { server }: Scene, target: number): Promise<OctetStream> {
  const stream = await open(t, server.port)
  assert.equal(await connectPlainly(stream, target), 0)
  return stream
}

async function isAlive(stream: OctetStream): Promise<boolean> {
  stream.socket.write('ping')
  return stream.take(4).then(
    () => true,
    () => false,
  )
}

/** In workers where they can be, in the main thread, and on the engine that runs everywhere. */
const WAYS_TO_SERVE: readonly (readonly string[])[] = [[], ['--workers', '0'], ['--engine', 'node']]

for (const [way, args] of WAYS_TO_SERVE.flatMap(one => [['reload', one] as const, ['SIGHUP', one] as const])) {
  test(`${way} takes new rules; what they forbid ends, the rest does not notice; ${args.join(' ')}`, async t => {
    const [first, second] = [await echo(t), await echo(t)]
    const scene = await openScene(t, allowing(first, second), args)
    const [stays, goes] = [await tunnel(t, scene, first), await tunnel(t, scene, second)]
    await scene.write('policy.yaml', allowing(first))
    const gone = whenClosed(goes.socket)
    if (way === 'SIGHUP') scene.server.child.kill('SIGHUP')
    else {
      const { code, stderr } = await scene.reload()
      assert.deepEqual([code, stderr], [0, 'reloaded: 1 rule; 1 session ended\n'])
    }
    await gone
    await scene.server.logged('"end":"revoked"')
    assert.equal(await isAlive(stays), true)
    assert.notEqual(await connectPlainly(await open(t, scene.server.port), second), 0)
    assert.equal(await scene.server.end(), 0)
  })
}

test('a file that is wrong, or fails its own cases, changes nothing and says why', async t => {
  const target = await echo(t)
  const scene = await openScene(t, allowing(target))
  const stream = await tunnel(t, scene, target)
  await scene.write('policy.yaml', 'rules:\n  - alow: everything\n')
  const wrong = await scene.reload()
  assert.equal(wrong.code, 65)
  assert.match(wrong.stderr, /policy\.yaml:2:5: unknown key "alow"; did you mean "allow"/)
  await scene.write('policy.yaml', `${allowing(1)}cases:\n  - allow: { to: '127.0.0.1:${target}' }\n`)
  const failing = await scene.reload()
  assert.equal(failing.code, 65)
  assert.match(failing.stderr, /policy\.yaml:4: a case of the policy fails: expected allow/)
  scene.server.child.kill('SIGHUP')
  await scene.server.logged('the rules read before stay in force')
  assert.equal(await isAlive(stream), true)
  assert.equal(await connectPlainly(await open(t, scene.server.port), target), 0)
})

for (const args of WAYS_TO_SERVE) {
  test(`a log that was renamed goes on in a file of its name after a reload, and no line is lost; ${args.join(' ')}`, async t => {
    const target = await echo(t)
    const scene = await openScene(t, allowing(target), ['--log-file', 'log', '--log-format', 'json', ...args])
    const path = join(scene.folder, 'log')
    const one = async (): Promise<void> => {
      const stream = await tunnel(t, scene, target)
      stream.socket.end()
      await whenClosed(stream.socket)
    }
    await one()
    await rename(path, `${path}.1`)
    await one()
    assert.deepEqual((await scene.reload()).stderr, 'reloaded: 1 rule; 0 sessions ended\n')
    await one()
    // A folder is no file that could be written to.
    await rename(path, `${path}.2`)
    await mkdir(path)
    const { code, stderr } = await scene.reload()
    assert.equal(code, 73)
    assert.match(
      stderr,
      /reloaded: 1 rule; 0 sessions ended; but the log .*\/log cannot be opened again: it is a folder; the file opened before takes the lines$/m,
    )
    await one()
    assert.equal(await scene.server.end(), 0)
    const [first, second] = await Promise.all([1, 2].map(part => readFile(`${path}.${part}`, 'utf8')))
    assert.equal(`${first}${second}`.split('"duration_ms"').length - 1, 4)
    assert.match(
      String(second),
      /"event":"policy","message":"reloaded: 1 rule; 0 sessions ended"[^]*"event":"log","message":"the log /,
    )
  })
}

test('a set is read again when its file changes, and a broken one is told once', async t => {
  const [first, second] = [await echo(t), await echo(t)]
  const folder = await temporaryFolder(t)
  const write = (text: string): Promise<void> => writeFile(join(folder, 'ports.txt'), text)
  await write(`${first}\n${second}\n`)
  await writeFile(
    join(folder, 'policy.yaml'),
    'sets: { open: { file: ports.txt } }\nrules: [{ allow: { port: $open } }]\n',
  )
  const server = await serve(t, ['--listen', '127.0.0.1:0', '--policy', join(folder, 'policy.yaml')])
  const stream = await open(t, server.port)
  assert.equal(await connectPlainly(stream, second), 0)
  const gone = whenClosed(stream.socket)
  await write(`${first}\n`)
  await gone
  await write('many\n')
  await server.logged('ports.txt:1: expected a port')
  assert.equal(await connectPlainly(await open(t, server.port), first), 0)
})

for (const args of WAYS_TO_SERVE) {
  test(`a user who is removed or disabled loses the sessions, others keep theirs, a new one comes in; ${args.join(' ')}`, async t => {
    const folder = await temporaryFolder(t)
    const users = join(folder, 'users.txt')
    const user = async (...args: readonly string[]): Promise<void> => {
      const { code, stderr } = await run(['user', ...args, '--users', users], { input: 'secret\n' })
      assert.equal(code, 0, stderr)
    }
    for (const name of ['alice', 'bob', 'carol']) await user('add', name)
    const server = await serve(t, ['--listen', '127.0.0.1:0', '--users', users, ...args])
    const target = await echo(t)
    const streams = new Map<string, OctetStream>()
    for (const name of ['alice', 'bob', 'carol']) {
      const stream = await open(t, server.port)
      assert.equal(await logIn(stream, { name, password: 'secret' }), true)
      assert.equal(await requestConnect(stream, target), 0)
      streams.set(name, stream)
    }
    for (const [name, command] of [
      ['alice', 'remove'],
      ['bob', 'disable'],
    ] as const) {
      const socket = streams.get(name)?.socket
      assert.ok(socket)
      const gone = whenClosed(socket)
      await user(command, name)
      await gone
      assert.equal(await logIn(await open(t, server.port), { name, password: 'secret' }), false)
    }
    const carol = streams.get('carol')
    assert.ok(carol)
    assert.equal(await isAlive(carol), true)
    const listed = async (): Promise<string> => (await run(['user', 'list', '--users', users])).stdout
    assert.equal(await listed(), 'bob (disabled)\ncarol\n')
    await user('add', 'dora')
    // The file is looked at several times a second.
    while (!(await logIn(await open(t, server.port), { name: 'dora', password: 'secret' }))) {
      assert.equal(server.child.exitCode, null)
    }
    await user('enable', 'bob')
    assert.equal(await listed(), 'bob\ncarol\ndora\n')
  })
}

test('a reload says what of the configuration only a restart takes, for as long as that is so', async t => {
  const folder = await temporaryFolder(t)
  const write = (inside: string, idle: string, commands: string): Promise<void> =>
    writeFile(
      join(folder, 'a.yaml'),
      `listen: ["127.0.0.1:0"]
control: control.sock
access: { inside-open: [${inside}], commands: [${commands}] }
limits: { idle: ${idle} }
policy: { rules: [{ allow: everything }] }
`,
    )
  await write('10.0.0.0/8', '1h', 'connect, bind')
  const server = await serve(t, ['--config', 'a.yaml', '--workers', '0'], { cwd: folder })
  const reload = (): ReturnType<typeof run> => run(['reload', '--config', 'a.yaml'], { cwd: folder })
  const taken = 'reloaded: 1 rule; 0 sessions ended'
  await write('10.1.0.0/16', '1h', 'connect, bind')
  assert.equal((await reload()).stderr, `${taken}\n`)
  await write('10.1.0.0/16', '2h', 'connect')
  const waits = `${taken}; changes of limits, access.commands need a restart`
  for (const _ of ['first', 'again']) {
    const { code, stderr } = await reload()
    assert.deepEqual([code, stderr], [0, `${waits}\n`])
  }
  await server.logged(waits)
  await write('10.1.0.0/16', '1h', 'connect, bind')
  assert.equal((await reload()).stderr, `${taken}\n`)
  assert.equal(await server.end(), 0)
})

test('a reload says that the users file is wrong, for as long as it is, and takes the rules', async t => {
  const folder = await temporaryFolder(t)
  const users = join(folder, 'users.txt')
  const add = await run(['user', 'add', 'alice', '--users', users], { input: 'secret\n' })
  assert.equal(add.code, 0, add.stderr)
  const good = await readFile(users, 'utf8')
  const scene = await openScene(t, 'rules: [{ allow: everything }]\n', ['--users', users])
  await writeFile(users, 'nonsense\n')
  await scene.write('policy.yaml', 'rules: [{ allow: { user: alice } }, { allow: { port: 80 } }]\n')
  for (const _ of ['first', 'again']) {
    const { code, stderr } = await scene.reload()
    assert.equal(code, 65)
    assert.match(
      stderr,
      /reloaded: 2 rules; 0 sessions ended; but .*users\.txt.*; the users read before stay in force\n$/,
    )
  }
  const stream = await open(t, scene.server.port)
  assert.equal(await logIn(stream, { name: 'alice', password: 'secret' }), true)
  await writeFile(users, good)
  const { code, stderr } = await scene.reload()
  assert.deepEqual([code, stderr], [0, 'reloaded: 2 rules; 0 sessions ended\n'])
})

test('the control socket is for its owner, is replaced when it was left behind, and is not taken from a living server', async t => {
  const scene = await openScene(t, 'rules: [{ allow: everything }]\n')
  const control = join(scene.folder, 'control.sock')
  assert.equal((await stat(control)).mode & 0o777, 0o600)
  const second = await run(['serve', '--listen', '127.0.0.1:0', '--control', control])
  assert.equal(second.code, 69)
  assert.match(second.stderr, /another server uses it/)
  scene.server.child.kill('SIGKILL')
  await once(scene.server.child, 'close')
  const { code, stderr } = await scene.reload()
  assert.equal(code, 69)
  assert.match(stderr, /no server answers/)
  const third = await serve(t, ['--listen', '127.0.0.1:0', '--control', control])
  assert.equal((await scene.reload()).code, 0)
  assert.equal(await third.end(), 0)
})

test('a listener for everybody is refused, unless the rules refuse strangers', async t => {
  const folder = await temporaryFolder(t)
  const policy = join(folder, 'policy.yaml')
  const start = async (rules: string, listener = '"0.0.0.0:1080"'): Promise<string> => {
    await writeFile(policy, rules)
    const config = join(folder, 'socksmith.yaml')
    await writeFile(config, `listen: [${listener}]\npolicy: policy.yaml\n`)
    return (await run(['config', 'check', config])).stderr
  }
  assert.match(await start('rules: [{ allow: everything }]\n'), /would be a proxy for everybody/)
  assert.equal(await start('rules: [{ allow: { from: 10.0.0.0/8 } }]\n'), '')
  assert.match(await start('rules: [{ allow: everything, via: tor }]\n'), /there is no way out "tor"/)
  // At another time, or from an address of the other family.
  const weekend = "rules: [{ deny: { when: 'Mon-Fri' } }, { allow: everything }]\n"
  const later = "rules: [{ allow: { when: '2199-01-01..2199-12-31' } }]\n"
  for (const rules of [weekend, later]) assert.match(await start(rules), /would be a proxy for everybody/)
  assert.equal(await start("rules: [{ allow: { from: 10.0.0.0/8, when: 'Mon-Fri' } }]\n"), '')
  const ipv4 = 'rules: [{ deny: { from: 0.0.0.0/0 } }, { allow: everything }]\n'
  assert.equal(await start(ipv4), '')
  const headed = "{ address: '0.0.0.0:1080', auth: none, proxy-protocol-from: [10.0.0.0/8] }"
  for (const listener of ['"[::]:1080"', headed]) {
    assert.match(await start(ipv4, listener), /would be a proxy for everybody/)
  }
})
