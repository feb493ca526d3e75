import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { deadPort, echoTarget, proxyUrl, runCommand, startCommand, tcpTarget } from '../reach-scene.ts'

// More than all buffers on the way hold together.
const INPUT = 'octets of one direction\n'.repeat(200_000)

test('the end of the input is passed on, and the answer to it arrives', async t => {
  const target = await tcpTarget(t, socket => {
    const hash = createHash('sha256')
    socket.on('data', octets => hash.update(octets))
    socket.on('end', () => socket.end(hash.digest('hex')))
  })
  for (const via of [[], ['--via', await proxyUrl(t)], ['--via', await proxyUrl(t, 'http')]]) {
    const { code, stdout, stderr } = await runCommand(t, ['connect', ...via, '127.0.0.1', String(target)], INPUT)
    assert.deepEqual(
      { code, stdout, stderr },
      { code: 0, stdout: createHash('sha256').update(INPUT).digest('hex'), stderr: '' },
    )
  }
})

test('the end of the target is passed on, and what is written after it still goes out', async t => {
  const sockets = Promise.withResolvers<Socket>()
  const target = await tcpTarget(t, socket => sockets.resolve(socket))
  const { child, code } = startCommand(t, ['connect', '--via', await proxyUrl(t), `127.0.0.1:${target}`])
  const socket = await sockets.promise
  socket.end('all that I say')
  assert.equal(await text(child.stdout), 'all that I say')
  const got = text(socket)
  child.stdin.write('late ')
  child.stdin.end('words')
  assert.equal(await got, 'late words')
  assert.equal(await code, 0)
})

test('a reader that stalls stops the target and not the other direction, and loses nothing', async t => {
  const [chunk, chunks] = [Buffer.alloc(64 * 1024, 'o'), 1_024]
  const whole = chunk.length * chunks
  const uploaded = Promise.withResolvers<number>()
  const target = await tcpTarget(t, socket => {
    let [got, sent] = [0, 0]
    socket.on('data', octets => (got += octets.length) === whole && uploaded.resolve(sent))
    const send = (): void => {
      let goesOn = true
      for (; goesOn && sent < whole; sent += chunk.length) goesOn = socket.write(chunk)
      if (sent < whole) socket.once('drain', send)
      else socket.end()
    }
    send()
  })
  const { child, code } = startCommand(t, ['connect', '--via', await proxyUrl(t), `127.0.0.1:${target}`])
  // Nobody reads standard output meanwhile.
  for (let index = 0; index < chunks; index++) if (!child.stdin.write(chunk)) await once(child.stdin, 'drain')
  child.stdin.end()
  const taken = await uploaded.promise
  assert.ok(taken < whole / 2, `${taken} octets were taken that nobody read`)
  let got = 0
  child.stdout.on('data', (octets: Buffer) => (got += octets.length))
  assert.equal(await code, 0)
  assert.equal(got, whole)
})

test('the exit code tells why', async t => {
  const echo = String(await echoTarget(t))
  const dead = String(await deadPort())
  const nonsense = await tcpTarget(t, socket => socket.end('HTTP/1.0 400 no\r\n\r\n'))
  const silent = await tcpTarget(t, () => undefined)
  const proxy = await proxyUrl(t)
  const strict = await proxyUrl(t, 'socks5h', true)
  const here = ['127.0.0.1', echo]
  for (const [args, code, words] of [
    [['--via', proxy, '127.0.0.1', dead], 69, 'refused the connection'],
    [['--via', strict, '127.0.0.1', dead], 69, 'refused the connection'],
    [['127.0.0.1', dead], 69, 'refused the connection'],
    [['--via', proxy, 'no.such.invalid', '80'], 68, 'cannot be reached'],
    [['--via', `socks5h://127.0.0.1:${dead}`, ...here], 71, 'the proxy cannot be reached'],
    [['--via', `socks5h://127.0.0.1:${dead},http://127.0.0.1:${dead}`, ...here], 71, 'no proxy of the pool works'],
    [['--via', strict.replace('alice:open%20sesame@', ''), ...here], 67, 'accepts no method'],
    [['--via', strict.replace('alice', 'mallory'), ...here], 67, 'rejected'],
    [['--via', `socks5h://127.0.0.1:${nonsense}`, ...here], 76, 'nonsense'],
    [['--via', `socks5h://127.0.0.1:${silent}`, '--timeout', '200ms', ...here], 75, 'no answer in time'],
    [['--via', 'block', ...here], 77, 'forbids'],
    [['--via', 'gopher://alice:open%20sesame@127.0.0.1', ...here], 64, 'unknown scheme of a proxy "gopher"'],
    [['--timeout', '5', ...here], 64, 'expected a duration'],
    [['127.0.0.1', '0'], 64, 'a number from 1 to 65535'],
    [['127.0.0.1'], 64, 'expected HOST:PORT'],
    [['a b', '80'], 64, 'neither a name nor an address'],
  ] as const) {
    const ended = await runCommand(t, ['connect', ...args])
    assert.equal(ended.code, code, `${args.join(' ')}: ${ended.stderr}`)
    assert.ok(ended.stderr.includes(words), ended.stderr)
    assert.equal(ended.stdout, '')
  }
})

test('the environment names the way, and a variable that cannot be used is an error', async t => {
  const echo = String(await echoTarget(t))
  const proxy = await proxyUrl(t, 'socks5h', true)
  const connect = ['connect', '--trace', '127.0.0.1', echo]
  const went = await runCommand(t, connect, 'words', { ALL_PROXY: proxy })
  assert.deepEqual([went.code, went.stdout], [0, 'words'])
  assert.match(
    went.stderr,
    /^hop 0 socks5h:\/\/127\.0\.0\.1:\d+ to 127\.0\.0\.1:\d+: [\d.]+ ms \(connect .*request [\d.]+\)/,
  )
  const direct = await runCommand(t, connect, 'words', { ALL_PROXY: proxy, NO_PROXY: '127.0.0.0/8' })
  assert.deepEqual([direct.code, direct.stdout], [0, 'words'])
  assert.ok(!direct.stderr.includes('hop'))
  const wrong = await runCommand(t, connect, 'words', { all_proxy: 'sock5://alice:open%20sesame@127.0.0.1' })
  assert.deepEqual([wrong.code, wrong.stdout], [78, ''])
  assert.match(wrong.stderr, /all_proxy: unknown scheme/)
})

test('several --via are a chain', async t => {
  const echo = String(await echoTarget(t))
  const [first, second] = [await proxyUrl(t), await proxyUrl(t, 'http')]
  const went = await runCommand(t, ['connect', '--trace', '--via', first, '--via', second, '127.0.0.1', echo], 'words')
  assert.deepEqual([went.code, went.stdout], [0, 'words'])
  assert.deepEqual(went.stderr.match(/^hop \d \w+/gm), ['hop 0 socks5h', 'hop 1 http'])
})

test('a reset is told with 74, unless the target had said everything', async t => {
  const resetting = await tcpTarget(t, socket => {
    socket.write('the beginning')
    socket.once('data', () => socket.resetAndDestroy())
  })
  const broken = startCommand(t, ['connect', '127.0.0.1', String(resetting)])
  await once(broken.child.stdout, 'data')
  broken.child.stdin.write('stop')
  assert.equal(await broken.code, 74)
  assert.match(await broken.stderr, /the connection broke/)

  const sockets = Promise.withResolvers<Socket>()
  const finishing = await tcpTarget(t, socket => sockets.resolve(socket.on('end', () => undefined)))
  const { child, code, stderr } = startCommand(t, ['connect', '127.0.0.1', String(finishing)])
  const socket = await sockets.promise
  socket.end('the whole')
  assert.equal(await text(child.stdout), 'the whole')
  socket.resetAndDestroy()
  // Its socket is gone now; whatever comes is answered by RST.
  while (child.exitCode === null && child.stdin.write('late')) await new Promise(setImmediate)
  child.stdin.end()
  assert.deepEqual([await code, await stderr], [0, ''])
})

test('a reader that is gone ends the command as it ends every program in a pipe', async t => {
  const target = await tcpTarget(t, socket => {
    socket.on('data', () => undefined)
    const send = (): void => {
      while (socket.writable && socket.write('y\n'.repeat(1_000)));
      socket.once('drain', send)
    }
    send()
  })
  const { child, code, stderr } = startCommand(t, ['connect', `127.0.0.1:${target}`])
  await once(child.stdout, 'data')
  child.stdout.destroy()
  assert.deepEqual([await code, await stderr], [141, ''])
})
