/** The client's end of CHAP: against our server at every split, and against servers that cannot be trusted. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { type ChapClientOptions, chapClient } from '../../src/method/chap-client.ts'
import { chapServer } from '../../src/method/chap-server.ts'
import { CHAP_MESSAGES_MAX } from '../../src/method/chap-terms.ts'
import type { Claim, Exchange, Verdict } from '../../src/method/exchange.ts'
import { toHex } from '../../src/octets.ts'
import { latin1Text, utf8Octets } from '../../src/text.ts'
import { chapHashes } from './chap-hashes.ts'
import { fault, feed, octetsOf, sentBy } from './exchange-steps.ts'
import { assertEstablished, meetEverywhere } from './meeting.ts'

const filled = (octet: number) => (length: number) => new Uint8Array(length).fill(octet)
const bob: ChapClientOptions = {
  username: utf8Octets('bob'),
  secret: utf8Octets('secret'),
  hashes: chapHashes,
  randomOctets: filled(2),
}
const accounts: Readonly<Record<string, string>> = { bob: 'secret' }

function judge(claim: Claim): Verdict {
  if (claim.kind !== 'secret') return { kind: 'rejected' }
  const user = latin1Text(claim.username)
  const secret = accounts[user]
  return secret === undefined ? { kind: 'rejected' } : { kind: 'accepted', user, secret: utf8Octets(secret) }
}

const variants: readonly Partial<ChapClientOptions>[] = [
  {},
  { grouping: 'draft' },
  { mutual: 'required' },
  { mutual: 'wanted', grouping: 'draft' },
  { algorithms: [0x05], mutual: 'required' },
]

suite('CHAP at both ends', () => {
  for (const variant of variants) {
    const server = () => chapServer({ hashes: chapHashes, randomOctets: filled(1), algorithms: [0x85, 0x05] })
    test(`the right password is taken, at every split: ${JSON.stringify(variant)}`, () => {
      meetEverywhere({ server, client: () => chapClient({ ...bob, ...variant }), judge }, outcome => {
        assertEstablished(outcome)
        assert.equal(outcome.user, 'bob')
      })
    })

    test(`a wrong password and an unknown user are refused with the same octets: ${JSON.stringify(variant)}`, () => {
      const refusals = new Set<string>()
      for (const stranger of [{ secret: utf8Octets('guess') }, { username: utf8Octets('eve') }]) {
        meetEverywhere({ server, client: () => chapClient({ ...bob, ...variant, ...stranger }), judge }, outcome => {
          assert.equal(outcome.serverEnd, 'auth_rejected')
          assert.equal(outcome.clientEnd, 'auth_rejected')
          refusals.add(outcome.down)
        })
      }
      assert.equal(refusals.size, 1)
    })
  }
})

const CHALLENGE = '01'.repeat(16)
const begun = (options: Partial<ChapClientOptions> = {}): Exchange => {
  const exchange = chapClient({ ...bob, ...options }).begin()
  exchange.begin?.()
  return exchange
}
const finish = (mutual: 'wanted' | 'required', last: string): ReturnType<Exchange['read']> => {
  const exchange = begun({ mutual })
  feed(exchange, `0102 110185 0310${CHALLENGE}`)
  return feed(exchange, last)
}

suite('CHAP at the client', () => {
  test('takes algorithm and challenge in any grouping', () => {
    const response = `01010410${toHex(chapHashes.hmacMd5(bob.secret, octetsOf(CHALLENGE)))}`
    for (const grouping of [
      [`0102 110185 0310${CHALLENGE}`],
      [`0102 0310${CHALLENGE} 110185`],
      ['0101 110185', `0101 0310${CHALLENGE}`],
      [`0101 0310${CHALLENGE}`, '0101 0102 6869', '0101 110185'],
    ]) {
      const exchange = begun()
      const steps = grouping.map(hex => feed(exchange, hex))
      assert.deepEqual(steps.map(sentBy), [...grouping.slice(1).map(() => ''), response])
      assert.equal(feed(exchange, '0101 000100').kind, 'done')
    }
  })

  test('under MD5 answers only once the IDENTIFIER is there, and with it in front of the secret', () => {
    const response = toHex(chapHashes.md5(Uint8Array.of(7, ...bob.secret, ...octetsOf(CHALLENGE))))
    const exchange = begun({ algorithms: [0x05] })
    const early = feed(exchange, `0102 110105 0310${CHALLENGE}`)
    assert.equal(early.kind, 'continue')
    assert.equal(sentBy(early), '')
    assert.equal(sentBy(feed(exchange, '0101 100107')), `01020410${response}100107`)
  })

  test('refuses what is malformed, not offered or out of order', () => {
    const cases: readonly (readonly [string, ...string[]])[] = [
      ['bad_version', '05'],
      ['method_not_offered', '0101 110105'],
      ['bad_length', '0101 11028505'],
      ['bad_length', '0101 0300'],
      ['bad_length', '0101 10020000'],
      ['bad_length', '0101 0000'],
      ['auth_rejected', '0101 0001ff'],
      ['unexpected_message', '0101 000100'],
      ['unexpected_message', `0102 110185 0310${CHALLENGE}`, `0101 0310${CHALLENGE}`],
    ]
    for (const [code, ...messages] of cases) {
      const exchange = begun()
      const steps = messages.map(hex => feed(exchange, hex))
      assert.equal(fault(steps.at(-1) ?? { kind: 'need-more' }), `${code} server`, messages.join(' | '))
    }
  })

  test('judges the response of the server: right, wrong, and missing', () => {
    const c2 = new Uint8Array(16).fill(2)
    const right = toHex(chapHashes.hmacMd5(bob.secret, c2))
    for (const mutual of ['wanted', 'required'] as const) {
      const good = finish(mutual, `0102 000100 0410${right}`)
      assert.equal(good.kind, 'done')
      assert.equal(sentBy(good), '0101000100')
      assert.equal(fault(finish(mutual, `0102 000100 0410${'00'.repeat(16)}`)), 'auth_rejected server 0101000101')
    }
    const silent = finish('wanted', '0101 000100')
    assert.equal(silent.kind, 'done')
    assert.equal(sentBy(silent), '')
    assert.equal(fault(finish('required', '0101 000100')), 'auth_rejected server')
  })

  test('never answers a challenge that is also its own', () => {
    const exchange = begun({ mutual: 'wanted', randomOctets: filled(1) })
    assert.equal(fault(feed(exchange, `0102 110185 0310${CHALLENGE}`)), 'bad_parameters server')
  })

  test('does not listen for ever', () => {
    const exchange = begun()
    for (let i = 0; i < CHAP_MESSAGES_MAX; i++) assert.equal(feed(exchange, '0101 0100').kind, 'continue')
    assert.equal(fault(feed(exchange, '0101 0100')), 'unexpected_message server')
  })
})
