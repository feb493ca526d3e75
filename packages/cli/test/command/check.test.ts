/** `socksmith check` as a person runs it: against our own server, against a wrong one, and with wrong words. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { AUTHORITY, SERVER } from '../../../engine/test/data/certificates.ts'
import { LAUNCHER, run, serve, temporaryFolder } from '../run-command.ts'

/** A server that selects "no authentication" whatever it is told, says an octet too many, and goes. */
async function wrongServer(t: TestContext): Promise<number> {
  const server = createServer(socket => {
    socket.on('error', () => {})
    socket.once('data', () => socket.end(Uint8Array.of(5, 0, 0x21)))
  })
  t.after(() => server.close())
  server.listen(0, '127.0.0.1').unref()
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

test('a server that is right gets a table, exit code 0, and a word on what was done', async t => {
  const { port } = await serve(t, ['--listen', '127.0.0.1:0'])
  const { code, stdout, stderr } = await run(['check', `socks5://127.0.0.1:${port}`, '--only', 'greeting,udp'])
  assert.equal(code, 0, stderr + stdout)
  assert.match(stderr, /^checking socks5:\/\/127\.0\.0\.1:\d+: \d+ cases, one after the other, at most 200 new/)
  assert.match(stdout, /serves {3}CONNECT, BIND, UDP ASSOCIATE, SOCKS4 BIND/)
  assert.match(stdout, /Greeting +#{17} +10 +- +-/)
  assert.match(stdout, /all \d+ cases passed, in /)
  assert.ok(!stdout.includes('\u001b'))
})

test('a password opens the cases about passwords, and is not in the report', async t => {
  const { port } = await serve(t, ['--listen', '127.0.0.1:0', '--user', 'alice:pass-phrase-7'])
  const url = `socks5://alice:pass-phrase-7@127.0.0.1:${port}`
  const { code, stdout, stderr } = await run(['check', url, '--only', 'login,walkaround', '--json'])
  assert.equal(code, 0, stderr)
  const report = JSON.parse(stdout) as { score: { passed: number; failed: number; skipped: number } }
  assert.deepEqual(report.score, { passed: 25, failed: 0, skipped: 0 })
  assert.doesNotMatch(stdout + stderr, /pass-phrase-7/)
})

test('a failure shows its octets, is in JSON and JUnit, has its exit code, and can be played again', async t => {
  const port = await wrongServer(t)
  const url = `socks5://127.0.0.1:${port}`
  const folder = await temporaryFolder(t)
  const junit = join(folder, 'report.xml')
  const shown = await run(['check', url, '--only', 'S5-GRE-03', '--junit', junit])
  assert.equal(shown.code, 2)
  assert.match(shown.stdout, /FAIL S5-GRE-03 {2}The selection is two octets and nothing more/)
  assert.match(shown.stdout, /got +21/)
  assert.match(shown.stdout, /#1 <- 05 00 21/)
  assert.match(shown.stderr, /failed: 1 must/)
  assert.match(await readFile(junit, 'utf8'), /<testcase classname="greeting" name="S5-GRE-03 [^]*<failure type="must"/)

  const file = join(folder, 'report.json')
  const { stdout } = await run(['check', url, '--only', 'S5-GRE-03,S5-GRE-01', '--json'])
  await writeFile(file, stdout)
  const same = await run(['check', 'replay', file])
  assert.equal(same.code, 0, same.stderr)
  assert.match(same.stdout, /#1 <- 05 00 21[^]*it still fails\n +expected .*\n +got +21\n +the same octets as before/)
  assert.match(same.stderr, /1 of 1 still fail, 0 pass now/)

  const { port: right } = await serve(t, ['--listen', '127.0.0.1:0'])
  const other = await run(['check', 'replay', file, `socks5://127.0.0.1:${right}`, '--only', 'S5-GRE-03'])
  assert.match(other.stdout, /it passes now\n +other octets than before: #1 from octet 2 on/)
  assert.match(other.stderr, /0 of 1 still fail, 1 pass now/)
})

test('a report without failures is no trouble: there is nothing to play again', async t => {
  const file = join(await temporaryFolder(t), 'report.json')
  const { port } = await serve(t, ['--listen', '127.0.0.1:0'])
  await writeFile(file, (await run(['check', `socks5://127.0.0.1:${port}`, '--only', 'S5-GRE-01', '--json'])).stdout)
  const { code, stderr } = await run(['check', 'replay', file])
  assert.deepEqual([code, stderr], [0, `${file} holds no failure: there is nothing to play again\n`])
})

test('the failures to replay are chosen as cases are', async t => {
  const url = `socks5://127.0.0.1:${await wrongServer(t)}`
  const file = join(await temporaryFolder(t), 'report.json')
  await writeFile(file, (await run(['check', url, '--only', 'S5-GRE-03,S5-GRE-07', '--json'])).stdout)
  for (const [words, code, told] of [
    ['must,udp', 0, '1 of 1 still fail'],
    ['greeting', 0, '2 of 2 still fail'],
    ['s5-gre', 0, '2 of 2 still fail'],
    ['udp', 65, 'holds none of these; it holds S5-GRE-03, S5-GRE-07'],
    ['must,upd', 64, 'did you mean "udp"?'],
  ] as const) {
    const finished = await run(['check', 'replay', file, '--only', words])
    assert.equal(finished.code, code, `${words}: ${finished.stderr}`)
    assert.ok(finished.stderr.includes(told), finished.stderr)
  }
})

test('a report from elsewhere does not write to the terminal what it likes', async t => {
  const port = await wrongServer(t)
  const { stdout } = await run(['check', `socks5://127.0.0.1:${port}`, '--only', 'S5-GRE-03', '--json'])
  const file = join(await temporaryFolder(t), 'report.json')
  const bad = JSON.stringify('\u001b[31mred\u001b]0;title\u0007').slice(1, -1)
  for (const [made, words] of [
    [stdout.replace(/"title": "The selection[^"]*"/, `"title": "${bad}"`), 'red'],
    [stdout.replace('"S5-GRE-03"', `"${bad}"`), 'red'],
    [stdout.replace('"S5-GRE-03"', `"${bad}"`).replace('"kind": "proxy"', '"kind": "x"'), 'leads nowhere'],
    ['\u001b[31mred', 'not JSON'],
  ] as const) {
    await writeFile(file, made)
    const { stdout, stderr } = await run(['check', 'replay', file])
    assert.ok((stdout + stderr).includes(words), stdout + stderr)
    assert.ok(!(stdout + stderr).includes('\u001b'), JSON.stringify(stdout + stderr))
  }
})

test('the level of the gravest failure is the exit code', async t => {
  const port = await wrongServer(t)
  for (const [word, code] of [
    ['S5-GRE-07', 1],
    ['S5-MET-05', 2],
    ['S5-GRE-10', 3],
  ] as const) {
    assert.equal((await run(['check', `socks5://127.0.0.1:${port}`, '--only', word])).code, code, word)
  }
})

test('cases of which none could be asked are no pass', async t => {
  const { port } = await serve(t, ['--listen', '127.0.0.1:0'])
  const { code, stdout, stderr } = await run(['check', `socks5://127.0.0.1:${port}`, '--only', 'login'])
  assert.equal(code, 69)
  assert.match(stdout, /no case was asked/)
  assert.match(stderr, /none of these cases could be asked: it needs SOCKS5 with a password/)
})

test('a check that is interrupted shows what it has, and says so', async t => {
  const { port } = await serve(t, ['--listen', '127.0.0.1:0'])
  // At four connections a second it cannot be over before the signal.
  const args = [LAUNCHER, 'check', `socks5://127.0.0.1:${port}`, '--only', 'greeting', '--rate', '4']
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  t.after(() => child.kill('SIGKILL'))
  const [stdout, stderr] = [text(child.stdout), text(child.stderr)]
  const closed = once(child, 'close') as Promise<[number | null]>
  await once(child.stderr, 'data')
  child.kill('SIGINT')
  assert.equal((await closed)[0], 130)
  assert.match(await stdout, /speaks/)
  assert.match(await stderr, /interrupted after \d+ of 10 cases/)
})

test('a list of all cases needs no server', async () => {
  const { code, stdout } = await run(['check', '--list'])
  assert.equal(code, 0)
  assert.match(stdout, /S5-REQ-10 +must +An unknown command is answered by REP 07\s+RFC 1928 section 6/)
  assert.match(stdout, /^\d+ cases$/m)
})

test('wrong words are told with the way out, and nothing is asked', async t => {
  const folder = await temporaryFolder(t)
  const notJson = join(folder, 'not.json')
  await writeFile(notJson, 'no')
  const notReport = join(folder, 'other.json')
  await writeFile(notReport, '{"results":[]}')
  await mkdir(join(folder, 'folder'))
  for (const [args, code, words] of [
    [[], 64, 'which server? For example: socksmith check socks5://127.0.0.1:1080'],
    [['127.0.0.1:1080'], 64, 'expected socks5://'],
    [['http://127.0.0.1:1'], 64, 'expected socks5://'],
    [['socks5://127.0.0.1:1', '--only', 'upd'], 64, 'did you mean "udp"?'],
    [['socks5://127.0.0.1:1', '--only', 'NOPE'], 64, 'has this id, area or level. "socksmith check --list" shows all'],
    [['socks5://127.0.0.1:1', '--rate', 'x'], 64, 'expected a number from 0.1 to 1,000'],
    [['socks5://127.0.0.1:1', '--rate', '0'], 64, 'expected a number from 0.1 to 1,000'],
    [['socks5://192.0.2.1:1080'], 77, '--i-may-test-this'],
    [['socks5://192.0.2.1:1080', '--i-may-test-this'], 64, '--targets-on is needed'],
    [['socks5://127.0.0.1:1', '--targets-on', 'here'], 64, 'expected an address of this host'],
    [['socks5://127.0.0.1:1', '--targets-on', '192.0.2.7'], 69, 'the targets cannot listen on 192.0.2.7'],
    [['socks5://127.0.0.1:1'], 69, 'ECONNREFUSED'],
    [['replay', join(folder, 'missing')], 66, 'there is no such file'],
    [['replay', notJson], 65, 'not JSON'],
    [['replay', notReport], 65, 'not a report'],
  ] as const) {
    const finished = await run(['check', ...args])
    assert.equal(finished.code, code, `${args.join(' ')}: ${finished.stderr}`)
    assert.ok(finished.stderr.includes(words), finished.stderr)
  }
})

test('a server that cannot be asked is told as JSON and JUnit, too', async t => {
  const junit = join(await temporaryFolder(t), 'report.xml')
  const nobody = 'socks5://127.0.0.1:1'
  const { code, stdout, stderr } = await run(['check', nobody, '--json', '--junit', junit])
  assert.equal(code, 69)
  const { proxy, error, results } = JSON.parse(stdout) as { proxy: string; error: string; results?: unknown }
  assert.equal(proxy, nobody)
  assert.match(error, /ECONNREFUSED/)
  assert.equal(results, undefined)
  assert.ok(stderr.includes(error))
  const xml = await readFile(junit, 'utf8')
  assert.match(xml, /<testsuite [^>]*errors="1"[^]*<error message="[^"]*ECONNREFUSED/)
  const unwritten = await run(['check', nobody, '--junit', join(junit, 'no-folder')])
  assert.equal(unwritten.code, 69)
  assert.match(unwritten.stderr, /a part of the path is not a folder/)
})

test('a password in a wrong URL is not told', async () => {
  const { code, stderr } = await run(['check', 'sock5://alice:hidden-7@127.0.0.1:1'])
  assert.equal(code, 64)
  assert.doesNotMatch(stderr, /hidden-7/)
})

test('a server that wants a password is not judged without one', async t => {
  const { port } = await serve(t, ['--listen', '127.0.0.1:0', '--user', 'alice:secret'])
  for (const [url, words] of [
    [`socks5://127.0.0.1:${port}`, 'the server wants a password'],
    [`socks5://alice:wrong@127.0.0.1:${port}`, 'does not take this user and password'],
  ] as const) {
    const { code, stderr } = await run(['check', url])
    assert.equal(code, 69)
    assert.ok(stderr.includes(words), stderr)
  }
})

test('SOCKS inside TLS is checked, when the certificate is believed', async t => {
  const folder = await temporaryFolder(t)
  for (const [name, text] of Object.entries({ cert: SERVER.certificate, key: SERVER.key, ca: AUTHORITY })) {
    await writeFile(join(folder, `${name}.pem`), text)
  }
  const tls = ['--tls-certificate', join(folder, 'cert.pem'), '--tls-key', join(folder, 'key.pem')]
  const { port } = await serve(t, ['--listen', '127.0.0.1:0', ...tls])
  const url = `socks5+tls://127.0.0.1:${port}`
  const { code, stdout, stderr } = await run(['check', url, '--tls-ca', join(folder, 'ca.pem')])
  assert.equal(code, 0, stdout + stderr)
  const strange = await run(['check', url])
  assert.equal(strange.code, 69)
  assert.match(strange.stderr, /certificate/)
})
