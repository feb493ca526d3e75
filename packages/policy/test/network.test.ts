/** What lies inside, to the last address of each range, in every form in which it can be written. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type IpAddress, parseIp } from '@socksmith/protocol'
import {
  type Network,
  addressForms,
  containsNetwork,
  formatNetwork,
  isInside,
  parseNetwork,
  reachedNetwork,
} from '../src/network.ts'

function ip(text: string): IpAddress {
  const address = parseIp(text)
  assert.ok(address, text)
  return address
}

/** First and last address, and those beside them, which are outside unless another range begins there. */
const RANGES: readonly (readonly [before: string, first: string, last: string, after: string])[] = [
  ['', '0.0.0.0', '0.255.255.255', '1.0.0.0'],
  ['9.255.255.255', '10.0.0.0', '10.255.255.255', '11.0.0.0'],
  ['100.63.255.255', '100.64.0.0', '100.127.255.255', '100.128.0.0'],
  ['126.255.255.255', '127.0.0.0', '127.255.255.255', '128.0.0.0'],
  ['169.253.255.255', '169.254.0.0', '169.254.255.255', '169.255.0.0'],
  ['172.15.255.255', '172.16.0.0', '172.31.255.255', '172.32.0.0'],
  ['191.255.255.255', '192.0.0.0', '192.0.0.255', '192.0.1.0'],
  ['192.0.1.255', '192.0.2.0', '192.0.2.255', '192.0.3.0'],
  ['192.167.255.255', '192.168.0.0', '192.168.255.255', '192.169.0.0'],
  ['198.17.255.255', '198.18.0.0', '198.19.255.255', '198.20.0.0'],
  ['198.51.99.255', '198.51.100.0', '198.51.100.255', '198.51.101.0'],
  ['203.0.112.255', '203.0.113.0', '203.0.113.255', '203.0.114.0'],
  ['223.255.255.255', '224.0.0.0', '255.255.255.255', ''],
  ['', '::', '::1', ''],
  ['ff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', '100::', '100::ffff:ffff:ffff:ffff', '100:0:0:1::'],
  ['2001:db7:ffff::', '2001:db8::', '2001:db8:ffff:ffff:ffff:ffff:ffff:ffff', '2001:db9::'],
  ['fbff:ffff::', 'fc00::', 'fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', 'fe00::'],
  ['fe7f:ffff::', 'fe80::', 'febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff', ''],
  ['', 'fec0::', 'feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', ''],
  ['', 'ff00::', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', ''],
]

test('each special range is inside from its first to its last address, and its neighbours are not', () => {
  for (const [before, first, last, after] of RANGES) {
    assert.deepEqual([isInside(ip(first)), isInside(ip(last))], [true, true], first)
    for (const outside of [before, after]) if (outside !== '') assert.equal(isInside(ip(outside)), false, outside)
  }
})

test('the addresses of clouds that tell secrets are inside', () => {
  for (const address of ['169.254.169.254', '100.100.100.200', 'fd00:ec2::254', '192.0.0.192'])
    assert.equal(isInside(ip(address)), true, address)
})

const formsOf = (a: string, hex: string, inverted: string): readonly string[] => [
  `::ffff:${a}`,
  `::${a}`,
  `64:ff9b::${a}`,
  `64:ff9b:1::${a}`,
  `64:ff9b:1:ffff:ffff:ffff:${a}`,
  `2002:${hex}::1`,
  `2001:0:1:2:3:4:${inverted}`,
]

test('an inside IPv4 address is inside in each IPv6 form that carries it, and an outside one is not', () => {
  for (const address of formsOf('10.0.0.1', 'a00:1', 'f5ff:fffe')) assert.equal(isInside(ip(address)), true, address)
  for (const address of formsOf('8.8.4.4', '808:404', 'f7f7:fbfb')) assert.equal(isInside(ip(address)), false, address)
})

function told(address: string): readonly string[] {
  return addressForms(ip(address)).map(form => formatNetwork({ address: form, bits: 0 }).slice(0, -2))
}

test('an address is asked about as what the packets reach', () => {
  assert.deepEqual(told('8.8.4.4'), ['8.8.4.4'])
  assert.deepEqual(told('::ffff:8.8.4.4'), ['8.8.4.4'])
  assert.deepEqual(told('64:ff9b::8.8.4.4'), ['8.8.4.4'])
  assert.deepEqual(told('2002:808:404::1'), ['2002:808:404::1', '8.8.4.4'])
  assert.deepEqual(told('2001:0:1:2:3:4:f7f7:fbfb'), ['2001:0:1:2:3:4:f7f7:fbfb', '8.8.4.4'])
  assert.deepEqual(told('64:ff9b:1::8.8.4.4').length, 2)
  assert.deepEqual(told('2003::1'), ['2003::1'])
  assert.deepEqual(told('::1'), ['::1'])
  assert.deepEqual(told('::'), ['::'])
  assert.deepEqual(told('::2').length, 2)
})

function networkOf(text: string): Network {
  return parseNetwork(text) ?? assert.fail(text)
}

test('networks are read strictly and written back', () => {
  for (const text of ['10.0.0.0/8', '0.0.0.0/0', '::/0', '2001:db8::/32'])
    assert.equal(formatNetwork(networkOf(text)), text)
  assert.equal(formatNetwork(networkOf('10.1.2.3')), '10.1.2.3/32')
  assert.equal(formatNetwork(networkOf('::1')), '::1/128')
  for (const text of [
    '10.0.0.1/8',
    '10.0.2.0/8',
    '10.2.0.0/8',
    '10.128.0.0/8',
    '2001:db8:4::/32',
    '10.0.0.0/33',
    '::/129',
    '10.0.0.0/',
    '10.0.0.0/8/',
    '10.0.0.0/8/9',
    '10.0.0.0/08',
    '10/8',
    '10.0.0.0/-1',
    '',
    'a',
  ])
    assert.equal(parseNetwork(text), undefined, text)
})

test('a network lies in another only with all of its addresses', () => {
  assert.equal(containsNetwork(networkOf('10.0.0.0/8'), networkOf('10.0.0.0/8')), true)
  assert.equal(containsNetwork(networkOf('10.0.0.0/8'), networkOf('10.1.0.0/16')), true)
  assert.equal(containsNetwork(networkOf('10.1.0.0/16'), networkOf('10.0.0.0/8')), false)
  assert.equal(containsNetwork(networkOf('10.0.0.0/8'), networkOf('11.0.0.0/16')), false)
  assert.equal(containsNetwork(networkOf('0.0.0.0/0'), networkOf('::/0')), false)
})

function plain(text: string): string {
  return formatNetwork(reachedNetwork(networkOf(text)))
}

test('a network of mapped addresses is the IPv4 network that it is', () => {
  const told = ['::ffff:10.0.0.0/104', '::ffff:10.1.2.3', '::ffff:0:0/96', '64:ff9b::/96']
    .map(networkOf)
    .map(formatNetwork)
  assert.deepEqual(told, ['10.0.0.0/8', '10.1.2.3/32', '0.0.0.0/0', '64:ff9b::/96'])
})

test('a network of translated addresses is, as a target, the IPv4 network that is reached', () => {
  assert.equal(plain('::ffff:10.0.0.0/104'), '10.0.0.0/8')
  assert.equal(plain('64:ff9b::/96'), '0.0.0.0/0')
  assert.equal(plain('64:ff9b::10.1.2.3'), '10.1.2.3/32')
  for (const text of ['10.0.0.0/8', '2001:db8::/32', '::/0', '2001:db8::/96', '64:ff9b::/64'])
    assert.equal(plain(text), text)
})
