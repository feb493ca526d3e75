/** Where a client goes by a BND that says only half of it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Address, type IpAddress, parseIp, usableBnd } from '@socksmith/protocol'

const ip = (text: string): IpAddress => parseIp(text) ?? assert.fail(text)
const SERVER = ip('192.0.2.1')

test('an unspecified address, however it is written, means the server', () => {
  const ways: readonly Address[] = [ip('0.0.0.0'), ip('::'), ip('::ffff:0.0.0.0'), { type: 'domain', name: '0.0.0.0' }]
  for (const address of ways)
    assert.deepEqual(usableBnd({ address, port: 1080 }, SERVER), { address: SERVER, port: 1080 })
})

test('any other address is used as it is', () => {
  for (const address of [ip('198.51.100.7'), ip('2001:db8::7'), { type: 'domain', name: 'relay.example' } as const]) {
    const bnd = { address, port: 65_535 }
    assert.equal(usableBnd(bnd, SERVER), bnd)
  }
})

test('nobody listens on port 0', () => {
  for (const address of [ip('0.0.0.0'), ip('198.51.100.7')])
    assert.equal(usableBnd({ address, port: 0 }, SERVER), undefined)
})
