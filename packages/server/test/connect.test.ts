/** CONNECT over SOCKS4, 4a, 5 and HTTP: what the client is told and what goes through. */
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { failure } from '@socksmith/protocol'
import {
  FROM_OUTSIDE,
  connectRequest,
  deadPort,
  echo,
  fixedResolver,
  hex,
  listenerForStrangers,
  loopbackListener,
  openClient,
  openScene,
  openTarget,
  portHex,
} from './scene.ts'
import { createEngine } from './engine.ts'

const head = (target: string): Buffer => Buffer.from(`CONNECT ${target} HTTP/1.1\r\n\r\n`)

test('SOCKS5: the reply carries the address by which the target sees us, and octets sent early arrive first', async t => {
  const scene = await openScene(t)
  let seen = ''
  const target = await openTarget(t, socket => {
    seen = portHex(socket.remotePort ?? 0)
    echo(socket)
  })
  const client = await openClient(t, scene.port)
  client.send(`${connectRequest(target.port)} 68656c6c6f`)
  assert.equal(await client.read(2), '0500')
  const reply = await client.read(10)
  assert.equal(await client.read(5), '68656c6c6f')
  assert.equal(reply, `050000017f000001${seen}`)
  client.socket.end()
  const record = await scene.record()
  assert.equal(record.clientToTarget, 5)
  assert.equal(record.targetToClient, 5)
  assert.equal(record.protocol, 'socks5')
  assert.equal(record.reply, 0)
})

test('SOCKS4 and 4a connect, with the user id in the record', async t => {
  const scene = await openScene(t)
  const target = await openTarget(t, echo)
  const plain = await openClient(t, scene.port)
  plain.send(`0401 ${portHex(target.port)} 7f000001 626f6200 78`)
  assert.equal(await plain.read(9), '005a00000000000078')
  plain.socket.end()
  const record = await scene.record(one => one.protocol === 'socks4')
  assert.equal(record.userid, 'bob')
  assert.equal(record.user, undefined)
  const named = await openClient(t, scene.port)
  named.send(`0401 ${portHex(target.port)} 00000001 00 ${Buffer.from('localhost').toString('hex')} 00 79`)
  assert.equal(await named.read(9), '005a00000000000079')
})

test('HTTP CONNECT opens a tunnel and keeps what came behind its head', async t => {
  const scene = await openScene(t)
  const target = await openTarget(t, echo)
  const client = await openClient(t, scene.port)
  client.send(Buffer.from(`CONNECT localhost:${target.port} HTTP/1.1\r\nHost: x\r\n\r\nearly`))
  const answer = 'HTTP/1.1 200 Connection established\r\n\r\nearly'
  assert.equal(Buffer.from(await client.read(answer.length), 'hex').toString(), answer)
})

test('failures are told apart by cause, in each protocol, and the connection closes after the reply', async t => {
  const port = await deadPort()
  const scene = await openScene(t, {
    resolver: fixedResolver({ 'any.test': ['0.0.0.0'], localhost: ['127.0.0.1'] }),
  })
  const nowhere = Buffer.from('nowhere.test').toString('hex')
  const any = Buffer.from('any.test').toString('hex')
  const cases: readonly (readonly [what: string, sent: string | Buffer, answer: string | RegExp])[] = [
    ['refused, v5', connectRequest(port), '050005050001000000000000'],
    ['refused, v4', `0401 ${portHex(port)} 7f000001 00`, '005b000000000000'],
    ['refused, HTTP', head(`127.0.0.1:${port}`), /^HTTP\/1\.1 502 /],
    ['name not found, v5', `050100 05010003 0c ${nowhere} 0050`, '050005040001000000000000'],
    ['name not found, v4a', `0401 0050 00000001 00 ${nowhere} 00`, '005b000000000000'],
    ['name not found, HTTP', head('nowhere.test:80'), /^HTTP\/1\.1 502 /],
    [
      'ruleset, v5: a name that is the unspecified address',
      `050100 05010003 08 ${any} 0050`,
      '050005020001000000000000',
    ],
    ['unknown command', '050100 05090001 7f000001 0050', '050005070001000000000000'],
    ['unknown address type', '050100 05010002 7f000001 0050', '050005080001000000000000'],
    ['our own listener', connectRequest(scene.port), '050005020001000000000000'],
    [
      'our own listener, as a name',
      `050100 05010003 09 ${Buffer.from('localhost').toString('hex')} ${portHex(scene.port)}`,
      '050005020001000000000000',
    ],
    [
      'our own listener, mapped',
      `050100 05010004 00000000000000000000ffff7f000001 ${portHex(scene.port)}`,
      '050005020001000000000000',
    ],
  ]
  for (const [what, sent, answer] of cases) {
    const client = await openClient(t, scene.port)
    client.send(sent)
    const got = await client.readToEnd()
    if (typeof answer === 'string') assert.equal(got.toString('hex'), answer, what)
    else assert.match(got.toString(), answer, what)
    client.socket.end()
  }
})

test('a dial that times out is REP 06, one that finds no way is 03 or 04, one the firewall forbids is 02', async t => {
  const engine = createEngine()
  const causes = ['timed_out', 'network_unreachable', 'host_unreachable', 'not_allowed'] as const
  const queue = [...causes]
  const scene = await openScene(t, {
    engine: {
      ...engine,
      dial: () => ({
        result: Promise.resolve(failure(queue.shift() ?? 'general_failure', 'target')),
        cancel: () => {},
      }),
    },
  })
  for (const rep of ['06', '03', '04', '02']) {
    const client = await openClient(t, scene.port)
    client.send(connectRequest(9))
    assert.equal((await client.readToEnd()).toString('hex'), `050005${rep}0001000000000000`)
    client.socket.end()
  }
})

test('when one address of a name is dead, the next one is tried', async t => {
  const target = await openTarget(t, echo)
  const scene = await openScene(t, { resolver: fixedResolver({ 'two.test': ['127.0.0.9', '127.0.0.1'] }) })
  const client = await openClient(t, scene.port)
  client.send(`050100 05010003 08 ${Buffer.from('two.test').toString('hex')} ${portHex(target.port)} 78`)
  await client.read(12)
  assert.equal(await client.read(1), '78')
})

test('IPv6 targets and IPv6 clients', async t => {
  const target = await openTarget(t, echo, '::1')
  const scene = await openScene(t, {
    listeners: [
      loopbackListener({
        place: { kind: 'ip', endpoint: { address: { type: 'ipv6', octets: hex(`${'0'.repeat(31)}1`) }, port: 0 } },
      }),
    ],
  })
  const client = await openClient(t, scene.port, '::1')
  client.send(`050100 05010004 ${'0'.repeat(31)}1 ${portHex(target.port)} 78`)
  assert.match(await client.read(24), /^050005000004(?:0{31}1)/)
  assert.equal(await client.read(1), '78')
})

test('clients from elsewhere may not reach inside; those on this host may', async t => {
  const target = await openTarget(t, echo)
  const scene = await openScene(t, {
    listeners: [listenerForStrangers(), loopbackListener()],
    resolver: fixedResolver({ 'inside.test': ['127.0.0.1'], 'mixed.test': ['10.0.0.1', '127.0.0.1'] }),
  })
  const asked = [
    '01 7f000001',
    '01 0a000001',
    '01 a9fea9fe',
    '01 64646464 '.slice(0, 3) + '6464 64c8',
    '04 00000000000000000000ffff7f000001',
    '04 0064ff9b00000000000000007f000001',
    '04 20027f00000100000000000000000001',
    '04 20010000000000000000000080fffffe',
    '04 fd000ec2000000000000000000000254',
    '04 fe800000000000000000000000000001',
    `03 0b ${Buffer.from('inside.test').toString('hex')}`,
    `03 0a ${Buffer.from('mixed.test').toString('hex')}`,
    `03 09 ${Buffer.from('127.0.0.1').toString('hex')}`,
  ]
  for (const address of asked) {
    const client = await openClient(t, scene.port)
    client.send(FROM_OUTSIDE)
    client.send(`050100 050100 ${address} ${portHex(target.port)}`)
    assert.equal((await client.readToEnd()).toString('hex'), '050005020001000000000000', address)
    client.socket.end()
  }
  const local = await openClient(t, scene.ports[1] ?? 0)
  local.send(`${connectRequest(target.port)} 78`)
  await local.read(12)
  assert.equal(await local.read(1), '78')
  const [record] = scene.records
  assert.equal(record?.client.kind === 'ip' && record.client.endpoint.port, 40_000)
  assert.equal(record?.failure, 'not_allowed')
})

test('a half-close is passed on in both directions, with everything behind it', async t => {
  const scene = await openScene(t)
  const upload = randomBytes(1 << 20)
  const sum = createHash('sha256').update(upload).digest('hex')
  const target = await openTarget(t, socket => {
    const hash = createHash('sha256')
    socket.on('data', (chunk: Buffer) => hash.update(chunk))
    socket.on('end', () => socket.end(hash.digest('hex')))
  })
  const client = await openClient(t, scene.port)
  client.send(connectRequest(target.port))
  await client.read(12)
  client.socket.end(upload)
  assert.equal((await client.readToEnd()).toString(), sum)
})

test('a client that sends everything and FIN before the reply gets its answer', async t => {
  const scene = await openScene(t)
  const target = await openTarget(t, echo)
  const client = await openClient(t, scene.port)
  client.socket.end(hex(`${connectRequest(target.port)} 68656c6c6f`))
  assert.match((await client.readToEnd()).toString('hex'), /68656c6c6f$/)
})

test('RST arrives as RST, in both directions', async t => {
  const scene = await openScene(t)
  const target = await openTarget(t, socket => {
    socket.once('data', () => socket.resetAndDestroy())
  })
  const client = await openClient(t, scene.port)
  client.send(`${connectRequest(target.port)} 78`)
  assert.equal(await client.closed(), 'ECONNRESET')
  assert.equal((await scene.record()).end, 'target-reset')

  const { promise, resolve } = Promise.withResolvers<string | undefined>()
  const other = await openTarget(t, socket => {
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code))
    socket.write('x')
    socket.resume()
  })
  const second = await openClient(t, scene.port)
  second.send(connectRequest(other.port))
  await second.read(13)
  second.socket.resetAndDestroy()
  assert.equal(await promise, 'ECONNRESET')
})

test('a client that leaves while its target is dialled leaves nothing behind', async t => {
  const engine = createEngine()
  let cancelled = 0
  const { promise: dialled, resolve: onDial } = Promise.withResolvers<void>()
  const scene = await openScene(t, {
    engine: {
      ...engine,
      dial: () => {
        onDial()
        return { result: new Promise(() => {}), cancel: () => cancelled++ }
      },
    },
  })
  const client = await openClient(t, scene.port)
  client.send(connectRequest(9))
  await dialled
  client.socket.resetAndDestroy()
  assert.equal((await scene.record()).end, 'client-reset')
  assert.equal(cancelled, 1)
  await client.closed()
})
