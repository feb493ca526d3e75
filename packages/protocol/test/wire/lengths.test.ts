/** The frames of the extensions at the edges of their lengths, and whose fault a malformed one is. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import {
  type Decoded,
  decodeEapFrame,
  decodeHevUdpFrame,
  decodeIdentQuery,
  decodeIdentReply,
  decodeSocks6UdpMessage,
  encodeGostUdpFrame,
  encodeHevUdpFrame,
  encodeSocks6Options,
  encodeSocks6UdpMessage,
  encodeUotData,
  latin1Octets,
  parseIp,
  type Destination,
} from '@socksmith/protocol'
import { octetsOf } from '../vectors.ts'

const ID = '0102030405060708'
const IPV4 = '01 00 0050 c0000201'
const address = parseIp('192.0.2.1')
assert.ok(address)
const destination: Destination = { address, port: 80 }
const associationId = octetsOf(ID)

function told(decoded: Decoded<unknown>): string {
  if (decoded.kind === 'whole') return `whole ${decoded.consumed}`
  return decoded.kind === 'malformed' ? `${decoded.failure.code} ${decoded.failure.blame}` : decoded.kind
}

function plain(hex: string): Uint8Array {
  return octetsOf(hex.replaceAll(' ', ''))
}

/** A message of SOCKS6 with this type and body, and the length that it says or should say. */
function socks6(type: string, body: string, length = 12 + plain(body).length): Uint8Array {
  return plain(`06 ${type} ${length.toString(16).padStart(4, '0')} ${ID} ${body}`)
}

function lengthWith(data: number): number {
  return encodeSocks6UdpMessage({ type: 'datagram', associationId, destination, data: new Uint8Array(data) }).length
}

suite('UDP messages of SOCKS6', () => {
  test('begin and confirmation have no body, a datagram has an address and any data', () => {
    assert.equal(told(decodeSocks6UdpMessage(socks6('01', ''))), 'whole 12')
    assert.equal(told(decodeSocks6UdpMessage(socks6('02', ''))), 'whole 12')
    assert.equal(told(decodeSocks6UdpMessage(socks6('03', IPV4))), 'whole 20')
    assert.equal(told(decodeSocks6UdpMessage(socks6('03', `${IPV4} 61`))), 'whole 21')
    assert.equal(told(decodeSocks6UdpMessage(socks6('04', `${IPV4} 01 03 0000 c0000202`))), 'whole 28')
  })

  test('versions, types and lengths that are none are refused as soon as they are seen', () => {
    for (const [octets, expected] of [
      ['05', 'bad_version client'],
      ['0600', 'bad_message_type client'],
      ['0605', 'bad_message_type client'],
      ['0601000b', 'bad_length client'],
      ['0601000d', 'bad_length client'],
      ['0602000d', 'bad_length client'],
      ['0603000b', 'bad_length client'],
      ['', 'need-more'],
      ['06', 'need-more'],
      ['0603', 'need-more'],
      ['060300', 'need-more'],
    ] as const)
      assert.equal(told(decodeSocks6UdpMessage(plain(octets))), expected, octets)
  })

  test('a message whose end cuts its addresses is malformed, not waited for', () => {
    for (const octets of [
      socks6('03', ''),
      socks6('03', '01 00 00'),
      socks6('03', '01 00 0050'),
      socks6('03', '01 00 0050 c00002'),
      socks6('04', IPV4),
      socks6('04', `${IPV4} 01 03 00`),
      socks6('04', `${IPV4} 01 03 0000`),
      socks6('04', `${IPV4} 01 03 0000 c00002`),
    ])
      assert.equal(told(decodeSocks6UdpMessage(octets)), 'bad_length client')
    assert.equal(told(decodeSocks6UdpMessage(socks6('03', `09 00 0050 c0000201`))), 'bad_atyp client')
    assert.equal(told(decodeSocks6UdpMessage(socks6('04', `${IPV4} 09 03 0000 c0000202`))), 'bad_atyp client')
  })

  test('a datagram that lacks octets will not get them', () => {
    const options = { transport: 'datagram', sender: 'server' } as const
    const whole = socks6('03', `${IPV4} 61`)
    assert.equal(told(decodeSocks6UdpMessage(whole, options)), 'whole 21')
    assert.equal(told(decodeSocks6UdpMessage(whole.slice(0, 11), options)), 'truncated server')
    assert.equal(told(decodeSocks6UdpMessage(whole.slice(0, 12), options)), 'bad_length server')
    assert.equal(told(decodeSocks6UdpMessage(whole.slice(0, 20), options)), 'bad_length server')
    assert.equal(told(decodeSocks6UdpMessage(whole.slice(0, 20))), 'need-more')
  })

  test('a message holds what its length can say', () => {
    assert.equal(lengthWith(65_515), 65_535)
    assert.throws(() => lengthWith(65_516), RangeError)
  })
})

suite('UDP over streams', () => {
  test('the length of the header of hev is that of its address, and not less than the smallest', () => {
    const frame = (header: string): string => told(decodeHevUdpFrame(plain(`0001 ${header} 61`)))
    assert.equal(frame('0a 01 c0000201 0050'), 'whole 11')
    assert.equal(frame('09 01 c0000201 0050'), 'bad_length client')
    assert.equal(frame('0b 01 c0000201 0050'), 'bad_length client')
    assert.equal(told(decodeHevUdpFrame(plain('0001 04'))), 'bad_length client')
    assert.equal(told(decodeHevUdpFrame(plain('0001 05'))), 'need-more')
    assert.equal(told(decodeHevUdpFrame(plain('0001 04'), { sender: 'server' })), 'bad_length server')
    assert.equal(told(decodeHevUdpFrame(plain('0001 0a 09'), { sender: 'server' })), 'bad_atyp server')
  })

  test('frames take 65,535 octets and not one more', () => {
    for (const encode of [
      (data: Uint8Array) => encodeHevUdpFrame({ destination, data }),
      (data: Uint8Array) => encodeGostUdpFrame({ destination, data }),
      encodeUotData,
    ]) {
      assert.notEqual(encode(new Uint8Array(65_535)), undefined)
      assert.equal(encode(new Uint8Array(65_536)), undefined)
    }
  })
})

test('a frame of EAP has its version, and ends where its length says', () => {
  assert.equal(told(decodeEapFrame(plain('01 02 03 0000'))), 'whole 5')
  assert.equal(told(decodeEapFrame(plain('01 02 03 0002 6162 63'))), 'whole 7')
  for (const hex of ['', '01', '01 02 03 00', '01 02 03 0001'])
    assert.equal(told(decodeEapFrame(plain(hex))), 'need-more')
  assert.equal(told(decodeEapFrame(plain('02'))), 'bad_version client')
  assert.equal(told(decodeEapFrame(plain('02'), { sender: 'server' })), 'bad_version server')
})

function option(length: number): { readonly kind: number; readonly data: Uint8Array } {
  return { kind: 1, data: new Uint8Array(length) }
}

test('options of SOCKS6 take 20,480 octets in steps of four, and not more', () => {
  assert.equal(encodeSocks6Options([option(20_476)]).length, 20_480)
  assert.throws(() => encodeSocks6Options([option(20_476), option(0)]), RangeError)
  assert.throws(() => encodeSocks6Options([option(3)]), RangeError)
})

test('a malformed query of ident is the fault of the server that asks, a malformed reply of the host that answers', () => {
  for (const text of ['x\r\n', '0, 1\r\n', '\0', 'a'.repeat(1_001)])
    assert.match(told(decodeIdentQuery(latin1Octets(text))), / server$/u, text.slice(0, 5))
  const asked = { portOnIdentHost: 1, portOnQuerier: 2 }
  for (const text of [
    'x\r\n',
    '\0',
    '1,1:USERID:U:a\r\n',
    '1,2:USERID:U:\r\n',
    `1,2:USERID:U:${'a'.repeat(513)}\r\n`,
    '1,2:ERROR:NONE\r\n',
    '1,2:WHAT:x\r\n',
  ])
    assert.match(told(decodeIdentReply(latin1Octets(text), { asked })), / client$/u, text.slice(0, 12))
})
