import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { DatagramSocket } from '@socksmith/engine'
import { type Endpoint, type Failure, encodeSocks5Datagram } from '@socksmith/protocol'
import { Association } from '../../src/bench/association.ts'

const RELAY: Endpoint = { address: { type: 'ipv4', octets: Uint8Array.of(127, 0, 0, 1) }, port: 9 }
const NO_DATA = new Uint8Array(0)
const HEADER = encodeSocks5Datagram({ frag: 0, destination: RELAY, data: NO_DATA })

interface Scene {
  readonly association: Association
  /** What is under way. */
  readonly sent: Uint8Array[]
  readonly faults: Failure[]
}

function scene(options: { readonly window?: number; readonly header?: Uint8Array } = {}): Scene {
  const sent: Uint8Array[] = []
  const faults: Failure[] = []
  const association = new Association({
    number: 3,
    to: RELAY,
    header: HEADER,
    octets: 512,
    window: 4,
    onFault: cause => faults.push(cause),
    ...options,
  })
  // As the engine does: the octets are copied before the call returns.
  const socket: DatagramSocket = { local: RELAY, send: octets => void sent.push(octets.slice()), close() {} }
  association.start(socket)
  return { association, sent, faults }
}

test('a datagram that comes back makes room for the next one, and none is sent twice', () => {
  const { association, sent, faults } = scene()
  for (let i = 0; i < 1_000; i++) association.take(sent[i] as Uint8Array)
  assert.equal(association.returned, 1_000)
  assert.equal(sent.length, 1_004)
  assert.equal(new Set(sent.map(octets => Buffer.from(octets).toString('hex'))).size, sent.length)
  assert.deepEqual(faults, [])
})

test('a datagram that comes twice, or after it was given up, counts once or not at all', () => {
  const { association, sent } = scene()
  const [first] = sent
  association.take(first as Uint8Array)
  association.take(first as Uint8Array)
  assert.equal(association.returned, 1)
  for (let i = 0; i < 3; i++) association.tick()
  for (const octets of sent.slice(1, 4)) association.take(octets)
  assert.equal(association.returned, 1)
})

test('a window that is lost whole is counted and filled again', () => {
  const { association, sent } = scene()
  association.tick()
  association.tick()
  assert.equal(association.lost, 0)
  association.tick()
  assert.equal(association.lost, 4)
  assert.equal(sent.length, 8)
})

test('one that is lost does not hold up the others', () => {
  const { association, sent } = scene()
  for (let i = 1; i < 200; i++) {
    association.take(sent[i] as Uint8Array)
    if (i % 50 === 0) association.tick()
  }
  assert.equal(association.lost, 1)
  assert.equal(association.returned, 199)
})

test('a datagram that comes back changed, shorter or without a header is a fault', () => {
  for (const spoil of [
    (octets: Uint8Array) => octets.with(HEADER.length + 12, 0xff),
    (octets: Uint8Array) => octets.subarray(0, -1),
    (octets: Uint8Array) => octets.subarray(HEADER.length),
    () => NO_DATA,
  ]) {
    const { association, sent, faults } = scene()
    association.take(spoil(sent[0] as Uint8Array))
    assert.equal(faults[0]?.code, 'bad_signature')
    assert.equal(association.returned, 0)
  }
})

test('over a few datagrams every octet of the payload is looked at', () => {
  for (let at = HEADER.length + 8; at < HEADER.length + 512; at++) {
    const { association, sent, faults } = scene()
    for (let i = 0; i < 8; i++) {
      const octets = sent[i] as Uint8Array
      association.take(octets.with(at, (octets[at] as number) ^ 1))
      if (faults.length > 0) break
      association.take(octets)
    }
    assert.equal(faults.length, 1, `octet ${at}`)
  }
})

test('a relay may write another header: a name, or IPv6', () => {
  const { association, sent, faults } = scene()
  const data = (sent[0] as Uint8Array).subarray(HEADER.length)
  const destination = { address: { type: 'domain', name: 'localhost' }, port: 9 } as const
  association.take(encodeSocks5Datagram({ frag: 0, destination, data }))
  assert.equal(association.returned, 1)
  assert.deepEqual(faults, [])
})
