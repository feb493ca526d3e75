/** What the vectors of methods and extensions leave open: limits, repeated keys, frames that cannot be made, comparisons. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { Destination } from '../../src/address.ts'
import type { Decoded, Malformed } from '../../src/decoded.ts'
import { concat, uint32 } from '../../src/octets.ts'
import { utf8Octets } from '../../src/text.ts'
import { encodeGostUdpFrame } from '../../src/wire/gost-udp-frame.ts'
import * as gssapi from '../../src/wire/gssapi-frame.ts'
import { encodeHevUdpFrame } from '../../src/wire/hev-udp-frame.ts'
import * as ident from '../../src/wire/ident.ts'
import { decodeJsonBlock } from '../../src/wire/json-block.ts'
import * as maf from '../../src/wire/maf-message.ts'
import * as uot from '../../src/wire/uot.ts'
import { mockGssapi } from './mock-gssapi.ts'

suite('what the vectors leave open', () => {
  test('a key that stands twice is refused, however it is escaped; deeper ones and values may repeat', () => {
    assert.equal(codeOf(block('{"a":1,"a":2}')), 'bad_parameters')
    assert.equal(codeOf(block('{"a":1,"\\u0061" : 2}')), 'bad_parameters')
    assert.equal(codeOf(block('{"\\"":1,"x":[{"k":1}],"\\"":2}')), 'bad_parameters')
    assert.equal(block('{"a":{"k":1,"l":"}"},"b":{"k":"a"},"c":"a"}').kind, 'whole')
  })

  test('a block of the largest size is taken, and one octet more is refused before it arrives', () => {
    assert.equal(decodeJsonBlock(Uint8Array.of(0, 1, 0, 0)).kind, 'need-more')
    assert.equal(codeOf(decodeJsonBlock(Uint8Array.of(0, 1, 0, 1))), 'too_large')
  })

  test('confidentiality does not take a message that is only signed', () => {
    const token = mockGssapi.wrap(Uint8Array.of(1), false)
    assert.equal(codeOf(gssapi.decodeUserData(token, gssapi.GSSAPI_LEVEL.confidentiality, mockGssapi)), 'unwrap_failed')
    assert.equal(gssapi.decodeUserData(token, gssapi.GSSAPI_LEVEL.selective, mockGssapi).kind, 'whole')
  })

  test('a GSSAPI datagram is one frame and nothing more', () => {
    const datagram = gssapi.encodeGssapiDatagram(Uint8Array.of(1, 2), true, mockGssapi)
    assert.ok(datagram !== undefined)
    const level = gssapi.GSSAPI_LEVEL.confidentiality
    assert.equal(gssapi.decodeGssapiDatagram(datagram, level, mockGssapi).kind, 'whole')
    assert.equal(codeOf(gssapi.decodeGssapiDatagram(datagram.subarray(0, 5), level, mockGssapi)), 'truncated')
    assert.equal(codeOf(gssapi.decodeGssapiDatagram(concat([datagram, datagram]), level, mockGssapi)), 'bad_length')
    assert.equal(gssapi.encodeGssapiDatagram(new Uint8Array(65_534), true, mockGssapi), undefined)
  })

  test('a Can Do that never ends is refused at its limit', () => {
    const group = concat([Uint8Array.of(255, 16), new Uint8Array(255 * 16)])
    const octets = concat([Uint8Array.of(1, 1, 0, 0), group, group, group, group, group])
    assert.equal(codeOf(maf.decodeMafMessage(octets)), 'too_large')
  })

  test('frames that cannot hold a name or data are not made', () => {
    const data = Uint8Array.of(1)
    assert.ok(encodeHevUdpFrame({ destination: named('a'.repeat(248)), data }) !== undefined)
    assert.equal(encodeHevUdpFrame({ destination: named('a'.repeat(249)), data }), undefined)
    assert.equal(encodeGostUdpFrame({ destination: named('a'), data: new Uint8Array(0) }), undefined)
    assert.equal(uot.encodeUotData(new Uint8Array(65_536)), undefined)
  })

  test('ident compares with and without one blank, and never takes an error for a name', () => {
    const bob = utf8Octets('bob')
    assert.ok(ident.identNames(reply('1,2:USERID:UNIX: bob\r\n'), bob))
    assert.ok(ident.identNames(reply('1,2:USERID:UNIX:bob\r\n'), bob))
    assert.ok(!ident.identNames(reply('1,2:USERID:UNIX:  bob\r\n'), bob))
    assert.ok(!ident.identNames(reply('1,2:USERID:UNIX:Bob\r\n'), bob))
    assert.ok(!ident.identNames(reply('1,2:ERROR:NO-USER\r\n'), bob))
  })

  test('the magic names of UDP over TCP are known in any case and with a final dot', () => {
    assert.equal(uot.uotVersion('SP.udp-over-tcp.arpa.'), 1)
    assert.equal(uot.uotVersion('sp.v2.udp-over-tcp.arpa'), 2)
    assert.equal(uot.uotVersion('udp-over-tcp.arpa'), undefined)
  })
})

function codeOf(decoded: Decoded<unknown> | Malformed): string | undefined {
  return decoded.kind === 'malformed' ? decoded.failure.code : undefined
}

function block(text: string): Decoded<unknown> {
  const octets = utf8Octets(text)
  return decodeJsonBlock(concat([Uint8Array.from(uint32(octets.length)), octets]))
}

function named(name: string): Destination {
  return { address: { type: 'domain', name }, port: 53 }
}

function reply(text: string): ident.IdentReply {
  const decoded = ident.decodeIdentReply(utf8Octets(text))
  assert.ok(decoded.kind === 'whole')
  return decoded.value
}
