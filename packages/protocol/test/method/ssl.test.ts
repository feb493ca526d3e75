/** The SSL method at both ends: handshake, options, the negotiation inside, refusals; TLS is a made-up one. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { cramClient, cramServer } from '../../src/method/cram.ts'
import type { Claim, Verdict } from '../../src/method/exchange.ts'
import { gssapiClient, gssapiServer } from '../../src/method/gssapi.ts'
import { noneMethod } from '../../src/method/none.ts'
import {
  SSL_METHOD_OF_DRAFT,
  SSL_NEGOTIATION_FRAMES_MAX,
  type SslOptions,
  sslClient,
  sslServer,
} from '../../src/method/ssl.ts'
import { userPasswordClient, userPasswordServer } from '../../src/method/user-password.ts'
import { concat } from '../../src/octets.ts'
import { utf8Octets } from '../../src/text.ts'
import { fault, feed, sentBy } from './exchange-steps.ts'
import { assertEstablished, meetEverywhere } from './meeting.ts'
import { mockAcceptor, mockInitiator } from './mock-mechanism.ts'
import { greetingTls, nullTls } from './null-tls.ts'

const password = userPasswordClient({ username: utf8Octets('bob'), password: utf8Octets('secret') })
const pair = (server: Partial<SslOptions>, client: Partial<SslOptions>) => ({
  server: () => sslServer({ tls: () => greetingTls('server', 'CN=bob'), methods: [], ...server }),
  client: () => sslClient({ tls: () => greetingTls('client'), methods: [], ...client }),
})

function judge(claim: Claim): Verdict {
  const bob = { kind: 'accepted', user: 'bob' } as const
  if (claim.kind === 'response') return claim.response ? bob : { kind: 'challenge', text: utf8Octets('?') }
  return claim.kind === 'password' && claim.password.length === 6 ? bob : { kind: 'rejected' }
}

suite('SSL at both ends', () => {
  test('without anything inside, the certificate names the user, at every split', () => {
    meetEverywhere(pair({}, {}), outcome => {
      assertEstablished(outcome)
      assert.equal(outcome.user, 'CN=bob')
      assert.ok(outcome.up.startsWith('050106010100011601020001ff'))
    })
    const number = SSL_METHOD_OF_DRAFT
    meetEverywhere(pair({ number }, { number }), outcome => {
      assertEstablished(outcome)
      assert.ok(outcome.down.startsWith('0586'))
    })
  })

  test('methods inside: of two the one of the server, a prompt, and a protection in the protection', () => {
    const cases: readonly (readonly [SslOptions['methods'], SslOptions['methods'], string])[] = [
      [[userPasswordServer], [noneMethod, password], 'bob'],
      [[cramServer], [cramClient({ username: utf8Octets('bob') })], 'bob'],
      [[gssapiServer({ mechanism: mockAcceptor })], [gssapiClient({ mechanism: mockInitiator })], 'bob@EXAMPLE.COM'],
    ]
    for (const [atServer, atClient, user] of cases) {
      const meeting = pair({ methods: atServer }, { methods: atClient })
      meetEverywhere({ ...meeting, judge, respond: () => '!' }, outcome => {
        assertEstablished(outcome)
        assert.equal(outcome.user, user)
      })
    }
  })

  test('a server that wants a method inside lets nobody in without it', () => {
    const wanted = { methods: [userPasswordServer] }
    meetEverywhere(pair(wanted, {}), outcome => assert.equal(outcome.serverEnd, 'no_acceptable_methods'))
    meetEverywhere(pair(wanted, { methods: [noneMethod] }), outcome => {
      assert.deepEqual([outcome.serverEnd, outcome.clientEnd], ['no_acceptable_methods', 'no_acceptable_methods'])
    })
    meetEverywhere(pair(wanted, { methods: [password] }), outcome => {
      assert.deepEqual([outcome.serverEnd, outcome.clientEnd], ['auth_rejected', 'auth_rejected'])
    })
  })

  test('datagrams pass only when both ends let them go unprotected', () => {
    for (const [atServer, atClient] of [
      [true, true],
      [true, false],
      [false, true],
    ] as const) {
      meetEverywhere(pair({ udpNaked: atServer }, { udpNaked: atClient }), outcome => {
        assertEstablished(outcome)
        const datagram = Uint8Array.of(1, 2)
        const expected = atServer && atClient ? datagram : undefined
        for (const { protection } of [outcome.server, outcome.client]) {
          assert.equal(protection?.protectDatagram?.(datagram), expected)
          assert.equal(protection?.unprotectDatagram?.(datagram), expected)
        }
      })
    }
  })
})

const atServer = (options: Partial<SslOptions>, ...messages: readonly string[]): string => {
  const exchange = sslServer({ tls: () => nullTls, methods: [], ...options }).begin()
  exchange.begin?.()
  return messages.map(hex => fault(feed(exchange, hex))).at(-1) ?? ''
}

/** Always has an octet of its own to send. */
const talking = () => ({ ...nullTls, takeOutgoing: () => Uint8Array.of(0x17) })
/** Puts the length in front, of nothing too. */
const counting = () => ({ ...nullTls, seal: (plain: Uint8Array) => concat([Uint8Array.of(plain.length), plain]) })

suite('SSL at one end', () => {
  test('the server ends on what is malformed or out of order', () => {
    const inner = { methods: [userPasswordServer] }
    assert.equal(atServer({}, '05'), 'bad_version client')
    assert.equal(atServer({}, '0100'), 'bad_state client')
    assert.equal(atServer({}, '0105'), 'bad_state client')
    assert.equal(atServer({}, '0101 0001 00'), 'bad_state client')
    assert.equal(atServer({}, '0104 0000'), 'aborted client')
    assert.equal(atServer(inner, '0102 0002 0101', '0101'), 'bad_state client')
    assert.equal(atServer(inner, '0102 0002 0101', '0102 0001 04'), 'bad_version client')
  })

  test('the options may come in pieces, and the negotiation inside right behind them', () => {
    const server = sslServer({ tls: () => nullTls, methods: [userPasswordServer] }).begin()
    assert.equal(sentBy(feed(server, '0102 0001 02')), '')
    assert.equal(sentBy(feed(server, '0102 0005 0110 050102')), '010200020101010200020502')
  })

  test('octets right behind the negotiation, inside or not, are the first of the data flow', () => {
    for (const [methods, hex] of [
      [[noneMethod], '0102 0007 0101 050100 6869'],
      [[], '0102 0004 0101 6869'],
    ] as const) {
      const step = feed(sslServer({ tls: () => nullTls, methods }).begin(), hex)
      assert.ok(step.kind === 'done')
      assert.deepEqual(step.protection?.unprotect(new Uint8Array(0)), utf8Octets('hi'))
    }
  })

  test('why TLS fails is told before the end', () => {
    const server = sslServer({ tls: () => greetingTls('server'), methods: [] }).begin()
    assert.equal(fault(feed(server, '0101 0001 17')), 'bad_signature client 0101000115')
  })

  test('octets inside TLS are not taken before it stands', () => {
    const eager = { ...nullTls, established: false }
    assert.equal(atServer({ tls: () => eager }, '0102 0001 00'), 'bad_state client')
  })

  test('the client refuses options that it did not offer', () => {
    const client = sslClient({ tls: () => nullTls, methods: [] }).begin()
    assert.equal(sentBy(client.begin?.() ?? { kind: 'need-more' }), '0102000100')
    assert.equal(fault(feed(client, '0102 0002 0110')), 'method_not_offered server')
  })

  test('the client takes no user from the certificate of the server', () => {
    const client = sslClient({ tls: () => ({ ...nullTls, peer: 'CN=proxy' }), methods: [] }).begin()
    client.begin?.()
    const step = feed(client, '0102 0001 00')
    assert.ok(step.kind === 'done')
    assert.equal(step.user, undefined)
  })

  test('what TLS itself says behind the options does not go back to the STATE of the handshake', () => {
    const client = sslClient({ tls: talking, methods: [] }).begin()
    assert.equal(sentBy(client.begin?.() ?? { kind: 'need-more' }), '01010001170102000100')
    assert.equal(sentBy(feed(client, '0101 0000')), '0102000117')
    const server = sslServer({ tls: talking, methods: [userPasswordServer] }).begin()
    assert.equal(sentBy(feed(server, '0102 0002 0101')), '0101000117010200020101')
    assert.equal(sentBy(feed(server, '0102 0001 05')), '0102000117')
  })

  test('no record is sealed for nothing', () => {
    const server = sslServer({ tls: counting, methods: [userPasswordServer] }).begin()
    assert.equal(sentBy(feed(server, '0102 0002 0101')), '01020003020101')
    assert.equal(sentBy(feed(server, '0102 0001 05')), '')
  })

  test('the negotiation is bounded', () => {
    const server = sslServer({ tls: () => nullTls, methods: [] }).begin()
    for (let i = 0; i < SSL_NEGOTIATION_FRAMES_MAX; i++) assert.equal(feed(server, '0101 0000').kind, 'continue')
    assert.equal(fault(feed(server, '0101 0000')), 'unexpected_message client')
  })
})
