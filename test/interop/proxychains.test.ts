/** curl under proxychains-ng, which takes connect() and getaddrinfo() away from any program. */
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { needProgram, runProgram } from './program.ts'
import { WITH_ALICE, startProxy, temporaryFolder } from './server.ts'
import { NAME, dnsTarget, httpTarget } from './targets.ts'

for (const [type, password, addressed, named] of [
  ['socks4', '', 'socks4', 'socks4a'],
  ['socks5', '', 'socks5', 'socks5'],
  ['socks5', 'alice sesame', 'socks5', 'socks5'],
  ['http', '', 'http', 'http'],
  ['http', 'alice sesame', 'http', 'http'],
] as const) {
  test(`proxychains reaches an address and a name by ${type} ${password}`, async t => {
    if (!needProgram(t, 'proxychains4', 'proxychains4') || !needProgram(t, 'curl', 'curl')) return
    const dns = ['--dns-servers', `127.0.0.1:${await dnsTarget(t)}`]
    const proxy = await startProxy(t, [...(password === '' ? [] : ['--user', 'alice:sesame']), ...dns])
    const file = join(await temporaryFolder(t), 'proxychains.conf')
    // No "localnet": loopback goes through the proxy too.
    await writeFile(
      file,
      `strict_chain
quiet_mode
proxy_dns
[ProxyList]
${type} 127.0.0.1 ${proxy.port} ${password}
`,
    )
    const port = await httpTarget(t, 'http')
    for (const host of ['127.0.0.1', NAME]) {
      const args = ['-f', file, 'curl', '--disable', '--silent', '--noproxy', '*', `http://${host}:${port}/page`]
      const got = await runProgram(t, 'proxychains4', args)
      assert.deepEqual({ code: got.code, stdout: got.stdout }, { code: 0, stdout: 'GET /page ' }, got.stderr)
    }
    const user = password === '' ? undefined : 'alice'
    assert.deepEqual(
      (await proxy.sessions()).map(({ protocol, target, user }) => ({ protocol, target, user })),
      [
        { protocol: addressed, target: `127.0.0.1:${port}`, user },
        { protocol: named, target: `${NAME}:${port}`, user },
      ],
    )
  })
}

test('a program under proxychains without the password reaches nothing', async t => {
  if (!needProgram(t, 'proxychains4', 'proxychains4') || !needProgram(t, 'curl', 'curl')) return
  const proxy = await startProxy(t, WITH_ALICE)
  const file = join(await temporaryFolder(t), 'proxychains.conf')
  await writeFile(file, `strict_chain\nquiet_mode\n[ProxyList]\nsocks5 127.0.0.1 ${proxy.port}\n`)
  const url = `http://127.0.0.1:${await httpTarget(t, 'http')}/`
  const got = await runProgram(t, 'proxychains4', ['-f', file, 'curl', '--disable', '--silent', url])
  assert.equal(got.stdout, '')
  // curl: could not connect.
  assert.equal(got.code, 7)
  assert.deepEqual(
    (await proxy.sessions()).map(session => session.end),
    ['refused'],
  )
})
