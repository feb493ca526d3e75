/** What the portable engine's connection does for its relay alone. The rest is in the contract. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { createNodeEngine } from '../../src/node/node-engine.ts'
import { NodeConnection } from '../../src/node/node-connection.ts'
import { leakTest, pair, steady, until } from '../contract/scene.ts'

const MEBIBYTE = 1024 * 1024

/** Memory of its own, as Node gives to each read: never a part of what others use. */
function chunk(octets: number, fill: number): Uint8Array {
  return new Uint8Array(new ArrayBuffer(octets)).fill(fill)
}

function digestOf(...octets: readonly Uint8Array[]): string {
  return octets.reduce((hash, one) => hash.update(one), createHash('sha256')).digest('hex')
}

leakTest('what is forwarded arrives; its memory is given back once it is sent, and not before', async () => {
  const { ours, peer } = await pair(createNodeEngine())
  assert.ok(ours instanceof NodeConnection)
  const chunks = Array.from({ length: 32 }, (_, index) => chunk(MEBIBYTE, index))
  const [taken, kept] = [chunk(10, 1), chunk(20, 2)]
  ours.forward(taken)
  ours.write(kept)
  for (const one of chunks) ours.forward(one)
  await steady(() => ours.unsentOctets)
  assert.ok(ours.unsentOctets > 0)
  assert.equal(taken.length, 0)
  assert.equal(kept.length, 20)
  assert.ok(chunks.filter(({ length }) => length === MEBIBYTE).length * MEBIBYTE >= ours.unsentOctets)
  peer.listen()
  await until(() => chunks.every(({ length }) => length === 0), 'all is given back')
  await until(() => peer.received === 30 + 32 * MEBIBYTE, 'all arrives')
  assert.equal(peer.digest(), digestOf(chunk(10, 1), kept, ...chunks.map((_, index) => chunk(MEBIBYTE, index))))
  ours.destroy()
  peer.socket.destroy()
})

leakTest('memory that holds more than what is forwarded is left alone', async () => {
  const { ours, peer } = await pair(createNodeEngine())
  assert.ok(ours instanceof NodeConnection)
  const whole = chunk(100, 7)
  ours.forward(whole.subarray(10, 20))
  peer.listen()
  await until(() => peer.received === 10, 'arrives')
  assert.equal(whole.length, 100)
  ours.destroy()
  peer.socket.destroy()
})
