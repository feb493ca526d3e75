import assert from 'node:assert/strict'
import { test } from 'node:test'
import { proxyUrl, runCommand, tcpTarget } from '../reach-scene.ts'

test('a proxy that knows RESOLVE is asked, for names and for addresses', async t => {
  const asked: string[] = []
  const tor = await tcpTarget(t, socket => {
    socket.once('data', () => {
      socket.write(Buffer.of(5, 0))
      socket.once('data', (request: Buffer) => {
        asked.push(request.toString('hex', 1, 5))
        const isName = request[3] === 3
        const name = Buffer.from('back.example')
        const found = isName ? Buffer.of(1, 192, 0, 2, 7) : Buffer.concat([Buffer.of(3, name.length), name])
        socket.write(Buffer.concat([Buffer.of(5, 0, 0), found, Buffer.of(0, 0)]))
      })
    })
  })
  const via = ['--via', `socks5h://127.0.0.1:${tor}`]
  const there = await runCommand(t, ['resolve', ...via, 'a.example'])
  assert.deepEqual([there.code, there.stdout], [0, '192.0.2.7\n'])
  const back = await runCommand(t, ['resolve', ...via, '192.0.2.7'])
  assert.deepEqual([back.code, back.stdout], [0, 'back.example\n'])
  assert.deepEqual(asked, ['f0000309', 'f10001c0'])
})

test('a proxy that does not know it is told of; directly this machine answers', async t => {
  const proxy = await proxyUrl(t)
  for (const via of [proxy, proxy.replace('socks5h', 'http')]) {
    const ended = await runCommand(t, ['resolve', '--via', via, 'a.example'])
    assert.equal(ended.code, 76, ended.stderr)
    assert.match(ended.stderr, /Only Tor/)
  }
  const here = await runCommand(t, ['resolve', 'localhost'])
  assert.equal(here.code, 0)
  assert.match(here.stdout, /^(127\.0\.0\.1|::1)$/m)
  assert.equal((await runCommand(t, ['resolve', 'no.such.invalid'])).code, 68)
})
