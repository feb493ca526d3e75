/** User names that carry parameters. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseTemplate, splitLogin } from '../../src/users/login-template.ts'
import { filled, placesOf } from '../../src/ways/proxy-login.ts'

const TEMPLATE = parseTemplate('{user}-session-{session}-country-{country}') ?? []

function split(name: string, ...users: readonly string[]): ReturnType<typeof splitLogin> {
  return splitLogin(name, TEMPLATE, one => users.includes(one))
}

test('each part may be there or not, in any order, at most once', () => {
  assert.deepEqual(split('alice-session-7'), { user: 'alice', parameters: { session: '7' } })
  const both = { user: 'alice', parameters: { session: '7', country: 'de' } }
  assert.deepEqual(split('alice-session-7-country-de'), both)
  assert.deepEqual(split('alice-country-de-session-7'), both)
  assert.deepEqual(split('alice-session-1-session-2'), { user: 'alice-session-1', parameters: { session: '2' } })
  for (const name of [
    'alice',
    '-session-7',
    'alice-session-',
    `alice-session-${'7'.repeat(65)}`,
    'alice-session-a/b',
  ]) {
    assert.equal(split(name), undefined, name)
  }
})

test('a name that is a user as a whole carries nothing', () => {
  assert.equal(split('alice-session-7', 'alice', 'alice-session-7'), undefined)
  assert.deepEqual(split('bob-session-1-session-2', 'bob-session-1')?.user, 'bob-session-1')
})

test('a template is the user and behind it parts that can be told apart', () => {
  for (const text of [
    '{user}',
    'x{user}-session-{session}',
    '{user}session{session}',
    '{user}-a-{a}-a-{b}',
    '{user}-a-{a}-b-{a}',
    '{user}-user-{user}',
    '{user}-client-{client}',
    '{user}-a-{A}',
    '{user}{session}',
  ]) {
    assert.equal(parseTemplate(text), undefined, text)
  }
})

test('the user name of a proxy is filled with what is safe, and with nothing else', () => {
  const template = 'customer-{user}[-country-{country}][-session-{session}]'
  assert.equal(filled(template, { user: 'ann', session: '7' }), 'customer-ann-session-7')
  assert.equal(filled('x-{client}', { client: '2001:db8::7' }), 'x-2001.db8..7')
  assert.throws(() => filled(template, {}))
  for (const user of ['ann-country-us', 'a:b', 'a@b', '', 'é', 'x'.repeat(65)]) {
    assert.throws(() => filled(template, { user }), user)
  }
  assert.deepEqual(placesOf('socks5h://c-{user}[-s-{session}]:pw@x.example'), ['user', 'session'])
})
