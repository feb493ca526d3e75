/** Plain HTTP through the proxy, as a browser set to an HTTP proxy sends it. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import {
  Agent,
  type IncomingMessage,
  type RequestListener,
  type ServerResponse,
  createServer,
  request,
} from 'node:http'
import { connect } from 'node:net'
import { type TestContext, test } from 'node:test'
import { steady, until } from '../../../engine/test/contract/scene.ts'
import { VirtualClock } from '../../../engine/test/virtual-clock.ts'
import { deadPort, loopbackListener, openClient, openScene, openTarget } from '../scene.ts'
import { createEngine } from '../engine.ts'
import { DEFAULT_LIMITS } from '../../src/options.ts'

async function openWeb(t: TestContext, serve: RequestListener): Promise<number> {
  const server = createServer(serve).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  const address = server.address()
  assert.ok(address !== null && typeof address === 'object')
  return address.port
}

interface Asked {
  readonly path: string
  readonly method?: string
  readonly headers?: Record<string, string>
  readonly body?: string
  readonly agent?: Agent
}

async function ask(proxyPort: number, asked: Asked): Promise<{ response: IncomingMessage; body: string }> {
  const { body: sent, ...options } = asked
  const outgoing = request({ host: '127.0.0.1', port: proxyPort, ...options })
  outgoing.end(sent)
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage]
  response.setEncoding('utf8')
  let body = ''
  for await (const chunk of response) body += String(chunk)
  return { response, body }
}

test('a request goes on in origin form, without the fields that are meant for the proxy', async t => {
  const scene = await openScene(t)
  let seen: IncomingMessage | undefined
  const web = await openWeb(t, (incoming, response) => {
    seen = incoming
    response.writeHead(200, { 'X-Kept': 'yes', Connection: 'X-Dropped', 'X-Dropped': '1' })
    incoming.pipe(response)
  })
  const { response, body } = await ask(scene.port, {
    path: `http://127.0.0.1:${web}/a/b?c=d`,
    method: 'POST',
    body: 'content',
    headers: {
      Host: 'wrong.test',
      'Proxy-Connection': 'keep-alive',
      'Proxy-Authorization': 'Basic Ym9iOnNlY3JldA==',
      'X-Own': '1',
    },
  })
  assert.equal(response.statusCode, 200)
  assert.equal(body, 'content')
  assert.equal(seen?.url, '/a/b?c=d')
  assert.equal(seen?.headers.host, `127.0.0.1:${web}`)
  assert.equal(seen?.headers['x-own'], '1')
  assert.equal(seen?.headers['proxy-authorization'], undefined)
  assert.equal(seen?.headers['proxy-connection'], undefined)
  assert.match(seen?.headers.via ?? '', /socksmith/)
  assert.equal(response.headers['x-kept'], 'yes')
  assert.equal(response.headers['x-dropped'], undefined)
  const record = await scene.record(one => one.command === 'forward')
  assert.equal(record.reply, 200)
  assert.ok(record.targetToClient > 0 && record.clientToTarget > 0)
})

test('several requests on one connection, to different targets', async t => {
  const scene = await openScene(t)
  const first = await openWeb(t, (_request, response) => response.end('first'))
  const second = await openWeb(t, (_request, response) => response.end('second'))
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  t.after(() => agent.destroy())
  for (const [port, text] of [
    [first, 'first'],
    [second, 'second'],
    [first, 'first'],
  ] as const) {
    const { body } = await ask(scene.port, { path: `http://localhost:${port}/`, agent })
    assert.equal(body, text)
  }
  assert.equal(scene.server.sessionCount, 1)
})

test('CONNECT after a plain request on the same connection opens a tunnel', async t => {
  const scene = await openScene(t)
  const web = await openWeb(t, (_request, response) => response.end('plain'))
  const target = await openTarget(t, socket => void socket.pipe(socket))
  const client = await openClient(t, scene.port)
  client.send(Buffer.from(`GET http://127.0.0.1:${web}/ HTTP/1.1\r\nHost: x\r\n\r\n`))
  let head = ''
  while (!head.endsWith('plain')) {
    head += Buffer.from(await client.read(1), 'hex').toString()
  }
  client.send(Buffer.from(`CONNECT 127.0.0.1:${target.port} HTTP/1.1\r\nHost: x\r\n\r\nearly`))
  const answer = 'HTTP/1.1 200 Connection established\r\n\r\nearly'
  assert.equal(Buffer.from(await client.read(answer.length), 'hex').toString(), answer)
})

test('what cannot be served is answered, not dropped', async t => {
  const dead = await deadPort()
  const silent = await openTarget(t, socket => socket.end('not http\r\n\r\n'))
  const scene = await openScene(t)
  for (const [path, status] of [
    ['/origin-form', 400],
    ['ftp://127.0.0.1/x', 400],
    ['http://bob@127.0.0.1/x', 400],
    ['http://127.0.0.1:0/', 400],
    [`http://127.0.0.1:${dead}/`, 502],
    [`http://127.0.0.1:${silent.port}/`, 502],
    ['http://nowhere.test/', 502],
    [`http://127.0.0.1:${scene.port}/`, 403],
  ] as const) {
    const { response, body } = await ask(scene.port, { path })
    assert.equal(response.statusCode, status, path)
    assert.ok(body.length > 0)
  }
})

test('a password is asked for, and not passed on', async t => {
  const scene = await openScene(t, { listeners: [loopbackListener({ authentication: 'password' })] })
  const web = await openWeb(t, (incoming, response) => response.end(incoming.headers['proxy-authorization'] ?? 'none'))
  const path = `http://127.0.0.1:${web}/`
  const { response } = await ask(scene.port, { path })
  assert.equal(response.statusCode, 407)
  assert.match(response.headers['proxy-authenticate'] ?? '', /^Basic/)
  const right = { 'Proxy-Authorization': `Basic ${Buffer.from('bob:secret').toString('base64')}` }
  const { body } = await ask(scene.port, { path, headers: right })
  assert.equal(body, 'none')
  assert.equal((await scene.record(one => one.reply === 200)).user, 'bob')
})

test('a message with two framings is refused: nothing is smuggled', async t => {
  const scene = await openScene(t)
  let count = 0
  const web = await openWeb(t, (_request, response) => {
    count++
    response.end()
  })
  const client = await openClient(t, scene.port)
  client.send(
    Buffer.from(
      `POST http://127.0.0.1:${web}/ HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET`,
    ),
  )
  client.socket.end()
  assert.match((await client.readToEnd()).toString(), /^HTTP\/1\.1 400/)
  assert.equal(count, 0)
  assert.equal((await scene.record()).failure, 'bad_syntax')
})

test('a client that leaves in mid-response takes the upstream connection with it', async t => {
  const scene = await openScene(t)
  const { promise: gone, resolve } = Promise.withResolvers<void>()
  const web = await openWeb(t, (_request, response) => {
    response.on('close', () => resolve())
    response.write('x'.repeat(100_000))
  })
  const client = await openClient(t, scene.port)
  client.send(Buffer.from(`GET http://127.0.0.1:${web}/ HTTP/1.1\r\nHost: x\r\n\r\n`))
  await client.read(10)
  client.socket.resetAndDestroy()
  await gone
  const record = await scene.record(one => one.command === 'forward')
  assert.deepEqual([record.end, record.reply, record.failure], ['client-left', 200, undefined])
})

test('a client that leaves before the answer is no failure of the target', async t => {
  const scene = await openScene(t)
  const { promise: asked, resolve } = Promise.withResolvers<void>()
  const web = await openWeb(t, () => resolve())
  const client = await openClient(t, scene.port)
  client.send(Buffer.from(`GET http://127.0.0.1:${web}/ HTTP/1.1\r\nHost: x\r\n\r\n`))
  await asked
  client.socket.resetAndDestroy()
  const record = await scene.record(one => one.command === 'forward')
  assert.deepEqual([record.end, record.reply, record.failure], ['client-left', undefined, undefined])
})

test('a target that breaks off its response is told as what it is', async t => {
  const scene = await openScene(t)
  const web = await openWeb(t, (request, response) => {
    response.write('the first half', () => request.socket.resetAndDestroy())
  })
  const client = await openClient(t, scene.port)
  client.send(Buffer.from(`GET http://127.0.0.1:${web}/ HTTP/1.1\r\nHost: x\r\n\r\n`))
  assert.match((await client.readToEnd()).toString(), /first half/)
  const record = await scene.record(one => one.command === 'forward')
  assert.deepEqual([record.end, record.reply], ['target-reset', 200])
})

test('a target that says nothing is waited for as long as a session may be idle', async t => {
  const clock = new VirtualClock()
  const { promise: answers, resolve } = Promise.withResolvers<ServerResponse>()
  const scene = await openScene(t, { engine: createEngine(clock), limits: { ...DEFAULT_LIMITS, idleMs: 60_000 } })
  const web = await openWeb(t, (_request, response) => resolve(response))
  const client = await openClient(t, scene.port)
  client.send(Buffer.from(`GET http://127.0.0.1:${web}/ HTTP/1.1\r\nHost: x\r\n\r\n`))
  const response = await answers
  await clock.advance(50_000)
  response.write('half')
  while (!(await client.read(1)).endsWith('66'));
  await clock.advance(50_000)
  assert.equal(scene.records.length, 0, 'it was not idle for so long')
  await clock.advance(30_000)
  const record = await scene.record(one => one.command === 'forward')
  assert.deepEqual([record.end, record.failure], ['idle', undefined])
  await client.readToEnd()
})

test('a head that does not come is not waited for, nor is a second request for ever', async t => {
  const clock = new VirtualClock()
  const scene = await openScene(t, { engine: createEngine(clock) })
  const web = await openWeb(t, (_request, response) => response.end('plain'))
  const [slow, idle] = [await openClient(t, scene.port), await openClient(t, scene.port)]
  slow.send(Buffer.from('GET http://127.0.0.1/ HTTP/1.1\r\nX: '))
  idle.send(Buffer.from(`GET http://127.0.0.1:${web}/ HTTP/1.1\r\nHost: x\r\n\r\n`))
  await scene.record(one => one.reply === 200)
  await until(() => clock.pending === 2, 'both wait for a head')
  await clock.advance(15_000)
  slow.send(Buffer.from('x'))
  await clock.advance(15_001)
  assert.equal((await slow.readToEnd()).length, 0)
  assert.match((await idle.readToEnd()).toString(), /plain$/)
  assert.equal((await scene.record(one => one.end === 'handshake-timeout')).protocol, 'http')
})

test('the time for a head counts from accept, not from its first octet', async t => {
  const clock = new VirtualClock()
  const scene = await openScene(t, { engine: createEngine(clock) })
  const client = await openClient(t, scene.port)
  await until(() => scene.server.sessions().length === 1, 'accepted')
  await clock.advance(20_000)
  client.send(Buffer.from('GET http://127.0.0.1/ HTTP/1.1\r\nX: '))
  await until(() => scene.server.sessions().length === 0, 'handed to the parser')
  await clock.advance(10_001)
  assert.equal((await client.readToEnd()).length, 0)
  assert.equal((await scene.record()).end, 'handshake-timeout')
})

test('a client that reads no answer and then breaks the rules keeps its place in the limits until it is closed', async t => {
  const clock = new VirtualClock()
  const scene = await openScene(t, { engine: createEngine(clock) })
  let sent = 0
  const web = await openWeb(t, (_request, response) => {
    const send = (): void => {
      sent++
      if (!response.write(Buffer.alloc(65_536, 'x'))) response.once('drain', send)
    }
    send()
  })
  const socket = connect({ port: scene.port, host: '127.0.0.1' }).pause()
  t.after(() => socket.destroy())
  socket.on('error', () => {})
  socket.write(`GET http://127.0.0.1:${web}/ HTTP/1.1\r\nHost: x\r\n\r\n`)
  assert.ok((await steady(() => sent)) > 0, 'nothing goes on: nobody reads')
  socket.write('no HTTP at all\r\n\r\n')
  await scene.record(one => one.failure === 'bad_syntax')
  await scene.record(one => one.command === 'forward')
  assert.equal(scene.server.sessionCount, 1)
  await clock.advance(5_001)
  await until(() => scene.server.sessionCount === 0, 'closed')
  socket.resume()
  await new Promise(resolve => socket.once('close', resolve))
})

test('what is no command here is none over HTTP either, in a tunnel and without', async t => {
  let requests = 0
  const web = await openWeb(t, (_incoming, response) => {
    requests++
    response.end()
  })
  const { port, record } = await openScene(t, { access: { connect: false } })
  const { response } = await ask(port, { path: `http://127.0.0.1:${web}/` })
  assert.deepEqual([response.statusCode, (await record()).failure], [501, 'command_not_supported'])
  const client = await openClient(t, port)
  client.send(Buffer.from(`CONNECT 127.0.0.1:${web} HTTP/1.1\r\n\r\n`))
  assert.match((await client.readToEnd()).toString(), /^HTTP\/1\.1 501 /)
  assert.equal(requests, 0)
})
