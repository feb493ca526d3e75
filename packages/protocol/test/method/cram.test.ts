/** CRAM at both ends: rounds, refusals, their bound, and a person in between. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { ClientHandshake } from '../../src/handshake/client-handshake.ts'
import { CRAM_MESSAGES_MAX, CRAM_ROUNDS_MAX, cramClient, cramServer } from '../../src/method/cram.ts'
import type { Claim, ExchangeStep, Verdict } from '../../src/method/exchange.ts'
import { latin1Text, utf8Octets } from '../../src/text.ts'
import { fault, feed, octetsOf, sentBy } from './exchange-steps.ts'
import { assertEstablished, meetEverywhere } from './meeting.ts'

const REFUSAL = '0101000101'
const challenge = (text: string): Verdict => ({ kind: 'challenge', text: utf8Octets(text) })
const client = () => cramClient({ username: utf8Octets('bob') })
const responseOf = (length: number): ExchangeStep =>
  client().begin().respond?.(new Uint8Array(length)) ?? { kind: 'need-more' }

/** Asks for these responses in turn. */
function card(...responses: readonly string[]): (claim: Claim) => Verdict {
  return claim => {
    assert.ok(claim.kind === 'response')
    assert.equal(latin1Text(claim.username), 'bob')
    if (claim.response === undefined) return challenge('1')
    const round = responses.indexOf(latin1Text(claim.response)) + 1
    if (round === 0) return { kind: 'rejected' }
    return round === responses.length ? { kind: 'accepted', user: 'bob' } : challenge(String(round + 1))
  }
}

suite('CRAM at both ends', () => {
  test('asks as often as the caller wants, at every split', () => {
    for (const rounds of [1, 3]) {
      const responses = ['one', 'two', 'three'].slice(0, rounds)
      const respond = (prompt: string): string => responses[Number(prompt) - 1] ?? ''
      meetEverywhere({ server: () => cramServer, client, judge: card(...responses), respond }, outcome => {
        assertEstablished(outcome)
        assert.equal(outcome.user, 'bob')
      })
    }
  })

  test('a wrong response is refused', () => {
    meetEverywhere({ server: () => cramServer, client, judge: card('one'), respond: () => 'won' }, outcome => {
      assert.deepEqual([outcome.serverEnd, outcome.clientEnd], ['auth_rejected', 'auth_rejected'])
    })
  })

  test('a response that has no room in its field is not sent', () => {
    meetEverywhere(
      { server: () => cramServer, client, judge: card('one'), respond: () => 'x'.repeat(256) },
      outcome => {
        assert.deepEqual([outcome.serverEnd, outcome.clientEnd], ['open', 'too_large'])
      },
    )
  })

  test('the server ends after its bound of rounds, whatever the caller says', () => {
    let asked = 0
    const judge = (): Verdict => challenge(String(++asked))
    meetEverywhere({ server: () => cramServer, client, judge, respond: () => 'x' }, outcome => {
      assert.deepEqual([outcome.serverEnd, outcome.clientEnd], ['auth_rejected', 'auth_rejected'])
      assert.equal(asked, CRAM_ROUNDS_MAX + 1)
      asked = 0
    })
  })
})

suite('CRAM at the server', () => {
  test('refuses what is malformed or out of order with STATUS 1', () => {
    for (const [code, hex] of [
      ['bad_version', '05'],
      ['bad_length', '0100'],
      ['bad_length', '0101 0200'],
      ['unexpected_message', '0101 0401aa'],
      ['no_common_algorithm', '0101 110185'],
    ] as const) {
      assert.equal(fault(feed(cramServer.begin(), hex)), `${code} client ${REFUSAL}`)
    }
  })

  test('text alone changes nothing, and not for ever', () => {
    const exchange = cramServer.begin()
    for (let i = 0; i < CRAM_MESSAGES_MAX; i++) assert.equal(feed(exchange, '0101 0102 6869').kind, 'continue')
    assert.equal(fault(feed(exchange, '0101 0102 6869')), `unexpected_message client ${REFUSAL}`)
  })

  test('text alone asks nobody, before the name and after the challenge', () => {
    const exchange = cramServer.begin()
    assert.equal(feed(exchange, '0101 0102 6869').kind, 'continue')
    assert.equal(feed(exchange, '0101 0203626f62').kind, 'ask')
    exchange.answer?.(challenge('1'))
    assert.equal(feed(exchange, '0101 0102 6869').kind, 'continue')
    const step = feed(exchange, '0101 0401aa')
    assert.ok(step.kind === 'ask' && step.claim.kind === 'response')
    assert.deepEqual(step.claim.response, Uint8Array.of(0xaa))
  })

  test('a challenge that has no room in its field is a bug of the caller', () => {
    const exchange = cramServer.begin()
    assert.equal(feed(exchange, '0101 0203626f62').kind, 'ask')
    const longest = exchange.answer?.(challenge('x'.repeat(255))) ?? { kind: 'need-more' }
    assert.equal(sentBy(longest), `010103ff${'78'.repeat(255)}`)
    assert.throws(() => exchange.answer?.(challenge('x'.repeat(256))), RangeError)
  })

  test('a rejection and one challenge too many are the doing of the client', () => {
    for (const [rounds, last] of [
      [0, { kind: 'rejected' }],
      [CRAM_ROUNDS_MAX, challenge('1')],
    ] as const) {
      const exchange = cramServer.begin()
      feed(exchange, '0101 0203626f62')
      for (let i = 0; i < rounds; i++) assert.equal(exchange.answer?.(challenge('1')).kind, 'continue')
      assert.equal(fault(exchange.answer?.(last) ?? { kind: 'need-more' }), `auth_rejected client ${REFUSAL}`)
    }
  })
})

suite('CRAM at the client', () => {
  test('keeps no deadline while the person thinks, and hears when the server hangs up meanwhile', () => {
    const destination = { address: { type: 'domain', name: 'example.com' }, port: 443 } as const
    const handshake = new ClientHandshake({ protocol: 'socks5', methods: [client()], command: 'connect', destination })
    handshake.start()
    const events = handshake.receive(octetsOf('0505 0101 030131'))
    assert.deepEqual(events.at(-1), { kind: 'prompt', text: utf8Octets('1') })
    assert.deepEqual([handshake.phase, handshake.deadlineWanted], ['prompting', false])
    const [end] = handshake.endOfStream()
    assert.ok(end?.kind === 'failed' && end.failure.code === 'truncated')
    assert.deepEqual(handshake.respond(utf8Octets('late')), [])
  })

  test('refuses what is malformed, and a server that rejects', () => {
    for (const [code, hex] of [
      ['bad_version', '05'],
      ['bad_length', '0101 0000'],
      ['auth_rejected', '0101 0001ff'],
    ] as const) {
      assert.equal(fault(feed(client().begin(), hex)), `${code} server`)
    }
  })

  test('shows nobody a message of text alone, and does not listen to it for ever', () => {
    const exchange = client().begin()
    for (let i = 0; i < CRAM_MESSAGES_MAX; i++) assert.equal(feed(exchange, '0101 0102 6869').kind, 'continue')
    assert.equal(fault(feed(exchange, '0101 0102 6869')), 'unexpected_message server')
  })

  test('sends a response of 255 octets, and says that a longer one is our own failure', () => {
    assert.equal(sentBy(responseOf(255)), `010104ff${'00'.repeat(255)}`)
    assert.equal(fault(responseOf(256)), 'too_large us')
  })

  test('does not prompt the person for ever', () => {
    const exchange = client().begin()
    for (let i = 0; i < CRAM_ROUNDS_MAX; i++) {
      assert.equal(feed(exchange, '0101 030131').kind, 'prompt')
      assert.equal(sentBy(exchange.respond?.(utf8Octets('x')) ?? { kind: 'need-more' }), '0101040178')
    }
    assert.equal(fault(feed(exchange, '0101 030131')), 'unexpected_message server')
  })
})
