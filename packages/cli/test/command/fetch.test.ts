import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readFile, utimes, writeFile } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { join } from 'node:path'
import { test } from 'node:test'
import { httpTarget, proxyUrl, runCommand } from '../reach-scene.ts'
import { temporaryFolder } from '../run-command.ts'

const MODIFIED = new Date('2025-11-21T00:00:00Z')

/** Serves `body` in parts, and says when it was changed. */
function ranges(body: Buffer): (request: IncomingMessage, response: ServerResponse) => void {
  return (request, response) => {
    response.setHeader('last-modified', MODIFIED.toUTCString())
    const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? Number.NaN)
    if (Number.isNaN(from)) return void response.setHeader('content-length', body.length).end(body)
    if (from >= body.length) {
      return void response.writeHead(416, { 'content-range': `bytes */${body.length}` }).end()
    }
    response.writeHead(206, { 'content-range': `bytes ${from}-${body.length - 1}/${body.length}` })
    response.end(body.subarray(from))
  }
}

test('a URL is written to standard output, and redirects are followed', async t => {
  const url = await httpTarget(t, (request, response) => {
    if (request.url === '/old') response.writeHead(302, { location: '/new' }).end()
    else response.end(`${request.url} ${String(request.headers['x-a'])} ${request.headers.authorization ?? ''}`)
  })
  const flags = ['--trace', '-H', 'X-A: b', '--via', await proxyUrl(t, 'socks5h', true)]
  const ended = await runCommand(t, ['fetch', ...flags, `${url.replace('//', '//u:p@')}/old`])
  assert.deepEqual([ended.code, ended.stdout], [0, `/new b Basic ${btoa('u:p')}`])
  assert.match(ended.stderr, /hop 0 socks5h.*\n(?:.*\n)*first octet of the answer after [\d.]+ ms: 200 OK\n\d+ B in/)
})

test('a file that was cut off is continued from where it is', async t => {
  const body = randomBytes(300_000)
  let isFirst = true
  const whole = ranges(body)
  const asked: (string | undefined)[] = []
  const url = await httpTarget(t, (request, response) => {
    asked.push(request.headers.range)
    if (!isFirst) return whole(request, response)
    isFirst = false
    response.writeHead(200, { 'content-length': body.length })
    response.write(body.subarray(0, 100_000), () => response.destroy())
  })
  const file = join(await temporaryFolder(t), 'file')
  const args = ['fetch', '--via', await proxyUrl(t), '--output', file, '--continue', `${url}/file`]
  const cut = await runCommand(t, args)
  assert.equal(cut.code, 74, cut.stderr)
  assert.match(cut.stderr, /after 100000 octets; --continue goes on/)
  const again = await runCommand(t, args)
  assert.deepEqual([again.code, again.stderr], [0, ''])
  assert.deepEqual(await readFile(file), body)
  const complete = await runCommand(t, args)
  assert.deepEqual([complete.code, complete.stderr], [0, 'nothing is missing\n'])
  assert.deepEqual(asked, [undefined, 'bytes=100000-', 'bytes=300000-'])
  assert.deepEqual(await readFile(file), body)
})

test('what has changed since, or cannot be continued, is got from the beginning', async t => {
  const body = randomBytes(1_000)
  const file = join(await temporaryFolder(t), 'file')
  const changing = await httpTarget(t, ranges(body))
  await writeFile(file, 'something older')
  await utimes(file, MODIFIED, new Date(MODIFIED.getTime() - 60_000))
  const changed = await runCommand(t, ['fetch', '-C', '-o', file, changing])
  assert.deepEqual([changed.code, changed.stderr], [0, 'note: what is there now has changed; from the beginning\n'])
  assert.deepEqual(await readFile(file), body)

  await writeFile(file, randomBytes(2_000))
  const shorter = await runCommand(t, ['fetch', '-C', '-o', file, changing])
  assert.deepEqual([shorter.code, shorter.stderr], [0, 'note: what is there now has changed; from the beginning\n'])
  assert.deepEqual(await readFile(file), body)

  const plain = await httpTarget(t, (_request, response) => response.end('whole'))
  const whole = await runCommand(t, ['fetch', '-C', '-o', file, plain])
  assert.deepEqual([whole.code, whole.stderr], [0, 'note: the server cannot go on in the middle; from the beginning\n'])
  assert.equal(await readFile(file, 'utf8'), 'whole')
})

test('what goes wrong is told with its exit code, and no error page is written', async t => {
  const url = await httpTarget(t, (request, response) => {
    if (request.url === '/loop') response.writeHead(302, { location: '/loop' }).end()
    else response.writeHead(404).end('not here')
  })
  const folder = await temporaryFolder(t)
  const file = join(folder, 'file')
  await writeFile(file, 'kept')
  for (const [args, code, words] of [
    [[`${url}/`], 22, 'the server answered 404 Not Found'],
    [['-o', file, `${url}/`], 22, '404'],
    [['-C', '-o', file, `${url}/`], 22, '404'],
    [[`${url}/loop`], 76, 'redirect count exceeded'],
    [['ftp://127.0.0.1/'], 64, 'expected a URL'],
    [['-C', url], 64, '--continue needs --output'],
    [['-H', 'nonsense', url], 64, 'expected "Name: value"'],
    [['--via', 'socks5h://127.0.0.1:1', url], 71, 'the proxy cannot be reached'],
  ] as const) {
    const ended = await runCommand(t, ['fetch', ...args])
    assert.equal(ended.code, code, `${args.join(' ')} ${ended.stderr}`)
    assert.ok(ended.stderr.includes(words), ended.stderr)
    assert.equal(ended.stdout, '')
  }
  assert.equal(await readFile(file, 'utf8'), 'kept')
  const fine = await httpTarget(t, (_request, response) => response.end('body'))
  const nowhere = await runCommand(t, ['fetch', '-o', join(folder, 'no', 'file'), fine])
  assert.equal(nowhere.code, 73)
  assert.match(nowhere.stderr, /there is no such file/)
})
