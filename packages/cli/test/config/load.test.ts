import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { Config } from '../../src/config/config.ts'
import { type FlagValues, overridesOf } from '../../src/config/from-flags.ts'
import { loadConfig } from '../../src/config/load.ts'
import { temporaryFolder } from '../run-command.ts'

async function load(t: TestContext, name: string, text: string, flags: FlagValues = {}): Promise<Config | string> {
  const path = join(await temporaryFolder(t), name)
  await writeFile(path, text)
  const overrides = overridesOf(flags)
  assert.ok(overrides.ok)
  const loaded = await loadConfig(path, overrides.value)
  return loaded.ok ? loaded.value : loaded.trouble.message.replaceAll(path, 'F')
}

/** The first lines of all problems: without the code frames. */
function sentences(message: Config | string): readonly string[] {
  assert.ok(typeof message === 'string', 'it was taken')
  return message.split('\n').filter(line => line.startsWith('F:'))
}

test('an empty file, and a file of comments, give the defaults', async t => {
  for (const text of ['', '# nothing\n', '{}']) {
    const config = await load(t, 'a.yaml', text)
    assert.ok(typeof config !== 'string')
    assert.deepEqual(config.listen, ['127.0.0.1:1080'])
    assert.equal(config.limits['handshake'], '30s')
    assert.equal(config['danger-open-proxy'], false)
  }
})

test('each fault of a YAML file is told with its line and column, what was expected, and the word that was meant', async t => {
  const text = [
    'listen:',
    '  - adress: 127.0.0.1:1080',
    '    protocols: [sock5]',
    '  - 12',
    '  - address: "[::1]:0"',
    '    proxy-protocol-from: [10.0.0.1/8]',
    'limits:',
    '  handshak: 30s',
    '  dial: 30',
    'users:',
    'log: { format: jsn }',
    'colour: true',
  ].join('\n')
  assert.deepEqual(sentences(await load(t, 'a.yaml', text)), [
    'F:2:5: unknown key "adress" in listen[0]; did you mean "address"?',
    'F:3:17: expected socks4, socks5 or http; did you mean "socks5"?',
    'F:4:5: expected ADDRESS:PORT such as 127.0.0.1:1080 or [::1]:1080, or unix:/path, or a map with the key "address"',
    'F:6:27: expected a network such as 10.0.0.0/8 or 2001:db8::/32, without bits behind the prefix',
    'F:8:3: unknown key "handshak" in limits; did you mean "handshake"?',
    'F:9:9: expected a duration such as 500ms, 30s, 5m or 2h',
    'F:10:7: expected a map of keys',
    'F:11:16: expected auto, pretty or json; did you mean "json"?',
    'F:12:1: unknown key "colour"; the keys here are listen, users, policy, geo, control, state, login, access, bind, udp, limits, via, outgoing, ways, dns, log, drain, engine, workers, danger-open-proxy',
  ])
})

test('a missing key is told where its map stands', async t => {
  const found = sentences(await load(t, 'a.yaml', 'listen:\n  - address: 127.0.0.1:1\n    tls: { key: k.pem }\n'))
  assert.deepEqual(found, ['F:3:10: the key "certificate" is missing here'])
})

test('what may be a word, a list or a map is told as what it is', async t => {
  const dns = 'expected system, proxy, the URL of a DNS server, its address, a list of addresses, or a map'
  const server = 'expected the address of a DNS server such as 192.0.2.53 or [2001:db8::53]:53'
  for (const [given, ...told] of [
    ['{ prefer: ipv5 }', 'F:2:23: expected ipv4, ipv6, ipv4-only or ipv6-only; did you mean "ipv4"?'],
    ['{ prefer: 5, over: tcp }', 'F:2:23: expected ipv4, ipv6, ipv4-only or ipv6-only'],
    ['{ names: sytem }', 'F:2:22: expected system or proxy; did you mean "system"?'],
    ['{ serverz: [192.0.2.53] }', 'F:2:15: unknown key "serverz" in ways.w.dns; did you mean "servers"?'],
    ['{ servers: 192.0.2.53 }', 'F:2:24: expected a list'],
    ['{ over: tcp }', 'F:2:21: expected servers or https beside it'],
    ['{ hosts: { a: [10.0.0.256] } }', 'F:2:28: expected an IP address'],
    ['{ hosts: { a: { b: c } } }', 'F:2:27: expected an IP address, or several'],
    ['[192.0.2.53, nowhere!]', `F:2:26: ${server}`],
    ['[]', 'F:2:13: expected at least one'],
    ['sytem', `F:2:13: ${dns}`],
    ['~', `F:2:13: ${dns}`],
    ['5', `F:2:13: ${dns}`],
  ] as const) {
    assert.deepEqual(sentences(await load(t, 'a.yaml', `ways:\n  w: { dns: ${given} }\n`)), told, given)
  }
})

test('each fault of a TOML file is told with its line and column', async t => {
  const text = [
    'drain = "5"',
    '[limits]',
    'handshak = "30s"',
    '[[listen]]',
    'address = "127.0.0.1:0"',
    '[[listen]]',
    'address = "nowhere"',
  ].join('\n')
  assert.deepEqual(sentences(await load(t, 'a.toml', text)), [
    'F:1:1: expected a duration such as 500ms, 30s, 5m or 2h',
    'F:3:1: unknown key "handshak" in limits; did you mean "handshake"?',
    'F:7:1: expected ADDRESS:PORT such as 127.0.0.1:1080 or [::1]:1080, or unix:/path',
  ])
})

test('text that is not YAML or TOML is told where it breaks', async t => {
  assert.match(sentences(await load(t, 'a.yaml', 'listen: [\n'))[0] ?? '', /^F:2:1: not valid YAML/)
  assert.match(
    sentences(await load(t, 'a.yaml', 'drain: 1s\ndrain: 2s\n'))[0] ?? '',
    /^F:2:1: not valid YAML: Map keys must be unique/,
  )
  assert.match(sentences(await load(t, 'a.yaml', 'log: *nobody\n'))[0] ?? '', /^F:1:\d+: not valid YAML/)
  assert.match(sentences(await load(t, 'a.toml', 'drain = \n'))[0] ?? '', /^F:1:\d+: not valid TOML/)
  assert.match(sentences(await load(t, 'a.yaml', '- a\n'))[0] ?? '', /^F:1:1: expected a map of keys/)
})

test('flags win over the file, key by key, and flags of a listener are set on every listener', async t => {
  const config = await load(
    t,
    'a.yaml',
    'log: { format: json, sessions: none }\nlisten: ["127.0.0.1:1", { address: "127.0.0.1:2", auth: none }]\n',
    {
      'log-sessions': 'full',
      auth: 'password',
      protocols: ['socks5', 'http'],
      limit: ['connections=5', 'dial=1s'],
    },
  )
  assert.ok(typeof config !== 'string')
  assert.deepEqual(config.log, { format: 'json', sessions: 'full' })
  const listener = { auth: 'password', protocols: ['socks5', 'http'] }
  assert.deepEqual(config.listen, [
    { address: '127.0.0.1:1', ...listener },
    { address: '127.0.0.1:2', ...listener },
  ])
  assert.equal(config.limits['connections'], 5)
  assert.equal(config.limits['dial'], '1s')
})

test('paths of the file are relative to the file, paths of flags to the working directory', async t => {
  const folder = await temporaryFolder(t)
  const path = join(folder, 'a.yaml')
  await writeFile(
    path,
    'users: { file: u }\nlisten: ["unix:s", { address: "127.0.0.1:1", tls: { certificate: c, key: ./k } }]\n',
  )
  const loaded = await loadConfig(path, { keys: { log: { file: 'l' } }, eachListener: {} })
  assert.ok(loaded.ok)
  assert.equal(loaded.value.users.file, join(folder, 'u'))
  assert.equal(loaded.value.log.file, join(process.cwd(), 'l'))
  assert.deepEqual(loaded.value.listen, [
    `unix:${join(folder, 's')}`,
    { address: '127.0.0.1:1', tls: { certificate: join(folder, 'c'), key: join(folder, 'k') } },
  ])
})
