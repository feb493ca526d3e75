import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createConnection } from 'node:net'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { echoTarget, proxyUrl, runCommand, startCommand } from '../reach-scene.ts'

for (const scheme of ['socks5', 'socks4']) {
  test(`${scheme}: a caller is joined with standard input and output, each direction to its end`, async t => {
    const command = startCommand(t, ['accept', '--via', await proxyUrl(t, scheme), '--from', '127.0.0.1'])
    const [host = '', port = ''] = (await command.said('listening on')).replace('listening on ', '').split(':')
    const caller = createConnection({ host, port: Number(port), allowHalfOpen: true })
    caller.end('a call')
    const answer = text(caller)
    assert.equal(await text(command.child.stdout), 'a call')
    command.child.stdin.end('an answer')
    assert.equal(await answer, 'an answer')
    assert.equal(await command.code, 0)
    assert.match(await command.stderr, new RegExp(`accepted ${host}:\\d+`))
  })
}

test('with --keep one caller after the other is joined with the local port', async t => {
  const flags = ['--from', '127.0.0.1', '--to', `127.0.0.1:${await echoTarget(t)}`, '--keep']
  const { child } = startCommand(t, ['accept', '--via', await proxyUrl(t), ...flags])
  const seen: number[] = []
  for await (const line of child.stdout) {
    const port = Number(String(line).trim().split(':')[1])
    seen.push(port)
    const caller = createConnection(port, '127.0.0.1')
    const answer = text(caller)
    caller.end('again')
    assert.equal(await answer, 'again')
    if (seen.length === 3) break
  }
  assert.equal(seen.length, 3)
})

test('what cannot be accepted is told with its exit code', async t => {
  const proxy = await proxyUrl(t)
  for (const [args, code, words] of [
    [['--keep'], 64, '--keep needs --to'],
    [['--to', 'here'], 64, '--to here: expected HOST:PORT'],
    [[], 64, 'a direct route has no proxy'],
    [['--via', proxy.replace('socks5h', 'http'), '--from', '127.0.0.1'], 76, 'http has no command bind'],
    [['--via', proxy, '--from', '127.0.0.1', '--wait', '100ms'], 75, 'no answer in time'],
  ] as const) {
    const ended = await runCommand(t, ['accept', ...args])
    assert.equal(ended.code, code, ended.stderr)
    assert.ok(ended.stderr.includes(words), ended.stderr)
  }
})

test('a local port that refuses ends the command with 69', async t => {
  const command = startCommand(t, ['accept', '--via', await proxyUrl(t), '--from', '127.0.0.1', '--to', '127.0.0.1:1'])
  const [line] = (await once(command.child.stdout, 'data')) as [Buffer]
  const caller = createConnection(Number(line.toString().trim().split(':')[1]), '127.0.0.1')
  caller.on('error', () => undefined).resume()
  assert.equal(await command.code, 69)
  assert.match(await command.stderr, /127\.0\.0\.1:1: no connection: ECONNREFUSED/)
})
