/** Names and passwords of every length and octet, and the strict reading. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeUserPasswordReply, decodeUserPasswordRequest, encodeUserPasswordRequest } from '@socksmith/protocol'
import { userPasswordClient } from '../../src/method/user-password.ts'
import { latin1Octets } from '../../src/text.ts'
import { octetsOf } from '../vectors.ts'

test('a NUL, a long and an empty field are kept as they are', () => {
  for (const [username, password] of [
    ['bob\0', 'secret'],
    ['bob', 'secret\0'],
    ['', ''],
    ['a'.repeat(255), 'b'.repeat(255)],
  ] as const) {
    const request = { username: latin1Octets(username), password: latin1Octets(password) }
    const decoded = decodeUserPasswordRequest(encodeUserPasswordRequest(request))
    assert.ok(decoded.kind === 'whole')
    assert.deepEqual(decoded.value, request)
    assert.equal(decoded.consumed, 3 + username.length + password.length)
  }
})

const requestIn = (hex: string, strict: boolean): string => {
  const decoded = decodeUserPasswordRequest(octetsOf(hex), { strict })
  return decoded.kind === 'malformed' ? decoded.failure.code : decoded.kind
}

test('an empty field is malformed only where that is wanted, whichever it is', () => {
  for (const hex of ['01000161', '01016100', '010000']) {
    assert.equal(requestIn(hex, true), 'bad_length', hex)
    assert.equal(requestIn(hex, false), 'whole', hex)
  }
  assert.equal(requestIn('0101610161', true), 'whole')
})

const replyIn = (hex: string, strict: boolean): string => decodeUserPasswordReply(octetsOf(hex), { strict }).kind

const readByClient = (hex: string): string =>
  userPasswordClient({ username: latin1Octets('a'), password: latin1Octets('b') })
    .begin()
    .read(octetsOf(hex)).kind

test('a reply of another version counts by its status, unless that is not wanted', () => {
  assert.deepEqual(
    [replyIn('0500', false), replyIn('0500', true), replyIn('0100', true)],
    ['whole', 'malformed', 'whole'],
  )
  assert.deepEqual(
    [replyIn('', false), replyIn('01', false), replyIn('', true)],
    ['need-more', 'need-more', 'need-more'],
  )
  assert.deepEqual(['0100', '0500', '0101', '01ff', '01', ''].map(readByClient), [
    'done',
    'done',
    'failed',
    'failed',
    'need-more',
    'need-more',
  ])
})
