/** Every `fragmentSequences` entry of the vectors. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { FragmentQueue, concat, decodeSocks5Datagram, formatAddress, fromHex, toHex } from '@socksmith/protocol'

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
