/** Ways out of a real `serve`, named by its rules: sources, proxies that die and come back, reloads, and what is refused. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { type TestContext, test } from 'node:test'
import { connect } from '@socksmith/client'
import { runCommand, tcpTarget } from '../reach-scene.ts'
import { type Serving, run, serve, temporaryFolder } from '../run-command.ts'

const MODES = [
  ['--engine', 'node'],
  ['--engine', 'auto', '--workers', '0'],
  ['--engine', 'auto', '--workers', '2'],
] as const

/** Serves with this configuration. */
async function open(
  t: TestContext,
  mode: readonly string[],
  config: string,
): Promise<{ readonly server: Serving; readonly folder: string; readonly write: (text: string) => Promise<void> }> {
  const folder = await temporaryFolder(t)
  const write = (text: string): Promise<void> => writeFile(join(folder, 'a.yaml'), text)
  await write(config)
  const flags = ['--config', 'a.yaml', '--listen', '127.0.0.1:0', '--log-format', 'json', '--drain', '0']
  return { server: await serve(t, [...flags, ...mode], { cwd: folder }), folder, write }
}

/** What the target says to whoever comes through this port. */
async function told(_t: TestContext, port: number, target: number, login = ''): Promise<string> {
  try {
    const via = `socks5h://${login}127.0.0.1:${port}`
    return await text(await connect({ via, host: '127.0.0.1', port: target }))
  } catch {
    return 'failed'
  }
}

/** Says from where it was reached. */
function tellTarget(t: TestContext): Promise<number> {
  return tcpTarget(t, socket => socket.end(socket.remoteAddress ?? ''))
}

const urlOf = ({ port }: Serving): string => `socks5h://ann:sesame@127.0.0.1:${port}`

const viaLine = (port: number): string => `"via":"fleet: socks5h://127.0.0.1:${port}"`

const sourceConfig = (way: string, via: string): string =>
  `control: ctl\nways: { ${way}: { source: 127.0.0.7 } }\npolicy:\n  rules:\n    - allow: everything\n      via: ${via}\n`

const TEMPLATE = '{user}-session-{session}-country-{country}'

for (const mode of MODES) {
  test(`each user leaves by an address of his own, always the same; ${mode.join(' ')}`, async t => {
    const target = await tellTarget(t)
    const sources = Array.from({ length: 30 }, (_, index) => `127.0.3.${index + 1}`)
    const { server } = await open(
      t,
      [...mode, '--user', 'ann:sesame', '--user', 'ben:sesame', '--user', 'cid:sesame', '--user', 'dot:sesame'],
      `ways:\n  many: { source: [${sources.join(', ')}], sticky: user }\npolicy: { rules: [{ allow: everything, via: many }] }\n`,
    )
    const seen = new Map<string, string>()
    for (const round of [1, 2]) {
      for (const user of ['ann', 'ben', 'cid', 'dot']) {
        const from = await told(t, server.port, target, `${user}:sesame@`)
        assert.ok(sources.includes(from), from)
        if (round === 2) assert.equal(from, seen.get(user))
        seen.set(user, from)
      }
    }
    assert.ok(new Set(seen.values()).size > 1, [...seen.values()].join())
  })
}

test('a member of a pool that is killed is passed by, and is used again when it is back', async t => {
  const target = await tellTarget(t)
  const flags = ['--engine', 'node', '--workers', '0', '--drain', '0']
  const first = await serve(t, [...flags, '--listen', '127.0.0.1:0'])
  const second = await serve(t, [...flags, '--listen', '127.0.0.1:0'])
  const { server } = await open(
    t,
    ['--workers', '0'],
    [
      'ways:',
      `  fleet: { pool: ["${urlOf(first)}", "${urlOf(second)}"], back-off: 1ms, back-off-max: 1ms }`,
      'policy: { rules: [{ allow: everything, via: fleet }] }\n',
    ].join('\n'),
  )
  assert.equal(await told(t, server.port, target), '127.0.0.1')
  await server.logged(viaLine(first.port))
  first.child.kill('SIGKILL')
  assert.equal(await told(t, server.port, target), '127.0.0.1')
  await server.logged(viaLine(second.port))
  await serve(t, [...flags, '--listen', `127.0.0.1:${first.port}`])
  const before = server.stdout().split(viaLine(first.port)).length
  assert.equal(await told(t, server.port, target), '127.0.0.1')
  assert.equal(await server.end(), 0)
  assert.equal(server.stdout().split(viaLine(first.port)).length, before + 1)
  assert.ok(!/sesame/.test(server.stdout() + server.stderr()))
})

test('a reload brings new ways, and a rule that names one that is not there changes nothing', async t => {
  const target = await tellTarget(t)
  const { server, write, folder } = await open(t, ['--workers', '2'], sourceConfig('one', 'direct'))
  assert.equal(await told(t, server.port, target), '127.0.0.1')
  await write(sourceConfig('two', 'tow'))
  const wrong = await run(['reload', '--config', 'a.yaml'], { cwd: folder })
  assert.equal(wrong.code, 65)
  assert.match(wrong.stderr, /a\.yaml:6:12: there is no way out "tow".*did you mean "two"\?/)
  await write(sourceConfig('two', 'two'))
  const right = await run(['reload', '--config', 'a.yaml'], { cwd: folder })
  assert.equal(right.code, 0, right.stderr)
  for (let i = 0; i < 4; i++) assert.equal(await told(t, server.port, target), '127.0.0.7')
  assert.ok(!server.stderr().includes('restart'), server.stderr())
})

test('what cannot be served is refused before anything listens', async t => {
  const cwd = await temporaryFolder(t)
  for (const [config, code, words] of [
    ['ways: { a: { interface: lo } }\nengine: node\n', 65, 'ways.a: the portable engine cannot do this (interface)'],
    ['ways: { a: { mark: 7 } }\nengine: node\n', 65, 'ways.a: the portable engine cannot do this (mark)'],
    ['ways: { a: { source: "2001:db8::/64" } }\nengine: node\n', 65, 'cannot do this (source with a whole prefix)'],
    [
      'listen: ["127.0.0.1:29181"]\nways: { a: "socks5h://b:sesame@127.0.0.1:29181" }\n',
      65,
      'a listener of this server',
    ],
    [
      'listen: ["127.0.0.1:29181"]\nways: { a: "http://[::]:29181" }\n',
      65,
      'ways.a: 127.0.0.1:29181 is a listener of this server itself',
    ],
    [
      'listen: ["127.0.0.1:29181"]\nways: { a: "socks5h://loop.test:29181" }\ndns: { hosts: { loop.test: 127.0.0.1 } }\n',
      65,
      'ways.a: 127.0.0.1:29181 is a listener of this server itself',
    ],
    [
      'listen: ["127.0.0.1:29181"]\nvia: ["socks5h://loop.test:29181"]\ndns: { hosts: { loop.test: 127.0.0.1 } }\n',
      65,
      'via: 127.0.0.1:29181 is a listener of this server itself',
    ],
    [
      'listen: ["192.0.2.1:29181"]\ndanger-open-proxy: true\nways: { a: { chain: ["http://127.0.0.1:1", "http://192.0.2.1:29181"] } }\n',
      65,
      'ways.a: 192.0.2.1:29181 is a listener of this server itself',
    ],
  ] as const) {
    await writeFile(join(cwd, 'a.yaml'), config)
    for (const args of [
      ['serve', '--config', 'a.yaml'],
      ['config', 'check', 'a.yaml'],
    ]) {
      const ended = await run(args, { cwd })
      assert.equal(ended.code, code, ended.stderr)
      assert.ok(ended.stderr.includes(words) && !ended.stderr.includes('sesame'), ended.stderr)
    }
  }
})

test('a mark that the process may not set is refused before anything listens, and noted by a check', async t => {
  const cwd = await temporaryFolder(t)
  const under = ['setpriv', '--inh-caps=-all', '--bounding-set=-net_admin']
  if (process.getuid?.() !== 0 || spawnSync(under[0] as string, [...under.slice(1), 'true']).status !== 0)
    return t.skip('nobody can be given fewer rights here')
  await writeFile(join(cwd, 'a.yaml'), 'listen: ["127.0.0.1:0"]\nways: { a: direct, b: { mark: 7 } }\n')
  const refused = await run(['serve', '--config', 'a.yaml'], { cwd, under })
  assert.equal(refused.stderr, 'error: ways.b: a mark needs CAP_NET_ADMIN, which this process lacks\n')
  assert.equal(refused.code, 77)
  const checked = await run(['config', 'check', 'a.yaml'], { cwd, under })
  assert.equal(checked.code, 0)
  assert.match(checked.stderr, /^note: ways\.b: a mark needs CAP_NET_ADMIN, which this process lacks$/m)
})

test('explain tells the way, config show tells it without its password', async t => {
  const cwd = await temporaryFolder(t)
  await writeFile(
    join(cwd, 'a.yaml'),
    [
      'via: ["socks5h://gate:sesame@gate.example"]',
      'ways: { paris: "socks5h://ann:sesame@a.example" }',
      'policy:',
      '  rules:',
      '    - { allow: { port: 443 }, via: paris }',
      '    - { allow: { port: 80 }, via: direct }',
      '    - { allow: { port: 25 } }',
      '  cases:',
      '    - { allow: { to: "192.0.2.1:443" }, via: paris }',
      '    - { allow: { to: "192.0.2.1:25" }, via: default }\n',
    ].join('\n'),
  )
  for (const [port, via] of [
    [443, 'paris (socks5h://a.example:1080)'],
    [80, 'direct'],
    [25, 'default (socks5h://gate.example:1080)'],
  ] as const) {
    const { code, stdout } = await run(
      ['policy', 'explain', '--policy', 'a.yaml', 'CONNECT', `93.184.216.34:${port}`],
      { cwd },
    )
    assert.equal(code, 0, stdout)
    assert.ok(stdout.includes(`\n  via: ${via}\n`), stdout)
  }
  assert.equal((await run(['policy', 'test', 'a.yaml'], { cwd })).code, 0)
  const shown = await run(['config', 'show', '--config', 'a.yaml'], { cwd })
  assert.match(shown.stdout, /paris: socks5h:\/\/ann:\*{8}@a\.example/)
  assert.ok(!shown.stdout.includes('sesame'), shown.stdout)
})

test('parameters of a user name choose the source and fill the login at a proxy; the record has them', async t => {
  const target = await tellTarget(t)
  const gate = await serve(t, ['--engine', 'node', '--listen', '127.0.0.1:0', '--user', 'x-ann-country-de:sesame'])
  const sources = Array.from({ length: 30 }, (_, index) => `127.0.4.${index + 1}`)
  const { server } = await open(
    t,
    ['--workers', '2', '--user', 'ann:sesame', '--user', 'ann-session-x:other', '--users-template', TEMPLATE],
    [
      'ways:',
      `  many: { source: [${sources.join(', ')}], sticky: session }`,
      `  gate: { chain: ["socks5h://x-{user}[-country-{country}]:sesame@127.0.0.1:${gate.port}"] }`,
      `policy: { rules: [{ allow: { user: ann, to: localhost }, via: gate }, { allow: { user: ann }, via: many }] }\n`,
    ].join('\n'),
  )
  const seen = new Map<string, string>()
  for (const session of ['1', '2', '3', '4', '1', '2', '3', '4']) {
    const from = await told(t, server.port, target, `ann-session-${session}:sesame@`)
    assert.ok(sources.includes(from), from)
    assert.equal(seen.get(session) ?? from, from)
    seen.set(session, from)
  }
  assert.ok(new Set(seen.values()).size > 1)
  await server.logged('"parameters":{"session":"1"}')
  // A wrong password, a user who is none, and one whose name only looks so.
  for (const login of ['ann-session-1:wrong@', 'bob-session-1:sesame@', 'ann-session-x:sesame@']) {
    assert.match(await told(t, server.port, target, login), /^failed/)
  }
  const by = (user: string): ReturnType<typeof runCommand> =>
    runCommand(t, [
      'connect',
      '--via',
      `socks5h://${user}:sesame@127.0.0.1:${server.port}`,
      'localhost',
      String(target),
    ])
  assert.equal((await by('ann-country-de')).code, 0)
  assert.notEqual((await by('ann-country-us')).code, 0)
  assert.ok(!/sesame/.test(server.stdout() + server.stderr()))
})

test('proxies are asked whether they work: one that dies is told and left out, and comes back by itself', async t => {
  const target = await tellTarget(t)
  const flags = ['--engine', 'node', '--drain', '0']
  const first = await serve(t, [...flags, '--listen', '127.0.0.1:0'])
  const second = await serve(t, [...flags, '--listen', '127.0.0.1:0'])
  const { server } = await open(
    t,
    ['--workers', '0'],
    [
      'ways:',
      '  fleet:',
      `    pool: ["socks5h://127.0.0.1:${first.port}", "socks5h://127.0.0.1:${second.port}"]`,
      `    check: { every: 50ms, to: "127.0.0.1:${target}", back-off-max: 100ms }`,
      'policy: { rules: [{ allow: everything, via: fleet }] }\n',
    ].join('\n'),
  )
  first.child.kill('SIGKILL')
  await server.logged(`the proxy socks5h://127.0.0.1:${first.port} of the way fleet does not work`)
  assert.equal(await told(t, server.port, target), '127.0.0.1')
  await serve(t, [...flags, '--listen', `127.0.0.1:${first.port}`])
  await server.logged(`the proxy socks5h://127.0.0.1:${first.port} of the way fleet works again`)
  assert.equal(await told(t, server.port, target), '127.0.0.1')
  await server.logged(viaLine(first.port))
})

test('a parameter that no user name carries is refused', async t => {
  const cwd = await temporaryFolder(t)
  for (const way of ['{ source: 127.0.0.1, sticky: session }', '"socks5h://x-{session}:sesame@a.example"']) {
    await writeFile(join(cwd, 'a.yaml'), `ways: { a: ${way} }\n`)
    const ended = await run(['config', 'check', 'a.yaml'], { cwd })
    assert.equal(ended.code, 65, ended.stderr)
    assert.match(ended.stderr, /ways\.a: there is no parameter "session"; there is user, client/)
    assert.ok(!ended.stderr.includes('sesame'))
  }
})
