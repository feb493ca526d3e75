/** Addresses and their texts against what Node makes of them, and the forms in which the same address comes. */
import assert from 'node:assert/strict'
import { isIP } from 'node:net'
import { test } from 'node:test'
import * as fc from 'fast-check'
import {
  ANY_IPV4,
  ANY_IPV6,
  type Address,
  type IpAddress,
  NO_ENDPOINT,
  formatAddress,
  formatDestination,
  isUnspecified,
  parseIp,
  parseIpv4,
  parseIpv6,
  plainAddress,
  sameAddress,
  unmapped,
} from '@socksmith/protocol'

function ip(text: string): IpAddress {
  return parseIp(text) ?? assert.fail(text)
}

const named = (name: string): Address => ({ type: 'domain', name })

const NO_IPV4 = [
  '. 1 1.2.3 1.2.3. .1.2.3 1..2.3 1.2.3.4. 1.2.3.4.5 1.2.3.4.5.6 256.0.0.0 0.0.0.256 0.0.0.1000 01.0.0.0 0.0.0.00',
  '0.0.0.01 0x7f.0.0.1 127.1 1.2.3./ 1.2.3.: 1.2.3.a -1.2.3.4 \u0661.2.3.4',
].flatMap(line => line.split(' '))

test('a dotted quad is four decimal numbers up to 255 without a zero in front', () => {
  for (const text of ['0.0.0.0', '255.255.255.255', '1.22.133.0', '10.0.0.1', '249.99.100.9'])
    assert.deepEqual([...(parseIpv4(text)?.octets ?? [])], text.split('.').map(Number), text)
  for (const text of [...NO_IPV4, '', '1.2.3.4 ', ' 1.2.3.4', '1.2.3.4\n'])
    assert.equal(parseIpv4(text), undefined, text)
})

const IPV6_TEXTS = [
  ':: ::1 1:: 1:2:3:4:5:6:7:8 1:2:3:4:5:6:7:: ::2:3:4:5:6:7:8 1:2:3::5:6:7:8 ABCD:ef::0 00a:0b::0c',
  '::1.2.3.4 ::ffff:255.254.253.252 1:2:3:4:5:6:1.2.3.4 1::4:5:6:1.2.3.4 1:2:3:4:5::1.2.3.4',
  '0:0:1:0:0:0:1:0 1:0:0:2:0:0:3:4 1:0:2:3:4:5:6:7 0:1:0:0:0:0:0:0 0:0:1:2:3:4:5:0',
].flatMap(line => line.split(' '))

test('an IPv6 address is what it is for a URL, and is written as there (RFC 5952)', () => {
  for (const text of IPV6_TEXTS) {
    const written = `[${formatAddress(ip(text))}]`
    assert.equal(written, new URL(`http://[${text}]`).hostname, text)
    assert.deepEqual(parseIpv6(written.slice(1, -1)), ip(text))
  }
})

const NO_IPV6 = [
  ': ::: 1 1:2:3:4:5:6:7 1:2:3:4:5:6:7:8:9 1:2:3:4:5:6:7:8:: ::1:2:3:4:5:6:7:8 1:2:3:4::5:6:7:8 1::2::3 1: :1',
  '1:2:3:4:5:6:7: :2:3:4:5:6:7:8 12345:: ::12345 g:: 1.2.3.4:: 1.2.3.4:1:: ::1.2.3.4:1 ::1.2.3 ::1.2.3.4.5 ::01.2.3.4',
  '1:2:3:4:5:6:7:1.2.3.4 1:2:3:4:5:1.2.3.4 1:2:3:4:5:6::1.2.3.4 fe80::1%eth0 [::1] ::-1 ::+1',
].flatMap(line => line.split(' '))

test('what is no IPv6 address is refused', () => {
  for (const text of [...NO_IPV6, '', '::1 ', ' ::1', '::1\n']) {
    assert.equal(parseIpv6(text), undefined, text)
    assert.equal(parseIp(text), undefined, text)
  }
})

test('texts near an address are one exactly when they are one for Node, and then are told back', () => {
  const piece = fc.constantFrom(
    '0',
    '1',
    '00',
    '9',
    '25',
    '255',
    '256',
    'a',
    'ffff',
    '10000',
    '.',
    '.',
    ':',
    '::',
    '1.2',
  )
  fc.assert(
    fc.property(fc.array(piece, { minLength: 1, maxLength: 16 }), pieces => {
      const text = pieces.join('')
      const address = parseIp(text)
      assert.equal(address?.type, { 0: undefined, 4: 'ipv4', 6: 'ipv6' }[isIP(text)], text)
      if (address !== undefined) assert.deepEqual(parseIp(formatAddress(address)), address)
    }),
    { numRuns: 2_000 },
  )
  const groups = fc.array(fc.oneof(fc.constant(0), fc.nat(0xffff)), { minLength: 8, maxLength: 8 })
  fc.assert(
    fc.property(groups, numbers => {
      const text = numbers.map(group => group.toString(16)).join(':')
      assert.equal(`[${formatAddress(ip(text))}]`, new URL(`http://[${text}]`).hostname)
    }),
    { numRuns: 500 },
  )
})

test('a destination has brackets where the colons would be mistaken', () => {
  const told = ['192.0.2.1', '2001:db8::1'].map(text => formatDestination({ address: ip(text), port: 80 }))
  assert.deepEqual(told, ['192.0.2.1:80', '[2001:db8::1]:80'])
  assert.equal(formatDestination({ address: named('host.example'), port: 0 }), 'host.example:0')
  assert.equal(formatDestination({ address: named('::1'), port: 1 }), '[::1]:1')
})

test('an address is the same only as one of its own type', () => {
  assert.ok(sameAddress(ip('192.0.2.1'), ip('192.0.2.1')))
  assert.ok(sameAddress(named('a.example'), named('a.example')))
  for (const [a, b] of [
    [ip('192.0.2.1'), ip('192.0.2.2')],
    [ip('0.0.0.0'), ip('::')],
    [ip('192.0.2.1'), named('192.0.2.1')],
    [named('a.example'), named('b.example')],
  ] as const) {
    assert.ok(!sameAddress(a, b))
    assert.ok(!sameAddress(b, a))
  }
})

test('only 0.0.0.0 and :: are unspecified', () => {
  assert.deepEqual([ANY_IPV4, ANY_IPV6], [ip('0.0.0.0'), ip('::')])
  assert.deepEqual(NO_ENDPOINT, { address: ip('0.0.0.0'), port: 0 })
  for (const address of [ANY_IPV4, ANY_IPV6]) assert.ok(isUnspecified(address))
  for (const address of [ip('0.0.0.1'), ip('1.0.0.0'), ip('::1'), ip('1::'), named('0.0.0.0'), named('')])
    assert.ok(!isUnspecified(address))
})

test('IPv4-mapped addresses are the IPv4 address, and those that differ in one octet are not', () => {
  const mapped = ip('::ffff:192.0.2.1')
  assert.deepEqual(unmapped(mapped), ip('192.0.2.1'))
  assert.deepEqual(unmapped(ip('::ffff:0:0')), ip('0.0.0.0'))
  for (let at = 0; at < 12; at++) {
    const octets = mapped.octets.slice()
    octets[at] = (octets[at] ?? 0) ^ 1
    const other: IpAddress = { type: 'ipv6', octets }
    assert.equal(unmapped(other), other)
  }
  const plain = ip('192.0.2.1')
  assert.equal(unmapped(plain), plain)
})

test('a name that is the text of an address is that address', () => {
  assert.deepEqual(plainAddress(named('192.0.2.1')), ip('192.0.2.1'))
  assert.deepEqual(plainAddress(named('2001:db8::1')), ip('2001:db8::1'))
  assert.deepEqual(plainAddress(named('::ffff:192.0.2.1')), ip('192.0.2.1'))
  assert.deepEqual(plainAddress(ip('::ffff:192.0.2.1')), ip('192.0.2.1'))
  const [name, address] = [named('127.1'), ip('2001:db8::1')]
  assert.equal(plainAddress(name), name)
  assert.equal(plainAddress(address), address)
})
