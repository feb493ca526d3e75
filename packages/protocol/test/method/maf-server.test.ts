/** MAF at both ends over every split, and the server against clients that do not keep to the order. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { mafClient } from '../../src/method/maf-client.ts'
import { MAF_IDS_MAX, mafServer } from '../../src/method/maf-server.ts'
import { MAF_MESSAGES_MAX, type MafMethod } from '../../src/method/maf-terms.ts'
import { cramClient, cramServer } from '../../src/method/cram.ts'
import type { Claim, Verdict } from '../../src/method/exchange.ts'
import { gssapiClient, gssapiServer } from '../../src/method/gssapi.ts'
import { jsonClient, jsonServer } from '../../src/method/json.ts'
import { userPasswordClient, userPasswordServer } from '../../src/method/user-password.ts'
import { utf8Octets } from '../../src/text.ts'
import { fault, feed, sentBy } from './exchange-steps.ts'
import { speaker } from './maf-speaker.ts'
import { assertEstablished, meetEverywhere } from './meeting.ts'
import { mockAcceptor, mockInitiator } from './mock-mechanism.ts'

const compact = (last: number): Uint8Array => Uint8Array.of(0, 0, 0, last)
const uuid = new Uint8Array(16).fill(7)
const REFUSAL = 'ff00000004ffffffff'

const accepts: MafMethod = { id: compact(5), begin: () => speaker({ expect: ['abc'], say: ['ok'] }) }
const says: MafMethod = { id: compact(5), begin: () => speaker({ first: 'abc', expect: ['ok'], say: [] }) }
const password = (value: string): MafMethod => ({
  id: uuid,
  begin: () => userPasswordClient({ username: utf8Octets('bob'), password: utf8Octets(value) }).begin(),
})
const passwords: MafMethod = { id: uuid, begin: () => userPasswordServer.begin() }

function judge(claim: Claim): Verdict {
  const bob = { kind: 'accepted', user: 'bob' } as const
  if (claim.kind === 'response') return claim.response ? bob : { kind: 'challenge', text: utf8Octets('?') }
  return claim.kind === 'password' && claim.password.length === 6 ? bob : { kind: 'rejected' }
}

const begun = () => mafServer({ groups: [[accepts]] }).begin()
const passwordServer = () => mafServer({ groups: [[passwords]] })

suite('MAF at both ends', () => {
  test('one method, either of two, and two in turn, at every split', () => {
    const groups = [[[accepts]], [[passwords, accepts]], [[accepts], [passwords]]]
    for (const each of groups) {
      const meeting = { server: () => mafServer({ groups: each }), client: () => mafClient([says, password('secret')]) }
      meetEverywhere({ ...meeting, judge }, outcome => {
        assertEstablished(outcome)
        assert.equal(outcome.user, each.flat().includes(passwords) ? 'bob' : undefined)
      })
    }
  })

  test('a person is prompted inside the framework, and a protection inside it holds', () => {
    const outer: MafMethod[] = [
      { id: compact(6), begin: () => cramServer.begin() },
      { id: compact(7), begin: () => gssapiServer({ mechanism: mockAcceptor }).begin() },
    ]
    const client = () =>
      mafClient([
        { id: compact(6), begin: () => cramClient({ username: utf8Octets('bob') }).begin() },
        { id: compact(7), begin: () => gssapiClient({ mechanism: mockInitiator }).begin() },
      ])
    const server = () => mafServer({ groups: outer.map(method => [method]) })
    meetEverywhere({ server, client, judge, respond: () => '!' }, outcome => {
      assertEstablished(outcome)
      assert.ok(outcome.server.protection)
      assert.equal(outcome.user, 'bob@EXAMPLE.COM')
    })
  })

  test('parameters of one method stay, whatever the next one brings', () => {
    const jsonId = compact(8)
    const parameters = { cert: 'a' }
    const server = () => mafServer({ groups: [[{ id: jsonId, begin: () => jsonServer().begin() }], [passwords]] })
    const client = () => mafClient([{ id: jsonId, begin: () => jsonClient(parameters).begin() }, password('secret')])
    meetEverywhere({ server, client, judge }, outcome => {
      assertEstablished(outcome)
      assert.deepEqual(outcome.server.parameters, parameters)
      assert.equal(outcome.user, 'bob')
    })
  })

  test('the failure of a method is the end', () => {
    meetEverywhere({ server: passwordServer, client: () => mafClient([password('bad')]), judge }, outcome => {
      assert.deepEqual([outcome.serverEnd, outcome.clientEnd], ['auth_rejected', 'auth_rejected'])
      assert.ok(outcome.down.endsWith(REFUSAL))
    })
    meetEverywhere({ server: passwordServer, client: () => mafClient([says]), judge }, outcome => {
      assert.deepEqual([outcome.serverEnd, outcome.clientEnd], ['no_acceptable_methods', 'auth_rejected'])
    })
  })
})

suite('MAF at the server', () => {
  const CAN_DO = '01010000 0104 00000005 00'
  const PROCESS = '05010000 04 00000005 000000 00000003 616263'

  test('asks for more ids while the client says that there are some', () => {
    const exchange = begun()
    assert.equal(sentBy(feed(exchange, '01010000 0204 00000002 00000009 00')), '02010000')
    assert.equal(sentBy(feed(exchange, CAN_DO)), '030100000400000005')
    const other = begun()
    feed(other, '01010000 0104 00000002 00')
    assert.equal(fault(feed(other, '01010000 0104 00000009 00')), `no_acceptable_methods client ${REFUSAL}`)
  })

  test('answers Failure to what is malformed or out of order', () => {
    const cases: readonly (readonly [string, ...string[]])[] = [
      ['bad_message_type', '08'],
      ['bad_version', '0100'],
      ['bad_length', '01010000 0105'],
      ['unexpected_message', '04010000'],
      ['unexpected_message', '06010000'],
      ['unexpected_message', PROCESS],
      ['unexpected_message', CAN_DO, CAN_DO],
      ['unexpected_message', CAN_DO, '04010000'],
      ['unexpected_message', CAN_DO, PROCESS.replace('00000005', '00000006')],
      ['unexpected_message', CAN_DO, PROCESS, PROCESS],
      ['unexpected_message', CAN_DO, PROCESS, '06010000'],
      ['unexpected_message', CAN_DO, PROCESS, '04010000', '04010000'],
    ]
    for (const [code, ...messages] of cases) {
      const exchange = begun()
      const steps = messages.map(hex => feed(exchange, hex))
      assert.equal(fault(steps.at(-1) ?? { kind: 'need-more' }), `${code} client ${REFUSAL}`, messages.join(' | '))
    }
  })

  test('answers every OEM message with one, but not an answer', () => {
    const exchange = begun()
    const answer = '070100000000000 4ffffffff00000000'.replace(' ', '')
    assert.equal(sentBy(feed(exchange, '07010000 000000 04 00000001 00000001 aa')), answer)
    assert.equal(sentBy(feed(exchange, answer)), '')
    assert.equal(sentBy(feed(exchange, CAN_DO)), '030100000400000005')
  })

  test('keeps a bounded list of ids and takes a bounded number of messages', () => {
    const many = `01010000 ${`ff04${'00000009'.repeat(254)}00000002`.repeat(4)} 00`
    const exchange = begun()
    assert.equal(sentBy(feed(exchange, many)), '02010000')
    assert.ok(8 * 254 > MAF_IDS_MAX)
    const full = `01010000 ${`ff04${'00000009'.repeat(255)}`.repeat(4)} 0404${'00000009'.repeat(3)}00000005 00`
    assert.equal(4 * 255 + 4, MAF_IDS_MAX)
    assert.equal(sentBy(feed(begun(), full)), '030100000400000005')
    assert.equal(fault(feed(exchange, many)), `too_large client ${REFUSAL}`)
    const talked = begun()
    const oem = '07010000 000000 04 00000001 00000000'
    for (let i = 0; i < MAF_MESSAGES_MAX; i++) assert.equal(feed(talked, oem).kind, 'continue')
    assert.equal(fault(feed(talked, oem)), `unexpected_message client ${REFUSAL}`)
  })

  test('blames the client for more octets than any method has', () => {
    const exchange = mafServer({
      groups: [[{ id: compact(5), begin: () => ({ read: () => ({ kind: 'need-more' }) }) }]],
    }).begin()
    feed(exchange, CAN_DO)
    const part = `05010000 04 00000005 000000 0000ffff ${'00'.repeat(65_535)}`
    assert.deepEqual(
      [part, part].map(hex => feed(exchange, hex).kind),
      ['continue', 'continue'],
    )
    assert.equal(fault(feed(exchange, part)), `too_large client ${REFUSAL}`)
  })

  test('without a method to succeed in, everybody would: that is a bug of the caller', () => {
    assert.throws(() => mafServer({ groups: [] }).begin(), RangeError)
  })
})
