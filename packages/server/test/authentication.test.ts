/** Who is asked for a password, and that nothing goes around it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { connectRequest, echo, hex, loopbackListener, openClient, openScene, openTarget, portHex } from './scene.ts'

const protectedListener = loopbackListener({ authentication: 'password' })
const RIGHT = '01 03626f62 06736563726574'

test('the right password opens the way, and the user is in the record', async t => {
  const scene = await openScene(t, { listeners: [protectedListener] })
  const target = await openTarget(t, echo)
  const client = await openClient(t, scene.port)
  client.send(`05020002 ${RIGHT} 05010001 7f000001 ${portHex(target.port)} 78`)
  assert.match(await client.read(14), /^05020100050000017f000001/)
  assert.equal(await client.read(1), '78')
  client.socket.end()
  assert.equal((await scene.record()).user, 'bob')
})

const REFUSED: readonly (readonly [what: string, sent: string, answer: string])[] = [
  ['wrong password', '050102 01 03626f62 03626164', '05020101'],
  ['unknown user', '050102 01 03657665 06736563726574', '05020101'],
  ['empty fields', '050102 01 00 00', '05020101'],
  ['name with NUL behind it', '050102 01 04626f6200 06736563726574', '05020101'],
  ['prefix of the password', '050102 01 03626f62 03736563', '05020101'],
  ['sub-negotiation version 5', '050102 05 03626f62 06736563726574', '05020101'],
  ['only method 00 offered', '050100', '05ff'],
  ['method FF offered', '0501ff', '05ff'],
  ['SOCKS4', '0401 0050 7f000001 626f6200', '005b000000000000'],
  ['SOCKS4a', '0401 0050 00000001 626f6200 61 00', '005b000000000000'],
]

for (const [what, sent, answer] of REFUSED) {
  test(`refused: ${what}`, async t => {
    const scene = await openScene(t, { listeners: [protectedListener] })
    const client = await openClient(t, scene.port)
    // A request glued behind must not be served.
    client.send(`${sent} 05010001 7f000001 0050`)
    assert.equal((await client.readToEnd()).toString('hex'), answer)
    client.socket.end()
    const record = await scene.record()
    assert.equal(record.end, 'refused')
    assert.doesNotMatch(JSON.stringify(record), /secret|\bbad\b/)
  })
}

const basic = (text: string): string => `Proxy-Authorization: Basic ${Buffer.from(text).toString('base64')}\r\n`

test('HTTP: 407 without and with wrong credentials, a tunnel with the right ones', async t => {
  const scene = await openScene(t, { listeners: [protectedListener] })
  const target = await openTarget(t, echo)
  for (const [field, status] of [
    ['', 407],
    [basic('bob:bad'), 407],
    ['Proxy-Authorization: Basic !!!\r\n', 407],
    ['Proxy-Authorization: Bearer x\r\n', 407],
    [basic('bob:secret'), 200],
  ] as const) {
    const client = await openClient(t, scene.port)
    client.send(Buffer.from(`CONNECT 127.0.0.1:${target.port} HTTP/1.1\r\n${field}\r\n`))
    client.socket.end()
    const answer = (await client.readToEnd()).toString()
    assert.ok(answer.startsWith(`HTTP/1.1 ${status} `), answer)
    assert.equal(status === 407, answer.includes('Proxy-Authenticate: Basic'))
  }
})

test('a listener without a password lets a client that offers one in anyway', async t => {
  const scene = await openScene(t)
  const target = await openTarget(t, echo)
  const client = await openClient(t, scene.port)
  client.send(`05020200 ${connectRequest(target.port).slice(6)} 78`)
  assert.equal(await client.read(2), '0500')
  await client.read(10)
  assert.equal(await client.read(1), '78')
})

test('a protocol that is switched off is closed without an answer', async t => {
  const scene = await openScene(t, {
    listeners: [loopbackListener({ protocols: { socks4: false, socks5: true, http: false } })],
  })
  for (const sent of ['0401 0050 7f000001 00', '434f4e4e45435420']) {
    const client = await openClient(t, scene.port)
    client.send(sent)
    assert.equal((await client.readToEnd()).length, 0)
    client.socket.end()
  }
})

test('a client that sends its password and FIN, but no request, is let go at once', async t => {
  const scene = await openScene(t, { listeners: [protectedListener] })
  const client = await openClient(t, scene.port)
  client.socket.end(hex(`050102 ${RIGHT}`))
  assert.equal((await client.readToEnd()).toString('hex'), '05020100')
  assert.equal((await scene.record()).end, 'client-left')
})
