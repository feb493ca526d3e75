import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { existsSync, statSync } from 'node:fs'
import { createConnection } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { deadPort, echoTarget, proxyUrl, runCommand, startCommand, tcpTarget, udpTarget } from '../reach-scene.ts'
import { temporaryFolder } from '../run-command.ts'

const portOf = (line: string): number => Number(/127\.0\.0\.1:(\d+) to /.exec(line)?.[1])

for (const engine of ['auto', 'node']) {
  test(`two local places lead to two targets, on the engine ${engine}, until SIGTERM`, async t => {
    const echo = await echoTarget(t)
    const hello = await tcpTarget(t, socket => socket.end('hello'))
    const path = join(await temporaryFolder(t), 'a.sock')
    const pairs = ['0', `127.0.0.1:${echo}`, `unix:${path}`, `localhost:${hello}`]
    const command = startCommand(t, ['forward', ...pairs, '--via', await proxyUrl(t), '--engine', engine])
    const port = portOf(await command.said('ready'))
    const first = createConnection(port, '127.0.0.1')
    const answer = text(first)
    first.end('there and back')
    assert.equal(await answer, 'there and back')
    assert.equal(await text(createConnection(path)), 'hello')
    assert.equal(statSync(path).mode & 0o777, 0o600)
    command.child.kill('SIGTERM')
    assert.equal(await command.code, 0)
    assert.ok(!existsSync(path))
  })

  test(`datagrams find there and back for each sender, on the engine ${engine}`, async t => {
    const target = await udpTarget(t)
    const flags = ['--udp', '0', `127.0.0.1:${target}`, '--via', await proxyUrl(t), '--engine', engine]
    const command = startCommand(t, ['forward', ...flags])
    const port = portOf(await command.said('ready'))
    for (const words of ['one', 'another']) {
      const socket = createSocket('udp4')
      t.after(() => socket.close())
      socket.send(`${words} first`, port, '127.0.0.1')
      const [first] = (await once(socket, 'message')) as [Buffer]
      assert.equal(first.toString(), `${words} first`)
      socket.send(words, port, '127.0.0.1')
      const [second] = (await once(socket, 'message')) as [Buffer]
      assert.equal(second.toString(), words)
    }
    command.child.kill('SIGINT')
    assert.equal(await command.code, 0)
  })

  test(`who cannot be led on is reset and told of, and the next one is served, on the engine ${engine}`, async t => {
    const dead = await deadPort()
    const args = ['forward', '0', `127.0.0.1:${dead}`, '--via', await proxyUrl(t), '--engine', engine]
    const command = startCommand(t, args)
    const port = portOf(await command.said('ready'))
    for (let turn = 0; turn < 2; turn++) {
      const client = createConnection(port, '127.0.0.1')
      client.resume()
      const [error] = (await once(client, 'error')) as [NodeJS.ErrnoException]
      assert.equal(error.code, 'ECONNRESET')
    }
    assert.match(await command.said('SOCKS_CONNECTION_REFUSED'), new RegExp(`127\\.0\\.0\\.1:${dead}.*phase request`))
  })
}

test('after SIGTERM the port is closed, and an open tunnel may finish', async t => {
  const echo = await echoTarget(t)
  const command = startCommand(t, ['forward', '0', `127.0.0.1:${echo}`])
  const port = portOf(await command.said('ready'))
  const client = createConnection(port, '127.0.0.1')
  client.write('before')
  await once(client, 'data')
  command.child.kill('SIGTERM')
  await command.said('waiting for 1 tunnel')
  const [refused] = (await once(createConnection(port, '127.0.0.1'), 'error')) as [NodeJS.ErrnoException]
  assert.equal(refused.code, 'ECONNREFUSED')
  const answer = text(client)
  client.end('after')
  assert.equal(await answer, 'after')
  assert.equal(await command.code, 0)
})

test('a tunnel that does not finish is ended when the drain is over', async t => {
  const echo = await echoTarget(t)
  const command = startCommand(t, ['forward', '0', `127.0.0.1:${echo}`, '--drain', '50ms'])
  const client = createConnection(portOf(await command.said('ready')), '127.0.0.1').on('error', () => undefined)
  client.write('before')
  await once(client, 'data')
  command.child.kill('SIGTERM')
  await once(client.resume(), 'close')
  assert.equal(await command.code, 0)
})

test('what cannot be forwarded is told with its exit code', async t => {
  const used = await echoTarget(t)
  for (const [args, code, words] of [
    [['0'], 64, 'a target is missing'],
    [['0', 'a:1', '0'], 64, 'a target is missing'],
    [['localhost:80', 'a:1'], 64, 'expected ADDRESS:PORT'],
    [['70000', 'a:1'], 64, 'expected ADDRESS:PORT'],
    [['0', 'nowhere'], 64, 'expected HOST:PORT'],
    [['--udp', 'unix:/x', 'a:1'], 64, 'datagrams need ADDRESS:PORT'],
    [['--drain', 'soon', '0', 'a:1'], 64, 'expected a duration'],
    [[String(used), 'a:1'], 69, 'the address is in use'],
  ] as const) {
    const ended = await runCommand(t, ['forward', ...args])
    assert.equal(ended.code, code, ended.stderr)
    assert.ok(ended.stderr.includes(words), ended.stderr)
  }
})
