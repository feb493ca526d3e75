/** Every `udpScenarios` entry of the vectors, and what they leave out. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import {
  type Endpoint,
  UdpAssociation,
  formatDestination,
  fromHex,
  parseIp,
  toHex,
  unmapped,
  utf8Octets,
} from '@socksmith/protocol'

interface Step {
  readonly from?: string
  readonly event?: string
  readonly hex?: string
  readonly payloadHex?: string
  readonly expect: 'drop' | 'relay' | 'to_client' | 'relay_sockets_closed'
  readonly errorKind?: string
  readonly to?: string
}
interface Scenario {
  readonly id: string
  readonly association: { readonly tcpPeer: string }
  readonly steps: readonly Step[]
}

const { udpScenarios } = JSON.parse(readFileSync(new URL('../data/vectors.json', import.meta.url), 'utf8')) as {
  readonly udpScenarios: readonly Scenario[]
}

const octets = (hex = ''): Uint8Array => fromHex(hex) as Uint8Array

function endpoint(text: string): Endpoint {
  const at = text.lastIndexOf(':')
  const address = parseIp(text.slice(0, at).replace(/^\[|\]$/g, ''))
  assert.ok(address)
  return { address: unmapped(address), port: Number(text.slice(at + 1)) }
}

const associationOf = (peer: string, rest: object = {}): UdpAssociation => {
  const client = parseIp(peer)
  assert.ok(client)
  return new UdpAssociation({ client, ...rest })
}

for (const { id, association, steps } of udpScenarios) {
  test(`${id}: each datagram is relayed, returned or dropped as written`, () => {
    const subject = associationOf(association.tcpPeer)
    for (const step of steps) {
      if (step.event === 'tcp_control_closed') {
        subject.close()
        continue
      }
      const from = endpoint(step.from ?? '')
      const isFromClientSide = step.hex !== undefined && step.expect !== 'to_client'
      const result = isFromClientSide
        ? subject.fromClient(octets(step.hex), from, 0)
        : subject.fromRemote(octets(step.payloadHex), from)
      if (result.kind === 'relay') {
        assert.equal(step.expect, 'relay')
        assert.equal(formatDestination(result.destination), step.to)
        assert.equal(toHex(result.data), step.payloadHex)
        if (result.destination.address.type !== 'domain') subject.contacted(result.destination.address)
      } else if (result.kind === 'to-client') {
        assert.equal(step.expect, 'to_client')
        assert.equal(formatDestination(result.to), step.to)
        assert.equal(toHex(result.octets), step.hex)
      } else {
        assert.equal(step.expect, 'drop')
        assert.equal(result.kind === 'drop' && result.failure.code, step.errorKind)
      }
    }
  })
}

const HEADER = '00000001c00002350035'

test('with full cone, a sender that was never written to is let through', () => {
  const subject = associationOf('198.51.100.20', { fullCone: true })
  subject.fromClient(octets(`${HEADER}61`), endpoint('198.51.100.20:5000'), 0)
  const result = subject.fromRemote(utf8Octets('x'), endpoint('203.0.113.99:53'))
  assert.equal(result.kind, 'to-client')
})

test('nothing goes to a client that has not sent yet: its port is unknown', () => {
  const subject = associationOf('198.51.100.20', { fullCone: true })
  assert.equal(subject.fromRemote(utf8Octets('x'), endpoint('203.0.113.99:53')).kind, 'drop')
})

test('with reassembly, fragments wait and come out as one datagram', () => {
  const subject = associationOf('198.51.100.20', { reassemble: true })
  const from = endpoint('198.51.100.20:5000')
  assert.equal(subject.fromClient(octets('00000101c000023500356161'), from, 0).kind, 'queued')
  const result = subject.fromClient(octets('00008201c000023500356262'), from, 10)
  assert.equal(result.kind === 'relay' && toHex(result.data), '61616262')
})
