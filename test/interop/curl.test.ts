/** curl through the command: every protocol it speaks, both families, passwords, and TLS towards the proxy. */
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { AUTHORITY, SERVER } from '../../packages/engine/test/data/certificates.ts'
import { type Finished, needProgram, runProgram } from './program.ts'
import { WITH_ALICE, startProxy, temporaryFolder } from './server.ts'
import { NAME, dnsTarget, httpTarget } from './targets.ts'

interface Way {
  /** curl's flags, in front of the proxy's address. */
  readonly name: string
  readonly protocol: string
  readonly command: 'connect' | 'forward'
  readonly hosts: readonly string[]
  /** curl resolves names itself and sends the proxy addresses only. */
  readonly resolves?: true
}

const IPV4_HOSTS = ['localhost', '127.0.0.1']
const ALL_HOSTS = [...IPV4_HOSTS, '[::1]']

const WAYS: readonly Way[] = [
  { name: '--socks4', protocol: 'socks4', command: 'connect', hosts: IPV4_HOSTS, resolves: true },
  { name: '--socks4a', protocol: 'socks4a', command: 'connect', hosts: IPV4_HOSTS },
  { name: '--socks5', protocol: 'socks5', command: 'connect', hosts: ALL_HOSTS, resolves: true },
  { name: '--socks5-hostname', protocol: 'socks5', command: 'connect', hosts: ALL_HOSTS },
  { name: '--proxy', protocol: 'http', command: 'forward', hosts: ALL_HOSTS },
  { name: '--proxytunnel --proxy', protocol: 'http', command: 'connect', hosts: ALL_HOSTS },
]

const BODY = 'a body to send back'

/** POSTs `BODY`; no variable and no file of the user's changes what is asked. */
function curl(t: TestContext, url: string, flags: readonly string[]): Promise<Finished> {
  const always = ['--disable', '--silent', '--show-error', '--noproxy', '', '--data', BODY]
  return runProgram(t, 'curl', [...always, ...flags, url])
}

for (const way of WAYS) {
  test(`curl ${way.name} reaches http and https targets by name and by address`, async t => {
    if (!needProgram(t, 'curl', 'curl')) return
    const proxy = await startProxy(t)
    // What TLS hides from the proxy is always a tunnel.
    const expected = []
    for (const scheme of ['http', 'https'] as const) {
      for (const host of way.hosts) {
        const port = await httpTarget(t, scheme, host === '[::1]' ? '::1' : '127.0.0.1')
        // Where curl itself resolves, localhost is not to be ::1.
        const always = ['--insecure', '--resolve', `localhost:${port}:127.0.0.1`]
        const got = await curl(t, `${scheme}://${host}:${port}/page`, [...always, ...way.name.split(' '), proxy.at])
        assert.deepEqual(got, { code: 0, stdout: `POST /page ${BODY}`, stderr: '' }, `${scheme} ${host}`)
        const command = scheme === 'https' ? 'connect' : way.command
        const named = way.resolves && host === 'localhost' ? '127.0.0.1' : host
        expected.push({ protocol: way.protocol, command, target: `${named}:${port}` })
      }
    }
    const sessions = await proxy.sessions()
    // Each worker writes its own lines: those of two sessions may change places.
    assert.deepEqual(
      new Set(sessions.map(({ protocol, command, target }) => ({ protocol, command, target }))),
      new Set(expected),
    )
  })
}

test('curl leaves a name that only the proxy can resolve to the proxy', async t => {
  if (!needProgram(t, 'curl', 'curl')) return
  const proxy = await startProxy(t, ['--dns-servers', `127.0.0.1:${await dnsTarget(t)}`])
  const url = `http://${NAME}:${await httpTarget(t, 'http')}/page`
  for (const scheme of ['socks4a', 'socks5h', 'http']) {
    const got = await curl(t, url, ['--proxy', `${scheme}://${proxy.at}`])
    assert.deepEqual(got, { code: 0, stdout: `POST /page ${BODY}`, stderr: '' }, scheme)
  }
})

test('curl trusts the certificate of the target, not of the proxy in between', async t => {
  if (!needProgram(t, 'curl', 'curl')) return
  const proxy = await startProxy(t)
  const authority = join(await temporaryFolder(t), 'authority.pem')
  await writeFile(authority, AUTHORITY)
  const url = `https://localhost:${await httpTarget(t, 'https')}/page`
  const got = await curl(t, url, ['--cacert', authority, '--socks5-hostname', proxy.at])
  assert.deepEqual(got, { code: 0, stdout: `POST /page ${BODY}`, stderr: '' })
})

test('curl reaches IPv4 and IPv6 targets through a listener on IPv6', async t => {
  if (!needProgram(t, 'curl', 'curl')) return
  const proxy = await startProxy(t, ['--listen', '[::1]:0'])
  for (const [host, address] of [['127.0.0.1'], ['[::1]', '::1']] as const) {
    const url = `http://${host}:${await httpTarget(t, 'http', address ?? host)}/page`
    for (const scheme of ['socks5', 'socks5h', 'http']) {
      const got = await curl(t, url, ['--proxy', `${scheme}://${proxy.at}`])
      assert.deepEqual(got, { code: 0, stdout: `POST /page ${BODY}`, stderr: '' }, `${scheme} ${host}`)
    }
  }
})

test('curl gets in with the right password, and is told so with the wrong one', async t => {
  if (!needProgram(t, 'curl', 'curl')) return
  const proxy = await startProxy(t, WITH_ALICE)
  const url = `http://127.0.0.1:${await httpTarget(t, 'http')}/page`
  const ask = (flags: readonly string[], user: string): Promise<Finished> =>
    curl(t, url, ['--proxy-user', user, ...flags])
  for (const [flags, code, message] of [
    // 97: the proxy's handshake failed; 22: an HTTP error, by --fail; 56: the CONNECT tunnel failed.
    [['--socks5', proxy.at], 97, /User was rejected by the SOCKS5 server/],
    [['--socks5-hostname', proxy.at], 97, /User was rejected by the SOCKS5 server/],
    [['--fail', '--proxy', proxy.at], 22, /407/],
    [['--proxytunnel', '--proxy', proxy.at], 56, /407/],
  ] as const) {
    const good = await ask(flags, 'alice:open sesame')
    assert.deepEqual(good, { code: 0, stdout: `POST /page ${BODY}`, stderr: '' }, flags.join(' '))
    const bad = await ask(flags, 'alice:open barley')
    assert.deepEqual({ code: bad.code, stdout: bad.stdout }, { code, stdout: '' }, flags.join(' '))
    assert.match(bad.stderr, message)
  }
  const users = (await proxy.sessions()).filter(session => session.up_octets > 0).map(session => session.user)
  assert.deepEqual(users, Array(4).fill('alice'))
})

test('curl without a password, and SOCKS4 which has none, are refused where one is demanded', async t => {
  if (!needProgram(t, 'curl', 'curl')) return
  const proxy = await startProxy(t, WITH_ALICE)
  const url = `http://127.0.0.1:${await httpTarget(t, 'http')}/page`
  for (const [scheme, code, message] of [
    ['socks5', 97, /No authentication method was acceptable/],
    ['socks4', 97, /request rejected or failed/],
    ['socks4a', 97, /request rejected or failed/],
    ['http', 22, /407/],
  ] as const) {
    const got = await curl(t, url, ['--fail', '--proxy', `${scheme}://${proxy.at}`])
    assert.deepEqual({ code: got.code, stdout: got.stdout }, { code, stdout: '' }, scheme)
    assert.match(got.stderr, message)
  }
})

test('curl speaks HTTPS to a proxy whose listener has a certificate', async t => {
  if (!needProgram(t, 'curl', 'curl')) return
  const cwd = await temporaryFolder(t)
  const files = {
    'cert.pem': SERVER.certificate,
    'key.pem': SERVER.key,
    'authority.pem': AUTHORITY,
    'socksmith.yaml': 'listen:\n  - { address: 127.0.0.1:0, tls: { certificate: cert.pem, key: key.pem } }\n',
  }
  for (const [name, content] of Object.entries(files)) await writeFile(join(cwd, name), content)
  const proxy = await startProxy(t, ['--config', 'socksmith.yaml'], { cwd })
  const toProxy = ['--proxy-cacert', join(cwd, 'authority.pem'), '--proxy', `https://localhost:${proxy.port}`]
  for (const [scheme, flags] of [
    ['http', []],
    ['http', ['--proxytunnel']],
    ['https', ['--insecure']],
  ] as const) {
    const url = `${scheme}://127.0.0.1:${await httpTarget(t, scheme)}/page`
    const got = await curl(t, url, [...toProxy, ...flags])
    assert.deepEqual(got, { code: 0, stdout: `POST /page ${BODY}`, stderr: '' }, `${scheme} ${flags.join(' ')}`)
  }
})
