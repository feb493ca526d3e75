/** Every `udpScenarios` entry of the vectors, and what they leave out. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import * as fc from 'fast-check'
import {
  type Endpoint,
  type FromClient,
  type FromRemote,
  UdpAssociation,
  concat,
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

function blameOf(result: FromClient | FromRemote): string {
  return result.kind === 'drop' ? `${result.failure.code} ${result.failure.blame}` : result.kind
}

test('a datagram that is dropped is the doing of who sent it', () => {
  const subject = associationOf('198.51.100.20', { reassemble: true })
  const [client, remote] = [endpoint('198.51.100.20:5000'), endpoint('203.0.113.99:53')]
  const data = utf8Octets('x')
  assert.equal(blameOf(subject.fromRemote(data, remote)), 'no_association target')
  assert.equal(blameOf(subject.fromClient(octets(`${HEADER}61`), remote, 0)), 'source_mismatch client')
  assert.equal(blameOf(subject.fromClient(octets('0000'), client, 0)), 'truncated client')
  assert.equal(
    blameOf(subject.fromClient(octets(`000002${HEADER.slice(6)}61`), client, 0)),
    'unexpected_message client',
  )
  assert.equal(blameOf(subject.fromRemote(data, remote)), 'source_mismatch target')
  subject.close()
  assert.equal(blameOf(subject.fromClient(octets(`${HEADER}61`), client, 0)), 'no_association client')
})

test('with reassembly, fragments wait and come out as one datagram', () => {
  const subject = associationOf('198.51.100.20', { reassemble: true })
  const from = endpoint('198.51.100.20:5000')
  assert.equal(subject.fromClient(octets('00000101c000023500356161'), from, 0).kind, 'queued')
  const result = subject.fromClient(octets('00008201c000023500356262'), from, 10)
  assert.equal(result.kind === 'relay' && toHex(result.data), '61616262')
})

const senders = ['192.0.2.1:4000', '192.0.2.1:4001', '192.0.2.9:4000'].map(endpoint)
const remotes = ['198.51.100.1:53', '198.51.100.1:54', '198.51.100.2:53', '[2001:db8::1]:53'].map(endpoint)
const headers = [
  '00000001c63364010035',
  '00000001c63364010036',
  '0000000420010db80000000000000000000000010035',
  '00000003016100350035',
  '00000101c63364010035',
  '0000',
]

const datagrams = fc.array(
  fc.record({
    isFromClient: fc.boolean(),
    who: fc.nat(3),
    header: fc.constantFrom(...headers),
    data: fc.uint8Array({ maxLength: 4 }),
  }),
  { maxLength: 30 },
)

test('what it remembers of the last datagram changes no verdict, and a header in front is the one that would be copied', () => {
  fc.assert(
    fc.property(datagrams, fc.boolean(), fc.constantFrom(0, 9, 10, 32), (all, fullCone, room) => {
      const [remembering, fresh] = [associationOf('192.0.2.1', { fullCone }), associationOf('192.0.2.1', { fullCone })]
      for (const { isFromClient, who, header, data } of all) {
        if (isFromClient) {
          const from = senders[who % senders.length] as Endpoint
          const sent = concat([octets(header), data])
          const first = remembering.fromClient(sent, from, 0)
          assert.deepEqual(first, fresh.fromClient(sent, { ...from }, 0))
          if (first.kind !== 'relay' || first.destination.address.type === 'domain') continue
          for (const one of [remembering, fresh]) one.contacted(first.destination.address)
        } else {
          const from = remotes[who] as Endpoint
          const buffer = new Uint8Array(room + data.length)
          buffer.set(data, room)
          const first = remembering.fromRemote(buffer.subarray(room), from, room)
          assert.deepEqual(first, fresh.fromRemote(data, { ...from }))
          if (first.kind !== 'to-client') continue
          const isInPlace = first.octets.buffer === buffer.buffer
          assert.equal(isInPlace, room >= first.octets.length - data.length)
        }
      }
    }),
  )
})

const TO_DNS = '00000001080808080035'

test('with a port that is known beforehand, another port of the same host is a stranger from the first datagram on', () => {
  const known = associationOf('203.0.113.9', { clientPort: 5000 })
  assert.deepEqual(known.clientEndpoint, endpoint('203.0.113.9:5000'))
  assert.equal(known.fromClient(octets(`${TO_DNS}61`), endpoint('203.0.113.9:5001'), 0).kind, 'drop')
  assert.equal(known.fromClient(octets(`${TO_DNS}61`), endpoint('203.0.113.9:5000'), 0).kind, 'relay')
})

test('a header that is known is read as any other: for its own sender, whole, and with what follows it', () => {
  const subject = associationOf('203.0.113.9')
  const [client, stranger] = [endpoint('203.0.113.9:5000'), endpoint('203.0.113.8:5000')]
  const tell = (hex: string, from = client): string => {
    const told = subject.fromClient(octets(hex), from, 0)
    return told.kind === 'relay' ? `${formatDestination(told.destination)} ${toHex(told.data)}` : told.kind
  }
  assert.equal(tell(`${TO_DNS}6162`), '8.8.8.8:53 6162')
  assert.equal(tell(`${TO_DNS}63`), '8.8.8.8:53 63')
  assert.equal(tell(TO_DNS), '8.8.8.8:53 ')
  assert.equal(tell(TO_DNS.slice(0, -2)), 'drop')
  assert.equal(tell('000000010808080800366162'), '8.8.8.8:54 6162')
  assert.equal(tell(`${TO_DNS}64`), '8.8.8.8:53 64')
  assert.equal(tell('000100010808080800356162'), 'drop')
  assert.equal(tell('000001010808080800356162'), 'drop')
  assert.equal(tell(`${TO_DNS}65`, stranger), 'drop')
  assert.equal(tell(`${TO_DNS}65`, endpoint('203.0.113.9:5000')), '8.8.8.8:53 65')
  assert.equal(tell(`${TO_DNS}65`, endpoint('203.0.113.9:5001')), 'drop')
})

test('the header that is known does not change when the array of its datagram does', () => {
  const subject = associationOf('203.0.113.9')
  const [client, first] = [endpoint('203.0.113.9:5000'), octets(`${TO_DNS}61`)]
  subject.fromClient(first, client, 0)
  first.fill(0xff)
  assert.equal(subject.fromClient(octets(`${TO_DNS}62`), client, 0).kind, 'relay')
  assert.equal(subject.fromClient(first, client, 0).kind, 'drop')
})

test('answers come from where the client has written to, each with its own sender', () => {
  const subject = associationOf('203.0.113.9')
  const [one, two] = [endpoint('8.8.8.8:53'), endpoint('9.9.9.9:53')]
  const data = Uint8Array.of(0x61)
  const early = subject.fromRemote(data, one)
  assert.ok(early.kind === 'drop' && early.failure.code === 'no_association')
  subject.fromClient(octets(`${TO_DNS}61`), endpoint('203.0.113.9:5000'), 0)
  assert.equal(subject.hasContacted(one.address), false)
  subject.contacted(one.address)
  subject.contacted(one.address)
  assert.deepEqual([subject.contactedCount, subject.hasContacted(one.address)], [1, true])
  const told = [one, one, two, one].map(from => {
    const answer = subject.fromRemote(data, from)
    return answer.kind === 'to-client' ? toHex(answer.octets) : answer.failure.code
  })
  const answer = `${TO_DNS}61`
  assert.deepEqual(told, [answer, answer, 'source_mismatch', answer])
  subject.close()
  const late = subject.fromRemote(data, one)
  assert.ok(late.kind === 'drop' && late.failure.code === 'no_association')
  assert.equal(subject.fromClient(octets(`${TO_DNS}61`), endpoint('203.0.113.9:5000'), 0).kind, 'drop')
})

test('fragments that begin anew after an abandoned sequence wait again', () => {
  const subject = associationOf('203.0.113.9', { reassemble: true })
  const client = endpoint('203.0.113.9:5000')
  const fragment = (frag: string): string =>
    subject.fromClient(octets(`0000${frag}${TO_DNS.slice(6)}61`), client, 0).kind
  assert.deepEqual(['01', '02', '01', '82'].map(fragment), ['queued', 'queued', 'queued', 'relay'])
  assert.deepEqual(['01', '01', '03'].map(fragment), ['queued', 'drop', 'drop'])
})

test('without reassembly no fragment passes, also when that is said', () => {
  for (const rest of [{}, { reassemble: false }]) {
    const subject = associationOf('203.0.113.9', rest)
    assert.equal(subject.fromClient(octets(`000001${TO_DNS.slice(6)}61`), endpoint('203.0.113.9:5000'), 0).kind, 'drop')
  }
})
