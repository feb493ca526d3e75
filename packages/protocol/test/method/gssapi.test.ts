/** GSSAPI at both ends: contexts of several tokens, levels, the form of NEC, refusals. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { Exchange, ExchangeStep } from '../../src/method/exchange.ts'
import {
  GSSAPI_ROUNDS_MAX,
  type GssapiMechanismStep,
  type GssapiOptions,
  gssapiClient,
  gssapiServer,
} from '../../src/method/gssapi.ts'
import { toHex } from '../../src/octets.ts'
import { latin1Octets } from '../../src/text.ts'
import type { GssapiLevel } from '../../src/wire/gssapi-frame.ts'
import { fault, feed, octetsOf, sentBy } from './exchange-steps.ts'
import { assertEstablished, meetEverywhere } from './meeting.ts'
import { mockAcceptor, mockInitiator, scriptedMechanism } from './mock-mechanism.ts'

const pair = (server: Partial<GssapiOptions>, client: Partial<GssapiOptions>) => ({
  server: () => gssapiServer({ mechanism: mockAcceptor, ...server }),
  client: () => gssapiClient({ mechanism: mockInitiator, ...client }),
})
const token = (text: string, rest: Omit<GssapiMechanismStep, 'token'>): GssapiMechanismStep => ({
  token: latin1Octets(text),
  ...rest,
})

suite('GSSAPI at both ends', () => {
  const levels: readonly (readonly [GssapiLevel[], GssapiLevel[], string])[] = [
    [[2, 1], [2, 1], '02'],
    [[1], [2, 1], '01'],
    [[2, 1], [1], '01'],
    [[3], [3], '03'],
    [[0], [0], '00'],
  ]
  for (const [atServer, atClient, granted] of levels) {
    test(`levels ${atServer.join()} and ${atClient.join()} come to ${granted}, at every split`, () => {
      meetEverywhere(pair({ levels: atServer }, { levels: atClient }), outcome => {
        assertEstablished(outcome)
        assert.equal(outcome.user, 'bob@EXAMPLE.COM')
        assert.ok(outcome.down.includes(`010200035700${granted}`))
        assert.equal(outcome.server.protection === undefined, granted === '00')
      })
    })
  }

  test('a level that the client does not take ends it', () => {
    meetEverywhere(pair({ levels: [1] }, { levels: [2] }), outcome => assert.equal(outcome.clientEnd, 'bad_level'))
  })

  test('the level goes unwrapped only where both ends want the form of NEC', () => {
    meetEverywhere(pair({ nec: true }, { nec: true }), outcome => {
      assertEstablished(outcome)
      assert.ok(outcome.up.includes('0102000102') && outcome.down.includes('0102000102'))
    })
    meetEverywhere(pair({ nec: true }, {}), assertEstablished)
    meetEverywhere(pair({}, { nec: true }), outcome => {
      assert.deepEqual([outcome.serverEnd, outcome.clientEnd], ['unwrap_failed', 'aborted'])
    })
  })

  test('a context may take several tokens, and its last one may come from either end', () => {
    const three = scriptedMechanism({ '': token('A', { done: false }), B: token('C', { done: true }) })
    const acceptor = scriptedMechanism({ A: token('B', { done: false }), C: { done: true, peer: 'bob' } })
    meetEverywhere(pair({ mechanism: acceptor }, { mechanism: three }), outcome => {
      assertEstablished(outcome)
      // Section 3.4: an empty token says that the context stands.
      assert.ok(outcome.down.includes('01010000'))
    })
  })

  test('a level needs what the context offers', () => {
    const weak = { done: true, confidentiality: false }
    const mechanism = scriptedMechanism({ T1: token('T2', weak) })
    const initiator = scriptedMechanism({ '': token('T1', { done: false }), T2: weak })
    meetEverywhere(pair({ mechanism }, { levels: [2, 1] }), outcome => assertEstablished(outcome))
    meetEverywhere(pair({ mechanism, levels: [2] }, {}), outcome => {
      assert.deepEqual([outcome.serverEnd, outcome.clientEnd], ['bad_level', 'aborted'])
    })
    meetEverywhere(pair({}, { mechanism: initiator, levels: [2] }), outcome => {
      assert.deepEqual([outcome.serverEnd, outcome.clientEnd], ['open', 'bad_level'])
    })
  })

  test('a context without integrity carries no level but the clear one', () => {
    const bare = { done: true, integrity: false, confidentiality: false }
    const mechanism = scriptedMechanism({ T1: token('T2', bare) })
    meetEverywhere(pair({ mechanism, levels: [1, 3] }, { levels: [1, 3] }), outcome => {
      assert.deepEqual([outcome.serverEnd, outcome.clientEnd], ['bad_level', 'aborted'])
    })
    meetEverywhere(pair({ mechanism, levels: [1, 0] }, { levels: [0] }), outcome => {
      assertEstablished(outcome)
      assert.equal(outcome.server.protection, undefined)
    })
  })

  test('what is sent is encrypted exactly where level and context say so', () => {
    for (const [level, confidentiality, frame] of [
      [1, true, '010300035700aa'],
      [2, true, '010300035701aa'],
      [3, true, '010300035701aa'],
      [3, false, '010300035700aa'],
    ] as const) {
      const mechanism = scriptedMechanism({ T1: token('T2', { done: true, confidentiality }) })
      meetEverywhere(pair({ mechanism, levels: [level] }, { levels: [level] }), outcome => {
        assertEstablished(outcome)
        assert.equal(toHex(outcome.server.protection?.protect(Uint8Array.of(0xaa)) ?? new Uint8Array(0)), frame)
      })
    }
  })

  test('tokens that either mechanism refuses end it', () => {
    const deaf = scriptedMechanism({ '': token('T1', { done: false }) })
    meetEverywhere(pair({}, { mechanism: deaf }), outcome => assert.equal(outcome.clientEnd, 'auth_rejected'))
    meetEverywhere(pair({ mechanism: scriptedMechanism({}) }, {}), outcome => {
      assert.deepEqual([outcome.serverEnd, outcome.clientEnd], ['auth_rejected', 'aborted'])
    })
  })
})

const atServer = (...messages: readonly string[]): string => {
  const exchange = gssapiServer({ mechanism: mockAcceptor }).begin()
  return messages.map(hex => fault(feed(exchange, hex))).at(-1) ?? ''
}
const atClient = (...messages: readonly string[]): string => {
  const exchange = gssapiClient({ mechanism: mockInitiator }).begin()
  exchange.begin?.()
  return messages.map(hex => fault(feed(exchange, hex))).at(-1) ?? ''
}
const talker = () => ({ ...mockInitiator(), step: () => token('x', { done: false }) })
const tokenOf = (length: number): ExchangeStep => {
  const mechanism = () => ({ ...mockInitiator(), step: () => ({ token: new Uint8Array(length), done: false }) })
  return feed(gssapiServer({ mechanism }).begin(), '0101 0000')
}

suite('GSSAPI at one end', () => {
  test('the server aborts on what is malformed or out of order', () => {
    const context = '0101 0002 5431'
    assert.equal(atServer('05'), 'bad_version client 01ff')
    assert.equal(atServer('0107'), 'bad_message_type client 01ff')
    assert.equal(atServer('0102'), 'unexpected_message client 01ff')
    assert.equal(atServer(context, '0101'), 'unexpected_message client 01ff')
    assert.equal(atServer(context, '0102 0003 570001'), 'done')
    assert.equal(atServer(context, '0102 0003 570000'), 'bad_level client 01ff')
    assert.equal(atServer(context, '0102 0003 570004'), 'bad_level client 01ff')
    assert.equal(atServer(context, '0102 0004 57000101'), 'bad_length client 01ff')
    assert.equal(atServer(context, '0102 0003 570101'), 'unwrap_failed client 01ff')
  })

  test('the client only closes', () => {
    const context = '0101 0002 5432'
    assert.equal(atClient('05'), 'bad_version server')
    assert.equal(atClient('01ff'), 'aborted server')
    assert.equal(atClient('0103'), 'unexpected_message server')
    assert.equal(atClient(context, '01ff'), 'aborted server')
    assert.equal(atClient(context, '0102 0003 570003'), 'bad_level server')
    assert.equal(atClient(context, '0102 0003 570102'), 'unwrap_failed server')
    assert.equal(atClient(context, '0102 0003 580002'), 'unwrap_failed server')
    assert.equal(atClient(context, '0102 0003 570002'), 'done')
  })

  test('the client names no user, and blames the server for frames that do not unwrap', () => {
    const named = { done: true, peer: 'rcmd@EXAMPLE.COM' }
    const mechanism = scriptedMechanism({ '': token('T1', { done: false }), T2: named })
    const exchange = gssapiClient({ mechanism }).begin()
    exchange.begin?.()
    feed(exchange, '0101 0002 5432')
    const step = feed(exchange, '0102 0003 570002')
    assert.ok(step.kind === 'done' && step.protection)
    assert.equal(step.user, undefined)
    const opened = step.protection.unprotect(octetsOf('0103 0003 580100'))
    assert.ok(!(opened instanceof Uint8Array))
    assert.equal(`${opened.code} ${opened.blame}`, 'unwrap_failed server')
  })

  test('the server names no user where the mechanism names none', () => {
    const mechanism = scriptedMechanism({ T1: token('T2', { done: true }) })
    const exchange = gssapiServer({ mechanism }).begin()
    feed(exchange, '0101 0002 5431')
    const step = feed(exchange, '0102 0003 570002')
    assert.ok(step.kind === 'done' && !('user' in step))
  })

  test('a mechanism with nothing to say that is not done either has met a token out of turn', () => {
    const mute = scriptedMechanism({ '': token('T1', { done: false }), T2: { done: false } })
    const exchange = gssapiClient({ mechanism: mute }).begin()
    exchange.begin?.()
    assert.equal(fault(feed(exchange, '0101 0002 5432')), 'unexpected_message server')
  })

  test('no level that the context can carry is our own lack', () => {
    const weak = { done: true, confidentiality: false }
    const acceptor = scriptedMechanism({ T1: token('T2', weak) })
    const server = gssapiServer({ mechanism: acceptor, levels: [2] }).begin()
    feed(server, '0101 0002 5431')
    assert.equal(fault(feed(server, '0102 0003 570002')), 'bad_level us 01ff')
    const initiator = scriptedMechanism({ '': token('T1', { done: false }), T2: weak })
    const client = gssapiClient({ mechanism: initiator, levels: [2] }).begin()
    client.begin?.()
    assert.equal(fault(feed(client, '0101 0002 5432')), 'bad_level us')
  })

  test('a context that stands takes no token but the empty one', () => {
    const oneStep = scriptedMechanism({ '': token('T1', { done: true }) })
    const begun = (): Exchange => {
      const exchange = gssapiClient({ mechanism: oneStep }).begin()
      assert.equal(sentBy(exchange.begin?.() ?? { kind: 'need-more' }), '010100025431')
      return exchange
    }
    assert.equal(sentBy(feed(begun(), '0101 0000')), '01020003570002')
    assert.equal(fault(feed(begun(), '0101 0002 5432')), 'unexpected_message server')
  })

  test('the exchange of tokens is bounded at both ends', () => {
    const ends: readonly (readonly [Exchange, string])[] = [
      [gssapiServer({ mechanism: talker }).begin(), 'unexpected_message client 01ff'],
      [gssapiClient({ mechanism: talker }).begin(), 'unexpected_message server'],
    ]
    for (const [exchange, expected] of ends) {
      const steps = Array.from({ length: GSSAPI_ROUNDS_MAX }, () => feed(exchange, '0101 0001 78'))
      assert.ok(steps.every(step => step.kind === 'continue' && sentBy(step) === '0101000178'))
      assert.equal(fault(feed(exchange, '0101 0001 78')), expected)
    }
  })

  test('a token with no room in a frame is our own failure', () => {
    assert.equal(tokenOf(65_535).kind, 'continue')
    assert.equal(fault(tokenOf(65_536)), 'too_large us 01ff')
  })
})
