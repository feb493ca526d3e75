/** `struct sockaddr`, byte by byte. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readEndpoint, SOCKET_ADDRESS_OCTETS, writePlace } from '../../src/linux/socket-address.ts'
import { endpoint, ipPlace } from '../contract/scene.ts'

test('IPv4 and IPv6 are written as the kernel wants them, and read back', () => {
  const into = Buffer.alloc(SOCKET_ADDRESS_OCTETS, 0xff)
  assert.equal(writePlace(ipPlace('192.0.2.7', 1080), into), 16)
  assert.equal(into.subarray(0, 16).toString('hex'), '02000438c00002070000000000000000')
  assert.deepEqual(readEndpoint(into, 0), endpoint('192.0.2.7', 1080))
  into.fill(0xff)
  assert.equal(writePlace(ipPlace('2001:db8::1', 443), into), 28)
  const expected = '0a0001bb0000000020010db800000000000000000000000100000000'
  assert.equal(into.subarray(0, 28).toString('hex'), expected)
  assert.deepEqual(readEndpoint(into, 0), endpoint('2001:db8::1', 443))
})

test('an IPv4-mapped address is read as plain IPv4', () => {
  const into = Buffer.alloc(SOCKET_ADDRESS_OCTETS)
  writePlace(ipPlace('::ffff:192.0.2.7', 1), into)
  assert.deepEqual(readEndpoint(into, 0), endpoint('192.0.2.7', 1))
})

test('a Unix path is ended by a zero; one that does not fit is refused; its address has no endpoint', () => {
  const into = Buffer.alloc(SOCKET_ADDRESS_OCTETS, 0xff)
  assert.equal(writePlace({ kind: 'unix', path: '/a' }, into), 5)
  assert.equal(into.subarray(0, 5).toString('hex'), '01002f6100')
  assert.equal(readEndpoint(into, 0), undefined)
  assert.equal(writePlace({ kind: 'unix', path: `/${'x'.repeat(107)}` }, into), 0)
  assert.equal(writePlace({ kind: 'unix', path: `/${'x'.repeat(106)}` }, into), 110)
})
