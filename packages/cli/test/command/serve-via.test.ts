/** `serve --via`: a local port without a password in front of a proxy that has one, in one line. */
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { echoTarget, proxyUrl, runCommand } from '../reach-scene.ts'
import { run, serve, temporaryFolder } from '../run-command.ts'

const MODES = [
  ['--engine', 'node'],
  ['--engine', 'auto', '--workers', '0'],
  ['--engine', 'auto', '--workers', '2'],
] as const

for (const mode of MODES) {
  test(`a port without a password leads through a proxy with one, and the log tells no secret: ${mode.join(' ')}`, async t => {
    const target = await echoTarget(t)
    const via = await proxyUrl(t, 'socks5h', true)
    const front = await serve(t, [...mode, '--listen', '127.0.0.1:0', '--log-format', 'json', '--via', via])
    const went = await runCommand(
      t,
      ['connect', '--via', `socks5h://127.0.0.1:${front.port}`, 'localhost', String(target)],
      'words',
    )
    assert.deepEqual([went.code, went.stdout], [0, 'words'], went.stderr)
    await front.logged('"via"')
    assert.equal(await front.end(), 0)
    const line = front
      .stdout()
      .split('\n')
      .find(one => one.includes('"via"'))
    const record = JSON.parse(line ?? '') as {
      readonly via: string
      readonly target: string
      readonly dialled?: string
    }
    assert.equal(record.via, via.replace('alice:open%20sesame@', ''))
    // The name went to the proxy as it is.
    assert.deepEqual([record.target, record.dialled], [`localhost:${target}`, undefined])
    assert.ok(!/sesame/.test(front.stdout() + front.stderr()))
  })
}

test('the configuration file may name the way, and no secret of it is shown', async t => {
  const cwd = await temporaryFolder(t)
  await writeFile(
    join(cwd, 'a.yaml'),
    'via: ["socks5h://alice:sesame@127.0.0.1:1", "random:http://a:1,http://b:x@c"]\n',
  )
  const shown = await run(['config', 'show', '--config', 'a.yaml'], { cwd })
  assert.equal(shown.code, 0, shown.stderr)
  assert.match(shown.stdout, /- socks5h:\/\/alice:\*{8}@127\.0\.0\.1:1\n/)
  assert.match(shown.stdout, /- random:http:\/\/a:1,http:\/\/b:\*{8}@c\n/)
  await writeFile(join(cwd, 'b.yaml'), 'drain: 30s\nvia:\n  - sock5://alice:open sesame@127.0.0.1\nlimits: 7\n')
  const wrong = await run(['config', 'check', 'b.yaml'], { cwd })
  assert.equal(wrong.code, 65)
  assert.match(wrong.stderr, /b\.yaml:3:5: unknown scheme of a proxy "sock5"/)
  assert.ok(!/sesame/.test(wrong.stderr), wrong.stderr)
})

test('what cannot be a way out is refused before anything listens, and its password is not told', async () => {
  for (const [via, code, words] of [
    ['sock5://alice:sesame@127.0.0.1', 64, 'unknown scheme of a proxy "sock5"'],
    ['alice:sesame@127.0.0.1:1080', 64, 'not the URL of a proxy'],
    ['direct', 64, '"direct" is no proxy'],
    ['socks5h://127.0.0.1:29180', 65, 'is a listener of this server itself'],
    ['http://a:1,socks5h://localhost:29180', 65, 'is a listener of this server itself'],
  ] as const) {
    const ended = await run(['serve', '--listen', '127.0.0.1:29180', '--via', via])
    assert.equal(ended.code, code, ended.stderr)
    assert.ok(ended.stderr.includes(words) && !ended.stderr.includes('sesame'), ended.stderr)
  }
})
