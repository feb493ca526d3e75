/** User name and password (RFC 1929) at both ends, and each end against what it does not take. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { Claim, Verdict } from '../../src/method/exchange.ts'
import { userPasswordClient, userPasswordServer } from '../../src/method/user-password.ts'
import { latin1Text, utf8Octets } from '../../src/text.ts'
import { fault, feed, sentBy } from './exchange-steps.ts'
import { assertEstablished, meetEverywhere } from './meeting.ts'

const REJECTED = '0101'
const clientWith = (password: string) => () =>
  userPasswordClient({ username: utf8Octets('bob'), password: utf8Octets(password) })
const atServer = (hex: string): string => fault(feed(userPasswordServer.begin(), hex))
const atClient = (hex: string): string => fault(feed(clientWith('secret')().begin(), hex))

function judge(claim: Claim): Verdict {
  assert.ok(claim.kind === 'password')
  const isRight = latin1Text(claim.username) === 'bob' && latin1Text(claim.password) === 'secret'
  return isRight ? { kind: 'accepted', user: 'bob' } : { kind: 'rejected' }
}

suite('user name and password', () => {
  test('the right password is taken and any other refused, at every split', () => {
    meetEverywhere({ server: () => userPasswordServer, client: clientWith('secret'), judge }, outcome => {
      assertEstablished(outcome)
      assert.equal(outcome.user, 'bob')
    })
    for (const wrong of ['Secret', 'secre', 'secrets', '']) {
      meetEverywhere({ server: () => userPasswordServer, client: clientWith(wrong), judge }, outcome => {
        assert.deepEqual([outcome.serverEnd, outcome.clientEnd], ['auth_rejected', 'auth_rejected'])
      })
    }
  })

  test('the server answers what it does not take with STATUS 1, and so whatever is no acceptance', () => {
    assert.equal(atServer('05'), `bad_version client ${REJECTED}`)
    for (const verdict of [{ kind: 'rejected' }, { kind: 'challenge', text: utf8Octets('?') }] as const) {
      const exchange = userPasswordServer.begin()
      assert.equal(feed(exchange, '01 03 626f62 00').kind, 'ask')
      const step = exchange.answer?.(verdict) ?? { kind: 'need-more' }
      assert.equal(fault(step), `auth_rejected client ${REJECTED}`)
    }
  })

  test('the client goes on after STATUS 0 alone, whatever the version of the reply', () => {
    assert.equal(sentBy(clientWith('x')().begin().begin?.() ?? { kind: 'need-more' }), '0103626f620178')
    assert.deepEqual(['0100', '0500', '01'].map(atClient), ['done', 'done', 'need-more'])
    for (const hex of ['0101', '01ff', '0501']) assert.equal(atClient(hex), 'auth_rejected server')
  })
})
