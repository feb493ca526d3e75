/** Failed logins: answered later and later, whoever is asked for; then bans, which end; and bans by hand. */
import assert from 'node:assert/strict'
import { type TestContext, suite, test } from 'node:test'
import { type Ban, DEFAULT_LOGIN, type LoginOptions, subjectText } from '@socksmith/server'
import { VirtualClock } from '../../engine/test/virtual-clock.ts'
import { createEngine } from './engine.ts'
import { policy } from './rules.ts'
import {
  type RawClient,
  type Scene,
  connectRequest,
  echo,
  hex,
  listenerForStrangers,
  openClient,
  openScene,
  openTarget,
  portHex,
} from './scene.ts'

interface LoginScene extends Scene {
  readonly clock: VirtualClock
  /** Sends a login from this address; the client that waits for the answer. */
  readonly login: (from: string, name: string, password: string) => Promise<RawClient>
  /** The same, and how long the answer took on the scene's clock; `undefined`: the connection was closed unanswered. */
  readonly answer: (from: string, name: string, password: string) => Promise<{ right: boolean; ms: number } | undefined>
}

async function loginScene(t: TestContext, login: Partial<LoginOptions> = {}): Promise<LoginScene> {
  const clock = new VirtualClock()
  const decider = policy({ rules: [{ allow: { to: '127.0.0.0/8' } }] })
  const listeners = [{ ...listenerForStrangers(), authentication: 'password' as const }]
  const limits = { handshakeMs: 600_000 }
  const scene = await openScene(t, { engine: createEngine(clock), policy: decider, listeners, limits, login })
  const send = async (from: string, name: string, password: string): Promise<RawClient> => {
    const client = await openClient(t, scene.port)
    const family = from.includes(':') ? 'TCP6' : 'TCP4'
    client.send(Buffer.from(`PROXY ${family} ${from} ${family === 'TCP4' ? '192.0.2.1' : '::1'} 40000 1080\r\n`))
    const [user, secret] = [Buffer.from(name), Buffer.from(password)]
    const words = [Buffer.of(1, user.length), user, Buffer.of(secret.length), secret]
    client.send(Buffer.concat([hex('050102'), ...words]))
    return client
  }
  return {
    ...scene,
    clock,
    login: send,
    async answer(from, name, password) {
      const client = await send(from, name, password)
      const before = clock.monotonicMs()
      const reading = client.read(4).catch(() => '')
      let text: string | undefined
      // A turn of the real loop for each step of the clock.
      while ((text = await Promise.race([reading, nothingYet()])) === undefined) await clock.advance(250)
      client.socket.destroy()
      return text === '' ? undefined : { right: text === '05020100', ms: clock.monotonicMs() - before }
    },
  }
}

const nothingYet = (): Promise<undefined> => new Promise(resolve => void setTimeout(() => resolve(undefined), 20))

/** The delays are at least these. The clock goes on while octets are on their way, so more is possible. */
function assertAtLeast(ms: readonly number[], least: readonly number[]): void {
  for (const [index, one] of least.entries()) assert.ok((ms[index] ?? 0) >= one, `${index}: ${ms.join(' ')}`)
}

const LONG = { ...DEFAULT_LOGIN, loginFailures: 1_000, addressFailures: 1_000, windowMs: 8_640_000_000 }

suite('failed logins', () => {
  test('wrong answers come later and later, alike for a name that does not exist, and a right one at once', async t => {
    const { answer, login } = await loginScene(t, { ...LONG, delayMs: 4_000, delayMaxMs: 60_000 })
    const least = [0, 0, 4_000, 8_000, 16_000, 32_000, 60_000]
    for (const [from, name] of [
      ['203.0.113.1', 'bob'],
      ['203.0.113.2', 'nobody'],
    ] as const) {
      const waited: number[] = []
      for (let i = 0; i < least.length; i++) {
        const one = await answer(from, name, `wrong ${i}`)
        assert.equal(one?.right, false)
        waited.push(one.ms)
      }
      assertAtLeast(waited, least)
    }
    // The clock stands still: it is answered without it.
    const right = await login('203.0.113.1', 'bob', 'secret')
    assert.equal(await right.read(4), '05020100')
  })

  test('failures of one address count whatever the names, and those of one name wherever they come from', async t => {
    const { answer } = await loginScene(t, { ...LONG, delayMs: 20_000, delayMaxMs: 60_000 })
    for (let i = 0; i < 2; i++) await answer('203.0.113.1', `name ${i}`, 'x')
    assertAtLeast([(await answer('203.0.113.1', 'name 3', 'x'))?.ms ?? 0], [20_000])
    for (let i = 0; i < 2; i++) await answer(`203.0.113.1${i}`, 'alice', 'x')
    assertAtLeast([(await answer('203.0.113.20', 'alice', 'x'))?.ms ?? 0], [20_000])
    // A whole /64 is one client.
    for (let i = 1; i < 3; i++) await answer(`2001:db8::${i}`, `other ${i}`, 'x')
    assertAtLeast([(await answer('2001:db8::ffff', 'other', 'x'))?.ms ?? 0], [20_000])
  })

  test('a name from an address is banned first, which shuts out nobody else, and the ban ends', async t => {
    const options = { ...LONG, delayMs: 0, delayMaxMs: 0, loginFailures: 3, banMs: 600_000 }
    const { answer, events, clock } = await loginScene(t, options)
    for (let i = 0; i < 3; i++) await answer('203.0.113.1', 'bob', `wrong ${i}`)
    const [banned] = events.flatMap(event => (event.kind === 'ban' ? [event.ban] : []))
    assert.equal(banned && subjectText(banned.subject), 'bob from 203.0.113.1')
    assert.equal((await answer('203.0.113.1', 'bob', 'secret'))?.right, false)
    assert.equal((await answer('203.0.113.2', 'bob', 'secret'))?.right, true, 'his owner comes in from elsewhere')
    await clock.advance(600_000)
    assert.equal((await answer('203.0.113.1', 'bob', 'secret'))?.right, true)
  })

  test('an address is banned after more: its connections are closed unanswered, until the ban ends', async t => {
    const options = { ...LONG, delayMs: 0, delayMaxMs: 0, addressFailures: 3, banMs: 600_000 }
    const { answer, clock } = await loginScene(t, options)
    for (let i = 0; i < 3; i++) await answer('203.0.113.1', `name ${i}`, 'x')
    assert.equal(await answer('203.0.113.1', 'bob', 'secret'), undefined)
    assert.equal((await answer('203.0.113.2', 'bob', 'secret'))?.right, true)
    await clock.advance(600_000)
    assert.equal((await answer('203.0.113.1', 'bob', 'secret'))?.right, true)
  })

  test('a trusted address is neither counted nor banned', async t => {
    const trusted = listenerForStrangers().proxyProtocolFrom ?? []
    const options = { ...LONG, delayMs: 0, delayMaxMs: 0, addressFailures: 2, loginFailures: 2, trusted }
    const { answer } = await loginScene(t, options)
    for (let i = 0; i < 5; i++) await answer('127.0.0.9', 'bob', 'wrong')
    assert.equal((await answer('127.0.0.9', 'bob', 'secret'))?.right, true)
  })

  test('failures are forgotten with time', async t => {
    const options = { ...LONG, delayMs: 0, delayMaxMs: 0, addressFailures: 3, windowMs: 3_000_000 }
    const { answer, clock } = await loginScene(t, options)
    for (let i = 0; i < 6; i++) {
      assert.equal((await answer('203.0.113.1', `name ${i}`, 'x'))?.right, false)
      await clock.advance(1_100_000)
    }
    assert.equal((await answer('203.0.113.1', 'bob', 'secret'))?.right, true)
  })

  test('a password for a plain HTTP request is judged alike', async t => {
    const { port, events } = await openScene(t, {
      listeners: [{ ...listenerForStrangers(), authentication: 'password' }],
      login: { ...LONG, delayMs: 0, delayMaxMs: 0, loginFailures: 2 },
    })
    for (let i = 0; i < 2; i++) {
      const client = await openClient(t, port)
      const field = `Proxy-Authorization: Basic ${Buffer.from('bob:wrong').toString('base64')}`
      client.send(Buffer.from('PROXY TCP4 203.0.113.1 192.0.2.1 40000 1080\r\n'))
      client.send(Buffer.from(`GET http://127.0.0.1:1/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${field}\r\n\r\n`))
      assert.match((await client.readToEnd()).toString(), /^HTTP\/1\.1 407/)
    }
    assert.equal(events.filter(({ kind }) => kind === 'ban').length, 1)
  })

  test('a ban by hand closes newcomers and ends what lives, of an address as of a user', async t => {
    const target = await openTarget(t, echo)
    const { server, login, record, clock } = await loginScene(t)
    const open = async (from: string): Promise<void> => {
      const client = await login(from, 'bob', 'secret')
      assert.equal(await client.read(4), '05020100')
      client.send(`05010001 7f000001 ${portHex(target.port)}`)
      assert.match(await client.read(10), /^0500/)
    }
    const since = { sinceMs: clock.wallMs(), by: 'operator' as const }
    const network: Ban = { subject: { kind: 'network', network: '203.0.113.0/24' }, ...since }
    await open('203.0.113.1')
    await open('198.51.100.1')
    assert.equal(server.ban([network]), 1)
    assert.equal((await record()).end, 'revoked')
    const closed = await login('203.0.113.2', 'bob', 'secret')
    assert.equal((await closed.readToEnd()).length, 0)
    assert.equal(server.ban([{ subject: { kind: 'user', user: 'bob' }, ...since }]), 1)
    const refused = await login('198.51.100.1', 'bob', 'secret')
    assert.equal(await refused.read(4), '05020101')
    server.unban(['203.0.113.0/24', 'user bob'])
    await open('203.0.113.3')
  })

  test('a ban by hand of a user from an address holds there alone, also where the address is trusted', async t => {
    const trusted = listenerForStrangers().proxyProtocolFrom ?? []
    const target = await openTarget(t, echo)
    const { server, login, record, clock } = await loginScene(t, { ...LONG, delayMs: 0, delayMaxMs: 0, trusted })
    for (const from of ['127.0.0.9', '203.0.113.1', '203.0.113.2']) {
      const client = await login(from, 'bob', 'secret')
      assert.equal(await client.read(4), '05020100')
      client.send(`05010001 7f000001 ${portHex(target.port)}`)
      assert.match(await client.read(10), /^0500/)
    }
    const pairs = ['127.0.0.9', '203.0.113.1'].map(client => ({ kind: 'login', client, user: 'bob' }) as const)
    const [near, far] = pairs.map((subject): Ban => ({ subject, sinceMs: clock.wallMs(), by: 'operator' }))
    assert.ok(near && far)
    assert.equal(server.ban([{ ...far, by: 'login' }]), 0, 'failed logins end nothing that lives')
    assert.equal(server.ban([far]), 1)
    assert.equal(server.ban([near]), 1)
    assert.equal((await record()).end, 'revoked')
    for (const [from, answer] of [
      ['127.0.0.9', '05020101'],
      ['203.0.113.1', '05020101'],
      ['127.0.0.8', '05020100'],
      ['203.0.113.2', '05020100'],
    ] as const) {
      assert.equal(await (await login(from, 'bob', 'secret')).read(4), answer, from)
    }
    server.unban(['bob from 127.0.0.9'])
    assert.equal(await (await login('127.0.0.9', 'bob', 'secret')).read(4), '05020100')
  })

  test('the right password of a banned user is not looked at: what is remembered of it would answer sooner', async t => {
    const passwords: string[] = []
    const { port, server } = await openScene(t, {
      listeners: [{ ...listenerForStrangers(), proxyProtocolFrom: [], authentication: 'password' }],
      authenticate({ password }) {
        passwords.push(Buffer.from(password).toString())
        return Promise.resolve('bob')
      },
    })
    const logIn = async (): Promise<string> => {
      const client = await openClient(t, port)
      client.send(Buffer.concat([hex('050102 01 03'), Buffer.from('bob'), hex('06'), Buffer.from('secret')]))
      return client.read(4)
    }
    assert.equal(await logIn(), '05020100')
    server.ban([{ subject: { kind: 'user', user: 'bob' }, sinceMs: 0, by: 'operator' }])
    assert.equal(await logIn(), '05020101')
    assert.deepEqual(passwords, ['secret', ''])
  })

  test('who is banned from the start is closed at accept', async t => {
    const ban: Ban = { subject: { kind: 'network', network: '127.0.0.0/8' }, sinceMs: 0, by: 'operator' }
    const { port, records } = await openScene(t, { bans: [ban] })
    const client = await openClient(t, port)
    client.send(connectRequest(1))
    assert.equal((await client.readToEnd()).length, 0)
    assert.equal(records.length, 0)
  })
})
