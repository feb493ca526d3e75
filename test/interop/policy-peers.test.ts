/** What the rules say of those whom a client meets by UDP and BIND: destinations, foreign senders, peers. */
import assert from 'node:assert/strict'
import { type Socket as UdpSocket, createSocket } from 'node:dgram'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { connect as plainConnect } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { SocksError, createUdpSocket, listen } from '@socksmith/client'
import { type Proxy, startProxy, temporaryFolder } from './server.ts'
import { nameServer } from './targets.ts'

async function proxyWith(t: TestContext, rules: readonly object[]): Promise<Proxy> {
  const file = join(await temporaryFolder(t), 'config.yaml')
  const dns = { servers: [`127.0.0.1:${await nameServer(t, () => ['127.0.0.1'])}`] }
  const config = {
    listen: ['127.0.0.1:0'],
    dns,
    policy: { rules },
    udp: { 'full-cone': true },
    bind: { 'any-peer': true },
  }
  await writeFile(file, JSON.stringify(config))
  return startProxy(t, ['--config', file])
}

/** Answers with its name; what came stands in `got`, as `text from port`. */
async function udpTarget(
  t: TestContext,
  address: string,
  port = 0,
): Promise<{ socket: UdpSocket; got: string[]; port: number }> {
  const got: string[] = []
  const socket = createSocket('udp4', (octets, from) => {
    got.push(String(octets))
    socket.send(`${address} saw ${from.port}`, from.port, from.address)
  })
  t.after(() => socket.close())
  socket.bind(port, address)
  await once(socket, 'listening')
  return { socket, got, port: socket.address().port }
}

test('destinations of datagrams are refused by name, by address and by port, one by one', async t => {
  const near = await udpTarget(t, '127.0.0.1')
  const far = await udpTarget(t, '127.1.0.1', near.port)
  const other = await udpTarget(t, '127.1.0.1')
  const proxy = await proxyWith(t, [
    { name: 'datagrams', allow: { command: 'udp-associate', to: ['one.test', '127.1.0.0/16'], port: near.port } },
  ])
  await using socket = await createUdpSocket({ via: `socks5h://${proxy.at}` })
  // The association's datagrams are taken in the order in which they were sent.
  for (const [host, port, isAllowed] of [
    ['127.0.0.1', near.port, false],
    ['two.test', near.port, false],
    ['127.1.0.1', other.port, false],
    ['127.1.0.1', near.port, true],
    ['one.test', near.port, true],
  ] as const) {
    const said = `${host} ${isAllowed ? 'yes' : 'no'}`
    if (!isAllowed) {
      socket.send(said, port, host)
      continue
    }
    const answer = once(socket, 'message') as Promise<[Buffer]>
    socket.send(said, port, host)
    assert.match(String((await answer)[0]), /saw/, said)
  }
  // A name that is looked up takes longer than an address: once more behind all of it.
  const answer = once(socket, 'message') as Promise<[Buffer]>
  socket.send('one.test yes', near.port, 'one.test')
  await answer
  assert.deepEqual([near.got, far.got, other.got], [['one.test yes', 'one.test yes'], ['127.1.0.1 yes'], []])
  socket.close()
  const [session] = await proxy.sessions()
  assert.equal(session?.command, 'udp-associate')
})

test('foreign senders of datagrams are let in by the rules alone', async t => {
  const target = await udpTarget(t, '127.0.0.1')
  const [welcome, stranger] = [await udpTarget(t, '127.0.0.1'), await udpTarget(t, '127.1.0.1')]
  const proxy = await proxyWith(t, [
    { deny: { command: 'udp-sender', to: '127.1.0.0/16' } },
    { allow: { command: 'udp-associate' } },
  ])
  await using socket = await createUdpSocket({ via: `socks5h://${proxy.at}` })
  const messages = socket[Symbol.asyncIterator]()
  socket.send('where am I', target.port, '127.0.0.1')
  const first = await messages.next()
  assert.equal(first.done, false)
  const relayPort = Number(/saw (\d+)/.exec(String(first.value?.[0]))?.[1])
  // The kernel hands them to the relay in this order.
  stranger.socket.send('from a stranger', relayPort, '127.0.0.1')
  welcome.socket.send('welcome', relayPort, '127.0.0.1')
  const second = await messages.next()
  assert.deepEqual([String(second.value?.[0]), second.value?.[1].port], ['welcome', welcome.port])
  // The rule is about senders: what the client begins itself is another matter.
  socket.send('to the stranger', stranger.port, '127.1.0.1')
  assert.match(String((await messages.next()).value?.[0]), /^127\.1\.0\.1 saw/)
})

test('a peer that the rules refuse cannot take a BIND, and the next one can', async t => {
  const proxy = await proxyWith(t, [
    { deny: { command: 'bind-peer', to: '127.1.0.0/16' } },
    { name: 'callers', allow: { command: 'bind', not: { to: '127.2.0.0/16' } } },
  ])
  const via = `socks5h://${proxy.at}`
  const listener = await listen({ via })
  for (const localAddress of ['127.1.0.1', '127.2.0.1']) {
    const refused = plainConnect({ ...listener.address, localAddress })
    refused.on('error', () => undefined)
    await once(refused.resume(), 'close')
  }
  const peer = plainConnect({ ...listener.address, localAddress: '127.0.0.5' }, () => peer.end('I may'))
  const chunks: Buffer[] = []
  for await (const chunk of await listener.accept()) chunks.push(chunk as Buffer)
  assert.equal(String(Buffer.concat(chunks)), 'I may')
  // Who expects a peer that the rules refuse hears it at once.
  await assert.rejects(listen({ via, host: '127.2.0.1' }), (error: unknown) => {
    assert.ok(error instanceof SocksError)
    return error.code === 'SOCKS_NOT_ALLOWED' && error.reply === 2
  })
  const [session] = (await proxy.sessions()) as readonly { readonly dialled?: string; readonly rule?: string }[]
  assert.match(String(session?.dialled), /^127\.0\.0\.5:/)
  assert.match(String(session?.rule), /callers/)
})
