/** The server's end of CHAP: any grouping, refusals, what an unknown user sees, mutual authentication. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { CHAP_MESSAGES_MAX } from '../../src/method/chap-terms.ts'
import { chapServer } from '../../src/method/chap-server.ts'
import type { Exchange, Verdict } from '../../src/method/exchange.ts'
import { toHex } from '../../src/octets.ts'
import { latin1Text, utf8Octets } from '../../src/text.ts'
import { chapHashes } from './chap-hashes.ts'
import { fault, feed, octetsOf, sentBy } from './exchange-steps.ts'

const CHALLENGE = '000102030405060708090a0b0c0d0e0f'
const RIGHT = 'e7409424474a3301bdc9bb8846c86362'
const REFUSAL = '0101000101'
const secret = utf8Octets('secret')
const bob: Verdict = { kind: 'accepted', user: 'bob', secret }

const randomOctets = (length: number): Uint8Array => octetsOf(CHALLENGE).subarray(0, length)

function begun(algorithms?: readonly number[]): Exchange {
  return chapServer({ hashes: chapHashes, randomOctets, ...(algorithms && { algorithms }) }).begin()
}

function answered(exchange: Exchange, verdict: Verdict): ReturnType<Exchange['read']> {
  const step = exchange.answer?.(verdict)
  assert.ok(step)
  return step
}

suite('CHAP at the server', () => {
  test('asks for the secret of the user, and the response decides', () => {
    const exchange = begun()
    assert.equal(sentBy(feed(exchange, '0102 110185 0203626f62')), `0102110185 0310${CHALLENGE}`.replace(' ', ''))
    const step = feed(exchange, `0101 0410${RIGHT}`)
    assert.ok(step.kind === 'ask' && step.claim.kind === 'secret')
    assert.equal(latin1Text(step.claim.username), 'bob')
    assert.equal(sentBy(step), '')
    const end = answered(exchange, bob)
    assert.ok(end.kind === 'done')
    assert.equal(end.user, 'bob')
    assert.equal(sentBy(end), '0101000100')
  })

  test('takes every grouping of the same attributes', () => {
    const response = `0410${RIGHT}`
    const groupings = [
      ['0102 110185 0203626f62', `0101 ${response}`],
      ['0102 0203626f62 110185', `0101 ${response}`],
      ['0101 110185', `0102 0203626f62 ${response}`],
      ['0101 110185', '0101 0203626f62', `0101 ${response}`],
      ['0101 0203626f62', '0101 110185', `0101 ${response}`],
      ['0101 110185', `0101 ${response}`, '0101 0203626f62'],
      ['0103 110185 0102 6869 7703616263', '0101 0102 6869', `0102 0203626f62 ${response}`],
    ]
    for (const grouping of groupings) {
      const exchange = begun()
      const steps = grouping.map(hex => feed(exchange, hex))
      assert.equal(steps.at(-1)?.kind, 'ask', grouping.join(' | '))
      assert.ok(steps.slice(0, -1).every(step => step.kind === 'continue'))
      assert.equal(answered(exchange, bob).kind, 'done')
    }
  })

  test('an unknown user, a wrong password and an account without a secret cannot be told apart', () => {
    const hashed: string[] = []
    const verdicts: Verdict[] = [
      { kind: 'rejected' },
      { kind: 'accepted', user: 'bob' },
      { ...bob, secret: utf8Octets('other') },
      { kind: 'challenge', text: secret },
    ]
    for (const verdict of verdicts) {
      const hmacMd5 = (key: Uint8Array, message: Uint8Array): Uint8Array => {
        hashed.push(toHex(message))
        return chapHashes.hmacMd5(key, message)
      }
      const exchange = chapServer({ hashes: { ...chapHashes, hmacMd5 }, randomOctets }).begin()
      feed(exchange, '0102 110185 0203626f62')
      feed(exchange, `0101 0410${RIGHT}`)
      assert.equal(fault(answered(exchange, verdict)), `auth_rejected client ${REFUSAL}`)
    }
    assert.deepEqual(hashed, Array(verdicts.length).fill(CHALLENGE))
  })

  test('lets no unknown user in who guesses what stands in for the secret', () => {
    const guess = toHex(chapHashes.hmacMd5(randomOctets(16), octetsOf(CHALLENGE)))
    for (const verdict of [{ kind: 'rejected' }, { kind: 'accepted', user: 'bob' }] as const) {
      const exchange = begun()
      feed(exchange, '0102 110185 0203626f62')
      feed(exchange, `0101 0410${guess}`)
      assert.equal(fault(answered(exchange, verdict)), `auth_rejected client ${REFUSAL}`)
    }
  })

  test('keeps its algorithm and its challenge, though the client names algorithms again', () => {
    const drawn: number[] = []
    const draw = (length: number): Uint8Array => new Uint8Array(length).fill(drawn.push(length))
    const exchange = chapServer({ hashes: chapHashes, randomOctets: draw, algorithms: [0x85, 0x05] }).begin()
    assert.equal(sentBy(feed(exchange, '0102 110185 0203626f62')), `01021101850310${'01'.repeat(16)}`)
    const again = feed(exchange, '0101 110105')
    assert.deepEqual([again.kind, sentBy(again)], ['continue', ''])
    feed(exchange, `0101 0410${toHex(chapHashes.hmacMd5(secret, new Uint8Array(16).fill(1)))}`)
    assert.equal(answered(exchange, bob).kind, 'done')
    assert.deepEqual(drawn, [16])
  })

  test('refuses what is malformed or out of order with STATUS 1', () => {
    const first = '0102 110185 0203626f62'
    const cases: readonly (readonly [string, ...string[]])[] = [
      ['bad_version', '05'],
      ['bad_length', '0100'],
      ['no_common_algorithm', '0101 110105'],
      ['no_common_algorithm', '0101 1100'],
      ['bad_length', '0102 110185 0200'],
      ['unexpected_message', `0103 110185 0203626f62 0410${RIGHT}`],
      ['bad_length', first, '0101 0403010203'],
      ['bad_length', first, `0102 0410${RIGHT} 0300`],
    ]
    for (const [code, ...messages] of cases) {
      const exchange = begun()
      const steps = messages.map(hex => feed(exchange, hex))
      assert.equal(fault(steps.at(-1) ?? { kind: 'need-more' }), `${code} client ${REFUSAL}`, messages.join(' | '))
    }
  })

  test('never answers its own challenge', () => {
    const exchange = begun()
    feed(exchange, '0102 110185 0203626f62')
    const step = feed(exchange, `0102 0410${RIGHT} 0310${CHALLENGE}`)
    assert.equal(fault(step), `bad_parameters client ${REFUSAL}`)
  })

  test('answers the challenge of a client only when its response was right', () => {
    const c2 = 'f0e1d2c3b4a5968778695a4b3c2d1e0f'
    const second = (response: string): string => `0102 0410${response} 0310${c2}`
    const wrong = begun()
    feed(wrong, '0102 110185 0203626f62')
    feed(wrong, second('00'.repeat(16)))
    assert.equal(fault(answered(wrong, bob)), `auth_rejected client ${REFUSAL}`)
    const exchange = begun()
    feed(exchange, '0102 110185 0203626f62')
    feed(exchange, second(RIGHT))
    const step = answered(exchange, bob)
    assert.equal(step.kind, 'continue')
    assert.equal(sentBy(step), `01020001000410${toHex(chapHashes.hmacMd5(secret, octetsOf(c2)))}`)
    assert.equal(feed(exchange, '0101 0102 6869').kind, 'continue')
    assert.equal(feed(exchange, '0101 000100').kind, 'done')
  })

  test('ends when the client does not take the response of the server', () => {
    for (const [status, expected] of [
      ['0101 000101', 'auth_rejected client'],
      ['0101 0000', `bad_length client ${REFUSAL}`],
    ] as const) {
      const exchange = begun()
      feed(exchange, '0102 110185 0203626f62')
      feed(exchange, `0102 0410${RIGHT} 0301aa`)
      answered(exchange, bob)
      assert.equal(fault(feed(exchange, status)), expected)
    }
  })

  test('MD5 has to be asked for, and brings an IDENTIFIER into every message after the choice', () => {
    const exchange = begun([0x05])
    assert.equal(
      sentBy(feed(exchange, '0102 11020585 0203626f62')),
      `010311010503 10${CHALLENGE}100100`.replace(' ', ''),
    )
    const response = chapHashes.md5(Uint8Array.of(0, ...secret, ...octetsOf(CHALLENGE)))
    assert.equal(feed(exchange, `0102 0410${toHex(response)} 100100`).kind, 'ask')
    assert.equal(sentBy(answered(exchange, bob)), '0102000100100100')
  })

  test('under MD5 the response is judged with the IDENTIFIER that was drawn', () => {
    for (const [identifier, end] of [
      [9, 'done'],
      [0, 'failed'],
    ] as const) {
      const exchange = chapServer({
        hashes: chapHashes,
        randomOctets: length => new Uint8Array(length).fill(9),
        algorithms: [0x05],
      }).begin()
      feed(exchange, '0102 110105 0203626f62')
      const response = chapHashes.md5(Uint8Array.of(identifier, ...secret, ...new Uint8Array(16).fill(9)))
      feed(exchange, `0102 0410${toHex(response)} 100109`)
      assert.equal(answered(exchange, bob).kind, end)
    }
  })

  test('does not listen for ever', () => {
    const exchange = begun()
    for (let i = 0; i < CHAP_MESSAGES_MAX; i++) assert.equal(feed(exchange, '0101 0100').kind, 'continue')
    assert.equal(fault(feed(exchange, '0101 0100')), `unexpected_message client ${REFUSAL}`)
  })
})
