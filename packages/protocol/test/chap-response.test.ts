/** Responses of CHAP to the examples of RFC 2202 and by RFC 1994, and their comparison. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { chapResponse, latin1Octets, sameChapResponse, toHex } from '@socksmith/protocol'
import { chapHashes } from './method/chap-hashes.ts'

const secret = latin1Octets('Jefe')
const challenge = latin1Octets('what do ya want for nothing?')

test('HMAC-MD5 is that of RFC 2202, with the secret as key', () => {
  const response = chapResponse({ algorithm: 0x85, secret, challenge }, chapHashes)
  assert.equal(toHex(response ?? assert.fail()), '750c783e6ab0b503eaa86e310a5db738')
})

test('MD5 is taken over identifier, secret and challenge; the identifier is 0 when none is said', () => {
  const question = { algorithm: 0x05, secret, challenge }
  for (const [said, used] of [
    [{ identifier: 7 }, 7],
    [{}, 0],
  ] as const) {
    const md5 = createHash('md5').update(Uint8Array.of(used)).update(secret).update(challenge).digest('hex')
    assert.equal(toHex(chapResponse({ ...question, ...said }, chapHashes) ?? assert.fail()), md5)
  }
})

test('an algorithm that is not known has no response', () => {
  assert.equal(chapResponse({ algorithm: 0x06, secret, challenge }, chapHashes), undefined)
})

test('responses are the same only octet by octet, at their whole length', () => {
  const response = Uint8Array.of(1, 2, 3)
  assert.ok(sameChapResponse(response, Uint8Array.of(1, 2, 3)))
  for (const other of [[0, 2, 3], [1, 0, 3], [1, 2, 0], [1, 2], [1, 2, 3, 0], []])
    assert.ok(!sameChapResponse(response, Uint8Array.from(other)), other.join(' '))
  // Two octets that differ by the same bit do not cancel out.
  assert.ok(!sameChapResponse(response, Uint8Array.of(0, 3, 3)))
})
