import assert from 'node:assert/strict'
import { once } from 'node:events'
import { appendFile, readFile, stat, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { run, serve, temporaryFolder } from '../run-command.ts'
import { connectPlainly, echo, logIn, open, requestConnect, whenClosed } from '../socks-client.ts'

test('the ready line names every address with its real port, and the proxy works there', async t => {
  const path = join(await temporaryFolder(t), 'proxy.sock')
  const server = await serve(t, ['--listen', '127.0.0.1:0', '--listen', `unix:${path}`])
  assert.match(
    server.ready,
    /ready on 127\.0\.0\.1:[1-9]\d* \(no password\), unix:\/.*proxy\.sock \(no password\); engine (linux|node)/,
  )
  const target = await echo(t)
  for (const proxy of [server.port, path]) {
    const stream = await open(t, proxy)
    assert.equal(await connectPlainly(stream, target), 0)
    stream.socket.write('hello')
    assert.equal((await stream.take(5)).toString(), 'hello')
    stream.socket.end()
  }
  assert.equal(await server.end(), 0)
})

test('a session is one JSON record, with the octets of both ways', async t => {
  const server = await serve(t, ['--listen', '127.0.0.1:0', '--user', 'alice:secret word'])
  const target = await echo(t)
  const stream = await open(t, server.port)
  assert.equal(await logIn(stream, { name: 'alice', password: 'secret word' }), true)
  assert.equal(await requestConnect(stream, target), 0)
  stream.socket.write('12345')
  await stream.take(5)
  stream.socket.end()
  await server.logged('\n')
  const record = JSON.parse(server.stdout()) as Record<string, unknown>
  const { time, duration_ms, client, ...rest } = record
  assert.match(String(time), /^\d{4}-\d\d-\d\dT[\d:.]+Z$/)
  assert.equal(typeof duration_ms, 'number')
  assert.match(String(client), /^127\.0\.0\.1:\d+$/)
  assert.deepEqual(rest, {
    id: 1,
    listener: `127.0.0.1:${server.port}`,
    listener_name: '127.0.0.1:0',
    method: 'password',
    user: 'alice',
    protocol: 'socks5',
    command: 'connect',
    target: `127.0.0.1:${target}`,
    dialled: `127.0.0.1:${target}`,
    up_octets: 5,
    down_octets: 5,
    reply: 0,
    end: 'client-finished',
  })
  assert.equal(await server.end(), 0)
  assert.doesNotMatch(server.stdout() + server.stderr(), /secret word/)
})

test('a wrong password and an unknown user are refused alike, and the password is in no log', async t => {
  const server = await serve(t, ['--listen', '127.0.0.1:0', '--user', 'alice:right', '--log-format', 'json'])
  for (const name of ['alice', 'mallory']) {
    const stream = await open(t, server.port)
    assert.equal(await logIn(stream, { name, password: 'hunter2' }), false)
  }
  assert.equal(await server.end(), 0)
  const records = server
    .stdout()
    .trim()
    .split('\n')
    .map(line => JSON.parse(line) as Record<string, unknown>)
  const shapes = records.map(({ end, failure, detail, reply, user }) => ({ end, failure, detail, reply, user }))
  assert.equal(shapes.length, 2)
  assert.deepEqual(shapes[0], shapes[1])
  assert.doesNotMatch(server.stdout() + server.stderr(), /hunter2/)
})

test('the level no-targets writes no target, and none writes nothing', async t => {
  const target = await echo(t)
  for (const level of ['no-targets', 'none']) {
    const server = await serve(t, ['--listen', '127.0.0.1:0', '--log-sessions', level])
    const stream = await open(t, server.port)
    assert.equal(await connectPlainly(stream, target), 0)
    stream.socket.end()
    await whenClosed(stream.socket)
    assert.equal(await server.end(), 0)
    if (level === 'none') assert.equal(server.stdout(), '')
    else
      assert.deepEqual(
        Object.keys(JSON.parse(server.stdout()) as object).filter(key => /target|dialled/.test(key)),
        [],
      )
  }
})

test('a log whose folder is not there is refused by name', async t => {
  const file = join(await temporaryFolder(t), 'logs', 'socksmith.log')
  const { code, stderr } = await run(['serve', '--listen', '127.0.0.1:0', '--log-file', file])
  assert.deepEqual([code, stderr], [73, `error: cannot write the log ${file}: its folder does not exist\n`])
})

test('the log can be a file, which others cannot read', async t => {
  const file = join(await temporaryFolder(t), 'socksmith.log')
  const server = await serve(t, ['--listen', '127.0.0.1:0', '--log-file', file, '--log-format', 'pretty'])
  const stream = await open(t, server.port)
  assert.equal(await connectPlainly(stream, await echo(t)), 0)
  stream.socket.end()
  await whenClosed(stream.socket)
  assert.equal(await server.end(), 0)
  assert.match(
    await readFile(file, 'utf8'),
    /^\d\d:\d\d:\d\d - 127\.0\.0\.1:\d+ → 127\.0\.0\.1:\d+ socks5 connect 0 B up 0 B down \d+ ms client-finished\n$/,
  )
  assert.equal((await stat(file)).mode & 0o007, 0)
})

test('SIGTERM lets a session finish, says how many there are, and exits with 0', async t => {
  const server = await serve(t, ['--listen', '127.0.0.1:0'])
  const stream = await open(t, server.port)
  assert.equal(await connectPlainly(stream, await echo(t)), 0)
  server.child.kill('SIGTERM')
  await server.said('waiting for 1 session, 30 s at most')
  await assert.rejects(open(t, server.port), { code: 'ECONNREFUSED' })
  stream.socket.write('still here')
  assert.equal((await stream.take(10)).toString(), 'still here')
  stream.socket.end()
  const [code] = (await once(server.child, 'close')) as [number]
  assert.equal(code, 0)
  assert.match(server.stderr(), /stopped; no session was left/)
})

test('at the deadline the rest is ended and counted, its record is written, and the exit code is 0', async t => {
  const server = await serve(t, ['--listen', '127.0.0.1:0', '--drain', '50ms'])
  const stream = await open(t, server.port)
  assert.equal(await connectPlainly(stream, await echo(t)), 0)
  assert.equal(await server.end('SIGINT'), 0)
  assert.match(server.stderr(), /stopped; 1 session left at the deadline was ended/)
  assert.equal((JSON.parse(server.stdout()) as { end: string }).end, 'stopped')
})

test('SIGHUP while sessions are let finish changes nothing', async t => {
  const server = await serve(t, ['--listen', '127.0.0.1:0'])
  const stream = await open(t, server.port)
  assert.equal(await connectPlainly(stream, await echo(t)), 0)
  server.child.kill('SIGTERM')
  await server.said('stopping')
  server.child.kill('SIGHUP')
  stream.socket.end('still here')
  assert.equal((await stream.take(10)).toString(), 'still here')
  const [code] = (await once(server.child, 'close')) as [number]
  assert.equal(code, 0)
  assert.equal((JSON.parse(server.stdout()) as { end: string }).end, 'client-finished')
})

test('a second signal ends at once', async t => {
  const server = await serve(t, ['--listen', '127.0.0.1:0'])
  const stream = await open(t, server.port)
  assert.equal(await connectPlainly(stream, await echo(t)), 0)
  server.child.kill('SIGTERM')
  await server.said('stopping')
  assert.equal(await server.end('SIGTERM'), 143)
})

test('a listener beyond loopback without authentication is refused, unless the danger is named', async t => {
  const refused = await run(['serve', '--listen', '0.0.0.0:0'])
  assert.equal(refused.code, 77)
  assert.match(refused.stderr, /^error: 0\.0\.0\.0:0 would be a proxy for everybody/)
  const six = await run(['serve', '--listen', '[::]:0', '--auth', 'none', '--user', 'a:b'])
  assert.equal(six.code, 77)
  // 127.0.0.2 is loopback, so that this test opens nothing to others.
  const allowed = await serve(t, ['--listen', '127.0.0.2:0', '--danger-open-proxy'])
  assert.equal(await allowed.end(), 0)
})

test('an address in use is told by name, with exit code 69', async t => {
  const other = createServer()
  other.listen(0, '127.0.0.1')
  await once(other, 'listening')
  t.after(() => other.close())
  const { port } = other.address() as AddressInfo
  const { code, stderr } = await run(['serve', '--listen', '127.0.0.1:0', '--listen', `127.0.0.1:${port}`])
  assert.equal(code, 69)
  assert.equal(
    stderr,
    `error: cannot listen on 127.0.0.1:${port}: the address is in use; stop the other program, or choose another with --listen\n`,
  )
})

test('a users file is read again when it changes, and a broken one keeps the last good users', async t => {
  const folder = await temporaryFolder(t)
  const users = join(folder, 'users.txt')
  const add = async (name: string): Promise<void> => {
    const added = await run(['user', 'add', name, '--users', users], { input: `${name} password\n` })
    assert.equal(added.code, 0, added.stderr)
  }
  await add('alice')
  const server = await serve(t, ['--listen', '127.0.0.1:0', '--users', users])
  const canLogIn = async (name: string): Promise<boolean> => {
    const stream = await open(t, server.port)
    const answer = await logIn(stream, { name, password: `${name} password` })
    stream.socket.destroy()
    return answer
  }
  assert.equal(await canLogIn('alice'), true)
  await add('bob')
  // The file is looked at no more than once a second.
  while (!(await canLogIn('bob'))) await new Promise(resolve => setTimeout(resolve, 100))
  await appendFile(users, 'carol:not a hash\n')
  while (!server.stdout().includes('stay in force')) {
    assert.equal(await canLogIn('alice'), true)
    await new Promise(resolve => setTimeout(resolve, 100))
  }
  // Each worker has read the file with bob in it, or will within a second.
  while (!(await canLogIn('bob'))) await new Promise(resolve => setTimeout(resolve, 100))
  assert.match(server.stdout(), /"event":"users","message":"[^"]*users\.txt:4:1: expected an argon2id hash/)
  assert.equal(await server.end(), 0)
})

test('a file of the configuration that is missing has exit code 66', async t => {
  const folder = await temporaryFolder(t)
  for (const args of [
    ['--config', 'none.yaml'],
    ['--users', 'none.txt'],
    ['--tls-certificate', 'none.pem', '--tls-key', 'none.pem'],
  ]) {
    const { code, stderr } = await run(['serve', '--listen', '127.0.0.1:0', ...args], { cwd: folder })
    assert.equal(code, 66)
    assert.match(stderr, /^error: cannot read .*none\.(yaml|txt|pem): there is no such file\n$/)
  }
})

test('flags win over the file', async t => {
  const folder = await temporaryFolder(t)
  await writeFile(join(folder, 'a.yaml'), 'listen: [0.0.0.0:1]\nlog: { sessions: none }\n')
  const server = await serve(t, ['-c', 'a.yaml', '--listen', '127.0.0.1:0'], { cwd: folder })
  assert.match(server.ready, /ready on 127\.0\.0\.1:/)
  assert.equal(await server.end(), 0)
})

test('a protocol that is switched off is not spoken', async t => {
  const server = await serve(t, ['--listen', '127.0.0.1:0', '--protocols', 'socks4,http'])
  const stream = await open(t, server.port)
  await assert.rejects(connectPlainly(stream, await echo(t)))
  assert.equal(await server.end(), 0)
})
