/** Bans by the real command: by hand, by failed logins, in all workers at once, and over the end of the server. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { createLinuxEngine } from '@socksmith/engine'
import { type Finished, type Serving, run, serve, temporaryFolder } from '../run-command.ts'
import { OctetStream, echo, logIn, requestConnect, whenClosed } from '../socks-client.ts'

const made = createLinuxEngine()
const WORKERS: readonly (readonly [count: number, skip: string | false])[] = [
  [0, false],
  [2, 'reason' in made ? made.reason : false],
]

interface Scene {
  readonly folder: string
  start(...args: readonly string[]): Promise<Serving>
  ban(...args: readonly string[]): Promise<Finished>
}

async function openScene(t: TestContext, workers: number): Promise<Scene> {
  const folder = await temporaryFolder(t)
  const control = join(folder, 'control.sock')
  const flags = [
    '--listen',
    '127.0.0.1:0',
    '--workers',
    String(workers),
    '--user',
    'alice:right',
    '--user',
    'bob:right',
  ]
  const more = ['--control', control, '--state', join(folder, 'state.db'), '--log-format', 'json', '--drain', '0']
  return {
    folder,
    start: (...args) => serve(t, [...flags, ...more, ...args]),
    ban: (verb = '', ...args) => run(['ban', verb, ...args, '--control', control]),
  }
}

/** A client with its own address: every address of 127.0.0.0/8 is this host. */
async function openFrom(t: TestContext, port: number, localAddress: string): Promise<OctetStream> {
  const socket = connect({ port, host: '127.0.0.1', localAddress })
  t.after(() => socket.destroy())
  const stream = new OctetStream(socket)
  await once(socket, 'connect')
  return stream
}

/** True: logged in. False: refused. `undefined`: closed without an answer. */
async function tryLogin(
  t: TestContext,
  server: Serving,
  from: string,
  name: string,
  password: string,
): Promise<boolean | undefined> {
  const stream = await openFrom(t, server.port, from)
  return logIn(stream, { name, password }).catch(() => undefined)
}

/** Nobody is trusted, and nothing is slowed down. */
const STRICT = ['--login-trusted', '10.0.0.0/8', '--login-delay', '0']

for (const [workers, skip] of WORKERS) {
  test(`with ${workers} workers a ban by hand holds in all of them, and over a restart`, { skip }, async t => {
    const scene = await openScene(t, workers)
    const server = await scene.start()
    const target = await echo(t)
    const streams: OctetStream[] = []
    for (let i = 0; i < 4; i++) {
      const stream = await openFrom(t, server.port, `127.0.0.${10 + i}`)
      assert.equal(await logIn(stream, { name: 'alice', password: 'right' }), true)
      assert.equal(await requestConnect(stream, target), 0)
      streams.push(stream)
    }
    const added = await scene.ban('add', 'alice', '--reason', 'holiday')
    assert.deepEqual([added.code, added.stderr], [0, 'user alice is banned; 4 sessions ended\n'])
    for (const { socket } of streams) await whenClosed(socket)
    const network = await scene.ban('add', '127.0.1.0/24', '--for', '1h')
    assert.match(network.stderr, /^127\.0\.1\.0\/24 is banned; 0 sessions ended/)
    for (let i = 0; i < 4; i++) {
      assert.equal(await tryLogin(t, server, '127.0.0.5', 'alice', 'right'), false)
      assert.equal(await tryLogin(t, server, `127.0.1.${i}`, 'bob', 'right'), undefined)
      assert.equal(await tryLogin(t, server, '127.0.2.1', 'bob', 'right'), true)
    }
    assert.equal(await server.end(), 0)

    const again = await scene.start()
    assert.equal(await tryLogin(t, again, '127.0.0.5', 'alice', 'right'), false)
    assert.equal(await tryLogin(t, again, '127.0.1.9', 'bob', 'right'), undefined)
    const list = await scene.ban('list')
    assert.match(
      list.stdout,
      /^user alice {2}for good {2}by operator: holiday\n127\.0\.1\.0\/24 {2}until .* by operator\n$/,
    )
    const json = JSON.parse((await scene.ban('list', '--json')).stdout) as { bans: Record<string, unknown>[] }
    assert.deepEqual(
      json.bans.map(({ kind, user, network, by, reason }) => [kind, user ?? network, by, reason]),
      [
        ['user', 'alice', 'operator', 'holiday'],
        ['network', '127.0.1.0/24', 'operator', undefined],
      ],
    )
    assert.equal((await scene.ban('remove', 'alice')).code, 0)
    assert.equal((await scene.ban('remove', '127.0.1.0/24')).code, 0)
    const none = await scene.ban('remove', 'alice')
    assert.deepEqual([none.code, /there is no ban of user alice/.test(none.stderr)], [65, true])
    assert.equal(await tryLogin(t, again, '127.0.0.5', 'alice', 'right'), true)
    assert.equal(await tryLogin(t, again, '127.0.1.9', 'bob', 'right'), true)
    assert.equal((await scene.ban('list')).stdout, 'nobody is banned\n')
    assert.equal(await again.end(), 0)
  })

  test(`with ${workers} workers failed logins of all of them count together, and lead to a ban`, { skip }, async t => {
    const scene = await openScene(t, workers)
    const server = await scene.start(...STRICT, '--login-ban-login-after', '4', '--login-ban-address-after', '8')
    for (let i = 0; i < 4; i++) {
      assert.equal(await tryLogin(t, server, '127.0.0.7', 'alice', `wrong ${i}`), false)
    }
    await server.logged('alice from 127.0.0.7 is banned until')
    assert.match((await scene.ban('list')).stdout, /^alice from 127\.0\.0\.7 {2}until .* by login: failed logins\n$/)
    assert.equal(await tryLogin(t, server, '127.0.0.7', 'bob', 'right'), true)
    assert.equal(await tryLogin(t, server, '127.0.0.8', 'alice', 'right'), true)
    assert.equal((await scene.ban('remove', 'alice from 127.0.0.7')).code, 0)
    assert.equal(await tryLogin(t, server, '127.0.0.7', 'alice', 'right'), true)
    for (let i = 0; i < 4; i++) await tryLogin(t, server, '127.0.0.7', `somebody ${i}`, 'wrong')
    await server.logged('127.0.0.7/32 is banned until')
    assert.match((await scene.ban('list')).stdout, /^127\.0\.0\.7\/32/)
    assert.equal(await tryLogin(t, server, '127.0.0.7', 'bob', 'right'), undefined)
    assert.equal(await server.end(), 0)
  })

  test(`with ${workers} workers a flood of wrong logins does not stand before a right one`, { skip }, async t => {
    const scene = await openScene(t, workers)
    const server = await scene.start(...STRICT, '--login-ban-address-after', '100000')
    let answered = 0
    const flood = Array.from({ length: 120 }, async (_, i) => {
      await tryLogin(t, server, '127.0.0.7', `nobody ${i}`, 'wrong')
      answered++
    })
    await Promise.race(flood)
    assert.equal(await tryLogin(t, server, '127.0.0.8', 'alice', 'right'), true)
    // Each hash takes the same time, so half of the flood would be far behind its fair turn.
    assert.ok(answered < 60, `${answered} of 120 came first`)
    assert.equal(await server.end('SIGKILL'), null)
    await Promise.all(flood)
  })
}

test('a user is banned from one address by the words of the list: on loopback too, and over a restart', async t => {
  const scene = await openScene(t, 0)
  const server = await scene.start('--user', 'carl from home:right')
  const target = await echo(t)
  const stream = await openFrom(t, server.port, '127.0.0.7')
  assert.equal(await logIn(stream, { name: 'alice', password: 'right' }), true)
  assert.equal(await requestConnect(stream, target), 0)
  const added = await scene.ban('add', 'alice from 127.0.0.7')
  assert.deepEqual([added.code, added.stderr], [0, 'alice from 127.0.0.7 is banned; 1 session ended\n'])
  await whenClosed(stream.socket)
  assert.equal((await scene.ban('add', 'carl from home from 127.0.0.7')).code, 0)
  assert.equal((await scene.ban('add', 'bob from 2001:db8::7')).code, 0)
  const holds = async (serving: Serving): Promise<void> => {
    for (const name of ['alice', 'carl from home']) {
      assert.equal(await tryLogin(t, serving, '127.0.0.7', name, 'right'), false)
      assert.equal(await tryLogin(t, serving, '127.0.0.8', name, 'right'), true)
    }
    assert.equal(await tryLogin(t, serving, '127.0.0.7', 'bob', 'right'), true)
  }
  await holds(server)
  assert.equal(await server.end(), 0)

  const again = await scene.start('--user', 'carl from home:right')
  await holds(again)
  const { bans } = JSON.parse((await scene.ban('list', '--json')).stdout) as { bans: Record<string, unknown>[] }
  assert.deepEqual(
    bans.map(({ kind, user, client }) => [kind, user, client]),
    [
      ['login', 'alice', '127.0.0.7'],
      ['login', 'carl from home', '127.0.0.7'],
      ['login', 'bob', '2001:db8::/64'],
    ],
  )
  for (const line of (await scene.ban('list')).stdout.trim().split('\n')) {
    assert.equal((await scene.ban('remove', line.split('  ')[0] ?? '')).code, 0, line)
  }
  assert.equal(await tryLogin(t, again, '127.0.0.7', 'alice', 'right'), true)
  assert.equal(await again.end(), 0)
})

test('what follows "user" is a name whatever it looks like, and "user" may be a name itself', async t => {
  const scene = await openScene(t, 0)
  const server = await scene.start()
  for (const [who, says] of [
    ['user carl from 127.0.0.1', 'user carl from 127.0.0.1'],
    ['user 192.0.2.7', 'user 192.0.2.7'],
    ['carl from home', 'user carl from home'],
    ['user from 127.0.0.1', 'user from 127.0.0.1'],
    ['carl from ::ffff:127.0.0.1', 'carl from 127.0.0.1'],
  ] as const) {
    assert.equal((await scene.ban('add', who)).stderr, `${says} is banned; 0 sessions ended\n`)
  }
  const { bans } = JSON.parse((await scene.ban('list', '--json')).stdout) as { bans: Record<string, unknown>[] }
  assert.deepEqual(
    bans.map(({ kind, user }) => [kind, user]),
    [
      ['user', 'carl from 127.0.0.1'],
      ['user', '192.0.2.7'],
      ['user', 'carl from home'],
      ['login', 'user'],
      ['login', 'carl'],
    ],
  )
  assert.equal((await scene.ban('remove', 'user carl from 127.0.0.1')).code, 0)
  assert.equal(await server.end(), 0)
})

test('what is no address and no duration is told', async t => {
  const scene = await openScene(t, 0)
  for (const [args, says] of [
    [['add', '192.0.2.300'], /expected an address, a network or a user name/],
    [['add', '10.0.0.1/8'], /expected an address/],
    [
      ['add', 'carl from 192.0.2.0/24'],
      /from one address, or from a \/64 of IPv6; for more, ban the network or the user/,
    ],
    [['add', 'carl from 2001:db8::/48'], /from one address/],
    [['add', 'carl from 192.0.2.300'], /expected an address after "from"/],
    [['add', 'alice', '--for', '5'], /--for 5: expected a duration/],
    [['list'], /no server answers/],
  ] as const) {
    const { code, stderr } = await scene.ban(...args)
    assert.match(stderr, says)
    assert.equal(code, args[0] === 'list' ? 69 : 64)
  }
})

test('a state file that is none is told in the log, and the server serves', async t => {
  const scene = await openScene(t, 0)
  await writeFile(join(scene.folder, 'state.db'), 'no database'.repeat(1_000))
  const server = await scene.start()
  await server.logged('"event":"state"')
  assert.match(server.stdout(), /cannot use the state file .*state\.db/)
  assert.equal(await tryLogin(t, server, '127.0.0.1', 'alice', 'right'), true)
  assert.equal(await server.end(), 0)
})
