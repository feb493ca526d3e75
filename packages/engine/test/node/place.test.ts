/** Addresses between Node and the ports. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { endpointOf, hostOf, placeOf } from '../../src/node/place.ts'
import { endpoint, ipPlace } from '../contract/scene.ts'

test('what Node says becomes an endpoint, IPv4-mapped as IPv4, without a zone', () => {
  assert.deepEqual(endpointOf('192.0.2.1', 80), endpoint('192.0.2.1', 80))
  assert.deepEqual(endpointOf('::ffff:192.0.2.1', 80), endpoint('192.0.2.1', 80))
  assert.deepEqual(endpointOf('fe80::1%eth0', 80), endpoint('fe80::1', 80))
  assert.deepEqual(placeOf('::1', 80), ipPlace('::1', 80))
})

test('a socket that has no address any more has no endpoint', () => {
  assert.equal(endpointOf(undefined, undefined), undefined)
  assert.equal(placeOf(undefined, 80), undefined)
})

test('an address becomes the text that Node takes', () => {
  assert.equal(hostOf(endpoint('2001:db8::1', 0).address), '2001:db8::1')
})
