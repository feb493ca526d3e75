/** Every `fragmentSequences` entry of the vectors, and what they leave out. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import {
  FragmentQueue,
  type IpAddress,
  type Socks5Datagram,
  concat,
  decodeSocks5Datagram,
  formatAddress,
  fromHex,
  toHex,
} from '@socksmith/protocol'
import { REASSEMBLED_OCTETS_MAX, REASSEMBLY_MS } from '../../src/udp/fragment-queue.ts'

interface Fragment {
  readonly atMs: number
  readonly action: string
  readonly hex?: string
  readonly hexPrefix?: string
  readonly fill?: { readonly octet: string; readonly count: number }
}
interface Delivery {
  readonly afterIndex: number
  readonly payloadHex: string
  readonly host?: string
  readonly port?: number
}
interface Sequence {
  readonly id: string
  readonly timerMs: number
  readonly datagrams: readonly Fragment[]
  readonly expectReassembling: readonly Delivery[]
  readonly expectNonReassembling: readonly Delivery[]
}

const { fragmentSequences } = JSON.parse(readFileSync(new URL('../data/vectors.json', import.meta.url), 'utf8')) as {
  readonly fragmentSequences: readonly Sequence[]
}

function octetsOf(fragment: Fragment): Uint8Array {
  const head = fromHex(fragment.hex ?? fragment.hexPrefix ?? '')
  assert.ok(head)
  const { octet = '00', count = 0 } = fragment.fill ?? {}
  return concat([head, new Uint8Array(count).fill(Number.parseInt(octet, 16))])
}

for (const sequence of fragmentSequences) {
  test(`${sequence.id}: each fragment does what is written, and exactly the whole datagrams come out`, () => {
    const queue = new FragmentQueue(sequence.timerMs)
    const delivered: Delivery[] = []
    for (const [index, fragment] of sequence.datagrams.entries()) {
      const decoded = decodeSocks5Datagram(octetsOf(fragment), { reassemble: true })
      assert.equal(decoded.kind, 'whole')
      const result = queue.offer(decoded.value, fragment.atMs)
      assert.equal(result.action, fragment.action, `fragment ${index}`)
      if ('data' in result) {
        const { address, port } = result.destination
        delivered.push({ afterIndex: index, host: formatAddress(address), port, payloadHex: toHex(result.data) })
      }
    }
    const expected = sequence.expectReassembling.map(({ afterIndex, host, port, payloadHex }) => {
      return { afterIndex, host, port, payloadHex }
    })
    assert.deepEqual(delivered, expected)
  })

  test(`${sequence.id}: without reassembly only datagrams with FRAG 0 pass`, () => {
    const delivered = sequence.datagrams.flatMap((fragment, afterIndex) => {
      const decoded = decodeSocks5Datagram(octetsOf(fragment))
      return decoded.kind === 'whole' ? [{ afterIndex, payloadHex: toHex(decoded.value.data) }] : []
    })
    assert.deepEqual(delivered, sequence.expectNonReassembling)
  })
}

const AT_MS = 1_000_000

/** A fragment to 192.0.2.53, of as many octets, with the bit of the end in `frag` or not. */
function fragment(frag: number, octets: number, port = 53): Socks5Datagram {
  const address: IpAddress = { type: 'ipv4', octets: Uint8Array.of(192, 0, 2, 53) }
  return { frag, destination: { address, port }, data: new Uint8Array(octets).fill(frag) }
}

test('the timer runs from the first fragment, whatever the clock says', () => {
  for (const [laterMs, action] of [
    [REASSEMBLY_MS - 1, 'deliver'],
    [REASSEMBLY_MS, 'drop_reset'],
  ] as const) {
    const queue = new FragmentQueue()
    queue.offer(fragment(1, 2), AT_MS)
    assert.equal(queue.offer(fragment(0x82, 2), AT_MS + laterMs).action, action)
    assert.equal(queue.heldOctets, 0)
  }
})

test('fragments belong together only with one address and one port', () => {
  const queue = new FragmentQueue()
  queue.offer(fragment(1, 2), AT_MS)
  assert.equal(queue.heldOctets, 2)
  assert.equal(queue.offer(fragment(0x82, 2, 54), AT_MS).action, 'drop_reset')
  assert.equal(queue.heldOctets, 0)
})

test('a datagram may become as long as UDP can carry, and no octet longer', () => {
  for (const [rest, action] of [
    [REASSEMBLED_OCTETS_MAX - 60_000, 'deliver'],
    [REASSEMBLED_OCTETS_MAX - 59_999, 'drop_reset'],
  ] as const) {
    const queue = new FragmentQueue()
    queue.offer(fragment(1, 60_000), AT_MS)
    assert.equal(queue.offer(fragment(0x82, rest), AT_MS).action, action)
  }
})

test('a sequence of one fragment that ends another one is delivered alone; position 0 is none', () => {
  const queue = new FragmentQueue()
  assert.equal(queue.offer(fragment(0x80, 1), AT_MS).action, 'drop_reset')
  for (const frag of [1, 2]) queue.offer(fragment(frag, 1), AT_MS)
  const result = queue.offer(fragment(0x81, 1), AT_MS)
  assert.ok(result.action === 'reset_then_deliver')
  assert.deepEqual(result.data, Uint8Array.of(0x81))
  assert.equal(queue.heldOctets, 0)
})
