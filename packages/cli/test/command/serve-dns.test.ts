/** Names of a real `serve`: by each way of its own, hosts, and a memory that can be seen and emptied. */
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { openHttpsNameServer, openNameServer } from '../../../server/test/dns/name-server.ts'
import { proxyUrl, runCommand, tcpTarget } from '../reach-scene.ts'
import { type Finished, run, serve, temporaryFolder } from '../run-command.ts'

const MODES = [
  ['--engine', 'node'],
  ['--engine', 'auto', '--workers', '2'],
] as const

interface Names {
  readonly names: readonly { readonly way: string; readonly name: string; readonly addresses: readonly string[] }[]
}

/** Says from where it was reached. */
function tellTarget(t: TestContext): Promise<number> {
  return tcpTarget(t, socket => socket.end(socket.remoteAddress ?? ''))
}

/** Asks the proxy for the name as it is. */
function reach(t: TestContext, port: number, name: string, target: number): ReturnType<typeof runCommand> {
  return runCommand(t, ['connect', '--via', `socks5h://127.0.0.1:${port}`, name, String(target)])
}

for (const mode of MODES) {
  test(`each way asks its own: through its proxy, by HTTPS, hosts; the memory is seen and emptied; ${mode.join(' ')}`, async t => {
    const cwd = await temporaryFolder(t)
    const target = await tellTarget(t)
    const names = { 'a.example': ['127.0.0.1'] }
    const [byTcp, byUdp, byHttps] = await Promise.all([
      openNameServer(t, names),
      openNameServer(t, names),
      openHttpsNameServer(t, { 'a.example': ['127.0.0.1', '::1'] }),
    ])
    const behind = await proxyUrl(t, 'socks5')
    const config = {
      control: 'ctl',
      dns: { hosts: { 'known.example': '127.0.0.1' } },
      ways: {
        tcp: { chain: [behind], dns: { servers: [`127.0.0.1:${byTcp.port}`], over: 'tcp' } },
        udp: { source: '127.0.0.9', dns: { servers: [`127.0.0.1:${byUdp.port}`], over: 'udp' } },
        https: { source: '127.0.0.8', dns: { https: byHttps.url, ca: byHttps.authorityFile, prefer: 'ipv4-only' } },
        own: { source: '127.0.0.7', dns: { hosts: { 'a.example': ['127.0.0.1'] } } },
      },
      policy: {
        rules: [
          { allow: { to: 'a.example', user: 'tcp' }, via: 'tcp' },
          { allow: { to: 'a.example', user: 'udp' }, via: 'udp' },
          { allow: { to: 'a.example', user: 'https' }, via: 'https' },
          { allow: { to: 'a.example', user: 'own' }, via: 'own' },
          { allow: { to: 'known.example' } },
        ],
      },
    }
    await writeFile(join(cwd, 'a.yaml'), JSON.stringify(config))
    const users = Object.keys(config.ways).flatMap(name => ['--user', `${name}:sesame`])
    const flags = ['--config', 'a.yaml', '--listen', '127.0.0.1:0', '--drain', '0', '--log-format', 'json']
    const server = await serve(t, [...flags, ...users, ...mode], { cwd })
    for (const [user, from] of [
      ['tcp', '127.0.0.1'],
      ['udp', '127.0.0.9'],
      ['https', '127.0.0.8'],
      ['own', '127.0.0.7'],
    ] as const) {
      const via = `socks5h://${user}:sesame@127.0.0.1:${server.port}`
      const went = await runCommand(t, ['connect', '--via', via, 'a.example', String(target)])
      assert.deepEqual([went.code, went.stdout], [0, from], `${user}: ${went.stderr}`)
    }
    assert.ok(byTcp.asked.tcp > 0 && byUdp.asked.udp > 0 && byHttps.asked.count > 0)
    const command = (...words: readonly string[]): Promise<Finished> =>
      run(['dns', ...words, '--control', 'ctl'], { cwd })
    const listed = JSON.parse((await command('list', 'a.example', '--json')).stdout) as Names
    assert.deepEqual([...new Set(listed.names.map(({ way }) => way))].toSorted(), ['https', 'tcp', 'udp'])
    assert.ok(listed.names.every(({ name, addresses }) => name === 'a.example' && addresses.includes('127.0.0.1')))
    assert.match(
      (await command('list', 'a.example')).stdout,
      /^(tcp|udp|https) a\.example .*127\.0\.0\.1.* \(\d+ s\)$/m,
    )
    assert.equal((await command('flush', 'b.example')).stderr, 'forgot 0 entries\n')
    assert.match((await command('flush', 'A.example')).stderr, /^forgot [3-9] entries\n$/)
    assert.equal((await command('list', 'a.example')).stderr, 'no name is remembered\n')
    assert.match((await command('flush')).stderr, /^forgot \d+ entr/)
    assert.equal((await command('list')).stderr, 'no name is remembered\n')
    const before = byTcp.asked.tcp
    await runCommand(t, [
      'connect',
      '--via',
      `socks5h://tcp:sesame@127.0.0.1:${server.port}`,
      'a.example',
      String(target),
    ])
    assert.ok(byTcp.asked.tcp > before)
    assert.equal(await server.end(), 0)
  })
}

test('names of everybody: DNS over HTTPS, hosts and one family, by flags and file', async t => {
  const cwd = await temporaryFolder(t)
  const target = await tellTarget(t)
  const dns = await openHttpsNameServer(t, { 'a.example': ['::1', '127.0.0.1'] })
  await writeFile(join(cwd, 'a.yaml'), 'dns: { hosts: { known.example: [127.0.0.1] } }\n')
  const flags = ['--config', 'a.yaml', '--listen', '127.0.0.1:0', '--drain', '0', '--dns-https', dns.url]
  const server = await serve(t, [...flags, '--dns-ca', dns.authorityFile, '--dns-prefer', 'ipv4-only'], { cwd })
  for (const name of ['a.example', 'known.example']) {
    const went = await reach(t, server.port, name, target)
    assert.deepEqual([went.code, went.stdout], [0, '127.0.0.1'], went.stderr)
  }
  assert.equal(dns.asked.count, 2)
  assert.notEqual((await reach(t, server.port, 'none.example', target)).code, 0)
})

test('what is wrong with names is told with its place', async t => {
  const cwd = await temporaryFolder(t)
  for (const [config, words] of [
    ['ways: { a: { dns: proxy } }\n', 'there is no proxy that could resolve names'],
    ['ways: { a: { dns: { servers: [192.0.2.1], https: "https://x/" } } }\n', 'expected it without servers'],
    ['ways: { a: { dns: { over: tcp } } }\n', 'expected servers or https beside it'],
    ['ways: { a: { chain: ["socks5h://x"], dns: { prefer: ipv4 } } }\n', 'prefer is of no use'],
    ['ways: { a: { dns: "http://x/" } }\n', 'expected system, proxy, the URL of a DNS server'],
    ['dns: { https: "https://x/", ca: none.pem }\n', 'none.pem: '],
    ['dns: { hosts: { a.example: nowhere } }\n', 'expected an IP address'],
  ] as const) {
    await writeFile(join(cwd, 'a.yaml'), config)
    const ended = await run(['config', 'check', 'a.yaml'], { cwd })
    assert.notEqual(ended.code, 0, config)
    assert.ok(ended.stderr.includes(words), ended.stderr)
  }
})
