/** The method negotiation of RFC 1928 section 3 inside another method, both ends against each other and alone. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { InnerExchange } from '../../src/method/inner-exchange.ts'
import { noneMethod } from '../../src/method/none.ts'
import { subauthenticationClient, subauthenticationServer } from '../../src/method/subauthentication.ts'
import { userPasswordClient, userPasswordServer } from '../../src/method/user-password.ts'
import { utf8Octets } from '../../src/text.ts'
import { fault, octetsOf, sentBy } from './exchange-steps.ts'
import { speaker } from './maf-speaker.ts'

const bob = userPasswordClient({ username: utf8Octets('bob'), password: utf8Octets('secret') })
const atServer = (hex: string): string => fault(subauthenticationServer([noneMethod]).read(octetsOf(hex)))
const atClient = (hex: string): string => fault(subauthenticationClient([bob]).read(octetsOf(hex)))

suite('the negotiation of RFC 1928 inside another method', () => {
  test('selects, and the selected method goes on', () => {
    const server = new InnerExchange(subauthenticationServer([userPasswordServer]), 'client')
    const client = new InnerExchange(subauthenticationClient([noneMethod, bob]), 'server')
    const greeting = client.begin()
    assert.equal(sentBy(greeting), '05020002')
    const selection = server.receive(octetsOf(sentBy(greeting)))
    assert.equal(sentBy(selection), '0502')
    const login = client.receive(octetsOf(sentBy(selection)))
    assert.equal(server.receive(octetsOf(sentBy(login))).kind, 'ask')
    const accepted = server.answer({ kind: 'accepted', user: 'bob' })
    assert.ok(accepted.kind === 'done' && accepted.user === 'bob')
    assert.equal(client.receive(octetsOf(sentBy(accepted))).kind, 'done')
  })

  test('a method without octets of its own is done at once', () => {
    const server = new InnerExchange(subauthenticationServer([noneMethod]), 'client')
    const step = server.receive(octetsOf('050100'))
    assert.equal(step.kind, 'done')
    assert.equal(sentBy(step), '0500')
  })

  test('waits for the rest of a greeting and of a selection', () => {
    assert.equal(atServer('0502'), 'need-more')
    assert.equal(atClient('05'), 'need-more')
  })

  test('a method that waits for the client reads what came with the greeting', () => {
    const waiting = { number: 0x80, begin: () => speaker({ expect: ['a'], say: ['b'] }) }
    const server = new InnerExchange(subauthenticationServer([waiting]), 'client')
    const step = server.receive(octetsOf('050180 61'))
    assert.equal(step.kind, 'done')
    assert.equal(sentBy(step), '058062')
  })

  test('ends where the two ends have nothing in common, or do not keep to the rules', () => {
    assert.equal(atServer('050102'), 'no_acceptable_methods client 05ff')
    assert.equal(atServer('0500'), 'empty_method_list client')
    assert.equal(atServer('04'), 'bad_version client')
    assert.equal(atClient('05ff'), 'no_acceptable_methods server')
    assert.equal(atClient('0500'), 'method_not_offered server')
    assert.equal(atClient('04'), 'bad_version server')
  })
})
