/** An exchange inside another one: steps are joined, octets are kept, and not without a bound. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { INNER_OCTETS_MAX, InnerExchange } from '../../src/method/inner-exchange.ts'
import { toHex } from '../../src/octets.ts'
import { utf8Octets } from '../../src/text.ts'
import { fault, sentBy } from './exchange-steps.ts'
import { speaker } from './maf-speaker.ts'

suite('an exchange inside another one', () => {
  test('gives one step for many, with everything to send, and the octets behind it', () => {
    const inner = new InnerExchange(speaker({ expect: ['a', 'b'], say: ['1', '2'] }), 'client')
    assert.equal(inner.begin().kind, 'continue')
    const step = inner.receive(utf8Octets('abrest'))
    assert.equal(step.kind, 'done')
    assert.equal(sentBy(step), toHex(utf8Octets('12')))
    assert.equal(toHex(inner.takeRemainder()), toHex(utf8Octets('rest')))
    assert.equal(inner.takeRemainder().length, 0)
  })

  test('does not keep octets without a bound', () => {
    for (const peer of ['client', 'server'] as const) {
      const inner = new InnerExchange({ read: () => ({ kind: 'need-more' }) }, peer)
      assert.equal(inner.receive(new Uint8Array(INNER_OCTETS_MAX)).kind, 'continue')
      assert.equal(fault(inner.receive(Uint8Array.of(0))), `too_large ${peer}`)
    }
  })

  test('a failure stays what it is, however much lies behind it', () => {
    const inner = new InnerExchange(speaker({ expect: ['a'], say: [] }), 'client')
    assert.equal(fault(inner.receive(new Uint8Array(INNER_OCTETS_MAX + 1))), 'auth_rejected client 6e6f')
  })
})
