import assert from 'node:assert/strict'
import { inspect } from 'node:util'
import { test } from 'node:test'
import {
  formatHash,
  hashPassword,
  parseHash,
  passwordFault,
  unknowableHash,
  verifyPassword,
} from '../../src/users/password.ts'
import { Secret } from '../../src/users/secret.ts'

test('a hash matches its own password after a way through text, and no other', async () => {
  const text = formatHash(await hashPassword(new Secret('pässword')))
  const hash = parseHash(text)
  assert.ok(hash)
  assert.equal(await verifyPassword(new Secret('pässword'), hash), true)
  assert.equal(await verifyPassword(new Secret('password'), hash), false)
  assert.equal(await verifyPassword(new Secret(''), unknowableHash()), false)
})

test('a hash of the reference implementation is understood', async () => {
  // From the argon2 command: echo -n password | argon2 somesalt -id -t 2 -m 16 -p 1
  const hash = parseHash('$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc')
  assert.ok(hash)
  assert.equal(await verifyPassword(new Secret('password'), hash), true)
})

test('other hashes, and a cost that could stop the server, are refused', () => {
  const tail = '$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc'
  for (const head of [
    '$argon2i$v=19$m=64,t=2,p=1',
    '$argon2id$v=16$m=64,t=2,p=1',
    '$argon2id$v=19$m=9999999,t=2,p=1',
    '$argon2id$v=19$m=64,t=99,p=1',
    '$argon2id$v=19$m=4,t=2,p=1',
    '$argon2id$v=19$m=64,t=0,p=1',
  ]) {
    assert.equal(parseHash(head + tail), undefined, head)
  }
  assert.equal(parseHash('$argon2id$v=19$m=64,t=2,p=1$c29tZXNhbHQ$AAAA'), undefined, 'a hash that can be guessed')
  assert.equal(parseHash('$2b$10$abcdefghijklmnopqrstuv'), undefined)
})

test('a password fits RFC 1929, and is not empty', () => {
  assert.match(passwordFault(new Secret('')) ?? '', /empty/)
  assert.equal(passwordFault(new Secret('x'.repeat(255))), undefined)
  assert.match(passwordFault(new Secret('ä'.repeat(128))) ?? '', /255 octets/)
})

test('a secret prints as stars, whatever prints it', () => {
  const secret = new Secret('hunter2')
  assert.equal(String(secret), '********')
  assert.equal(JSON.stringify({ secret }), '{"secret":"********"}')
  assert.equal(inspect(secret, { showHidden: true }), 'Secret {}')
})
