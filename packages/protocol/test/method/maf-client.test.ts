/** The client's end of MAF against servers that do not keep to the order; good meetings are in `maf-server.test.ts`. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { mafClient } from '../../src/method/maf-client.ts'
import type { Exchange } from '../../src/method/exchange.ts'
import { MAF_MESSAGES_MAX } from '../../src/method/maf-terms.ts'
import { fault, feed, sentBy } from './exchange-steps.ts'
import { speaker } from './maf-speaker.ts'

const DO = '03010000 04 00000005'
const PROCESS = '05010000 04 00000005 000000 00000002 6f6b'
const SUCCESS = '00000000 04 00000000'
const CAN_DO = '0101000001040000000500'

function begun(): Exchange {
  const id = Uint8Array.of(0, 0, 0, 5)
  return mafClient([{ id, begin: () => speaker({ first: 'abc', expect: ['ok'], say: [] }) }]).begin()
}

suite('MAF at the client', () => {
  test('says what it can do, in groups by the length of the ids', () => {
    assert.equal(sentBy(begun().begin?.() ?? { kind: 'need-more' }), CAN_DO)
    const methods = [new Uint8Array(16), ...Array.from({ length: 256 }, () => new Uint8Array(4))]
    const many = mafClient(methods.map(id => ({ id, begin: () => speaker({ expect: [], say: [] }) }))).begin()
    assert.match(sentBy(many.begin?.() ?? { kind: 'need-more' }), /^01010000ff04(00){1020}0104(00){4}0110(00){16}00$/)
  })

  test('has no more ids, and says all of them again when asked to start over', () => {
    const exchange = begun()
    assert.equal(sentBy(feed(exchange, '02010000')), '0101000000')
    assert.equal(sentBy(feed(exchange, '02010001')), CAN_DO)
  })

  test('starts over too when it has asked what is next', () => {
    const exchange = begun()
    feed(exchange, DO)
    feed(exchange, PROCESS)
    assert.equal(sentBy(feed(exchange, '02010001')), CAN_DO)
  })

  test('answers every OEM message, whatever runs', () => {
    const answer = '0701000000000004ffffffff00000000'
    const exchange = begun()
    for (const message of [DO, PROCESS, SUCCESS]) {
      assert.equal(sentBy(feed(exchange, '07010000 000000 04 00000001 00000001 aa')), answer)
      feed(exchange, message)
    }
    assert.equal(feed(exchange, '06010000').kind, 'done')
  })

  test('blames the server for more octets than any method has', () => {
    const id = Uint8Array.of(0, 0, 0, 5)
    const exchange = mafClient([{ id, begin: () => ({ read: () => ({ kind: 'need-more' }) }) }]).begin()
    feed(exchange, DO)
    const part = `05010000 04 00000005 000000 0000ffff ${'00'.repeat(65_535)}`
    assert.deepEqual(
      [part, part].map(hex => feed(exchange, hex).kind),
      ['continue', 'continue'],
    )
    assert.equal(fault(feed(exchange, part)), 'too_large server')
  })

  test('runs the method, asks what is next, and acknowledges success', () => {
    const exchange = begun()
    assert.equal(sentBy(feed(exchange, DO)), '05010000040000000500000000000003616263')
    assert.equal(sentBy(feed(exchange, PROCESS)), '04010000')
    assert.equal(sentBy(feed(exchange, SUCCESS)), '06010000')
    assert.equal(feed(exchange, '06010000').kind, 'done')
  })

  test('ends on Failure, on a method it did not offer, and on what is malformed or out of order', () => {
    const cases: readonly (readonly [string, ...string[]])[] = [
      ['auth_rejected', 'ff000000 04 ffffffff'],
      ['auth_rejected', DO, 'ff000000 04 ffffffff'],
      ['method_not_offered', '03010000 04 00000006'],
      ['bad_message_type', '08'],
      ['bad_version', '0301 0000'.replace('01', '02')],
      ['unexpected_message', SUCCESS],
      ['unexpected_message', DO, SUCCESS],
      ['unexpected_message', '06010000'],
      ['unexpected_message', DO, DO],
      ['unexpected_message', DO, '02010000'],
      ['unexpected_message', DO, PROCESS.replace('00000005', '00000006')],
      ['unexpected_message', DO, PROCESS, PROCESS],
      ['unexpected_message', DO, PROCESS, SUCCESS, SUCCESS],
      ['unexpected_message', '04010000'],
      ['unexpected_message', CAN_DO],
    ]
    for (const [code, ...messages] of cases) {
      const exchange = begun()
      const steps = messages.map(hex => feed(exchange, hex))
      assert.equal(fault(steps.at(-1) ?? { kind: 'need-more' }), `${code} server`, messages.join(' | '))
    }
  })

  test('tells the server when its own method fails, as far as that method says something', () => {
    const exchange = begun()
    feed(exchange, DO)
    const step = feed(exchange, PROCESS.replace('6f6b', '6e6f'))
    assert.equal(fault(step), 'auth_rejected client 050100000400000005000000000000026e6f')
  })

  test('does not listen for ever', () => {
    const exchange = begun()
    for (let i = 0; i < MAF_MESSAGES_MAX; i++) assert.equal(feed(exchange, '02010000').kind, 'continue')
    assert.equal(fault(feed(exchange, '02010000')), 'unexpected_message server')
  })
})
