/** Where SOCKS4 and 4a part, and the limits of fields that have no length. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Socks4RequestOptions, decodeSocks4Request, formatDestination } from '@socksmith/protocol'
import { octetsOf } from '../vectors.ts'

function told(hex: string, options: Socks4RequestOptions = {}): string {
  const decoded = decodeSocks4Request(octetsOf(hex.replaceAll(' ', '')), options)
  if (decoded.kind === 'whole') return formatDestination(decoded.value.destination)
  return decoded.kind === 'malformed' ? decoded.failure.code : decoded.kind
}

const text = (length: number): string => '61'.repeat(length)

test('only 0.0.0.x with x not 0 stands for a name', () => {
  assert.equal(told('04 01 0050 00000001 00 782e7900'), 'x.y:80')
  assert.equal(told('04 01 0050 000000ff 00 782e7900'), 'x.y:80')
  assert.equal(told('04 01 0050 01000001 00'), '1.0.0.1:80')
  assert.equal(told('04 01 0050 00010001 00'), '0.1.0.1:80')
  assert.equal(told('04 01 0050 00000101 00'), '0.0.1.1:80')
  assert.equal(told('04 01 0050 00000000 00'), 'bad_address')
})

test('a user id and a name have an end, or a limit', () => {
  assert.equal(told(`04 01 0050 01020304 ${text(255)} 00`), '1.2.3.4:80')
  assert.equal(told(`04 01 0050 01020304 ${text(256)} 00`), 'userid_too_long')
  assert.equal(told(`04 01 0050 01020304 ${text(255)}`), 'need-more')
  assert.equal(told(`04 01 0050 01020304 ${text(256)}`), 'userid_too_long')
  assert.equal(told(`04 01 0050 01020304 ${text(70_000)}`), 'userid_too_long')
  assert.equal(told(`04 01 0050 00000001 00 ${text(255)}`), 'need-more')
  assert.equal(told(`04 01 0050 00000001 00 ${text(256)}`), 'name_too_long')
  assert.equal(told(`04 01 0050 00000001 00 ${text(70_000)}`), 'name_too_long')
  assert.equal(told('04 01 0050 00000001 00 00'), 'empty_name')
})

test('port 0 is for BIND, no address is for BIND by any peer, and RESOLVE needs neither', () => {
  assert.equal(told('04 01 0000 01020304 00'), 'port_zero')
  assert.equal(told('04 02 0000 01020304 00'), '1.2.3.4:0')
  assert.equal(told('04 02 0050 00000000 00'), 'bad_address')
  assert.equal(told('04 02 0050 00000000 00', { anyPeer: true }), '0.0.0.0:80')
  assert.equal(told('04 01 0050 00000000 00', { anyPeer: true }), 'bad_address')
  const resolve = { commands: [0xf0] }
  assert.equal(told('04 f0 0000 00000000 00', resolve), '0.0.0.0:0')
  assert.equal(told('04 01 0050 01020304 00', resolve), 'bad_command')
})
