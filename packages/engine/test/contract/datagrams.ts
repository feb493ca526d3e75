/** What every engine's datagram sockets must do. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe } from 'node:test'
import type { Endpoint, Failure } from '@socksmith/protocol'
import type { DatagramSocket, Engine } from '../../src/ports.ts'
import { endpoint, leakTest, must, mustFail, until } from './scene.ts'
import type { Cannot, MakeEngine } from './scene.ts'

/** Octets of the largest UDP payload over IPv4: 65,535 less 20 of IP and 8 of UDP. */
const LARGEST = 65_507

/** A header that is written in front of a datagram: that of an IPv4 address (RFC 1928 section 7). */
const HEADER = 10

/** Runs the contract of datagram sockets. */
export function datagramContract(makeEngine: MakeEngine, cannot: Cannot): void {
  describe('a datagram socket', () => {
    for (const host of ['127.0.0.1', '::1']) {
      const reason = host === '::1' ? cannot.ipv6 : undefined
      leakTest(
        `carries 0, 1 and ${LARGEST} octets over ${host}, whole, and tells who sent them`,
        sizes(makeEngine, host),
        reason,
      )
    }
    leakTest('copies what it sends', copies(makeEngine))
    leakTest(
      'hands over each datagram of a burst by itself, with its room, and sends it on from there',
      bursts(makeEngine),
    )
    failureCases(makeEngine)
  })
}

function sizes(makeEngine: MakeEngine, host: string): () => Promise<void> {
  return async () => {
    const engine = makeEngine()
    const [a, b] = [await open(engine, endpoint(host, 0)), await open(engine, endpoint(host, 0))]
    for (const size of [0, 1, LARGEST]) {
      const octets = randomBytes(size)
      a.socket.send(octets, b.socket.local)
      await until(() => b.got.length === 1, `${size} octets arrived`)
      const [one] = b.got.splice(0)
      assert.deepEqual(one?.from, a.socket.local)
      assert.ok(one.octets.equals(octets))
    }
    b.socket.send(Buffer.from('back'), a.socket.local)
    await until(() => a.got[0]?.octets.toString() === 'back', 'an answer')
    a.socket.close()
    b.socket.close()
  }
}

function copies(makeEngine: MakeEngine): () => Promise<void> {
  return async () => {
    const engine = makeEngine()
    const [a, b] = [await open(engine), await open(engine)]
    const octets = Buffer.alloc(1)
    for (let i = 0; i < 20; i++) {
      octets[0] = i
      a.socket.send(octets, b.socket.local)
    }
    await until(() => b.got.length === 20, 'all arrived')
    assert.deepEqual(
      b.got.map(one => one.octets[0]),
      Array.from({ length: 20 }, (_, i) => i),
    )
    a.socket.close()
    b.socket.close()
  }
}

// Those of one length leave together where the kernel can do that, and may come together.
function bursts(makeEngine: MakeEngine): () => Promise<void> {
  return async () => {
    const engine = makeEngine()
    const sizes = [...Array.from({ length: 70 }, () => 512), 100, 512, 512, 1, 0, 3, 3, 3, 1_400, 1_400, 7]
    const sent = sizes.map(size => randomBytes(size))
    const a = await open(engine)
    const relay = must(
      await engine.openDatagrams(endpoint('127.0.0.1', 0), {
        onDatagram(octets, from, room) {
          const length = octets.length
          const start = octets.byteOffset - room
          const whole = new Uint8Array(octets.buffer, start, room + length)
          // As a header is written: whatever is written in front belongs to this datagram alone.
          whole.fill(room === 0 ? 0 : 0x5a, 0, room)
          relay.send(whole.subarray(room - Math.min(room, HEADER)), from)
        },
        onFailure: cause => assert.fail(JSON.stringify(cause)),
      }),
    )
    for (const octets of sent) a.socket.send(octets, relay.local)
    await until(() => a.got.length === sent.length, 'all came back')
    for (const [index, octets] of sent.entries()) {
      const back = a.got[index]?.octets ?? Buffer.alloc(0)
      const header = back.length - octets.length
      assert.ok(header === HEADER || header === 0, `datagram ${index} has ${back.length} octets`)
      assert.ok(
        back.subarray(0, header).every(octet => octet === 0x5a),
        `the header of datagram ${index}`,
      )
      assert.ok(back.subarray(header).equals(octets), `datagram ${index}`)
    }
    a.socket.close()
    relay.close()
  }
}

function failureCases(makeEngine: MakeEngine): void {
  leakTest('tells what cannot be sent, and goes on', async () => {
    const engine = makeEngine()
    const [a, b] = [await open(engine), await open(engine)]
    a.socket.send(Buffer.alloc(LARGEST + 1), b.socket.local)
    await until(() => a.failures.length === 1, 'told')
    assert.deepEqual([a.failures[0]?.errno, a.failures[0]?.blame], ['EMSGSIZE', 'us'])
    a.socket.send(Buffer.alloc(1), endpoint('127.0.0.1', 0))
    await until(() => a.failures.length === 2, 'told')
    assert.equal(a.failures[1]?.errno, 'EINVAL')
    a.socket.send(Buffer.from('on'), b.socket.local)
    await until(() => b.got.length === 1, 'goes on')
    a.socket.close()
    b.socket.close()
  })

  leakTest('survives that nobody listens at the other end', async () => {
    const engine = makeEngine()
    const [a, b, gone] = [await open(engine), await open(engine), await open(engine)]
    gone.socket.close()
    for (let i = 0; i < 10; i++) a.socket.send(Buffer.from('lost'), gone.socket.local)
    a.socket.send(Buffer.from('on'), b.socket.local)
    await until(() => b.got.length === 1, 'goes on')
    a.socket.close()
    b.socket.close()
  })

  leakTest('says nothing after `close`, and ignores what is sent then', async () => {
    const engine = makeEngine()
    const [a, b] = [await open(engine), await open(engine)]
    a.socket.close()
    a.socket.close()
    a.socket.send(Buffer.from('late'), b.socket.local)
    b.socket.send(Buffer.from('late'), a.socket.local)
    const other = await open(engine)
    other.socket.send(Buffer.from('mark'), b.socket.local)
    await until(() => b.got.length > 0, 'the mark')
    assert.deepEqual(
      b.got.map(one => one.octets.toString()),
      ['mark'],
    )
    assert.deepEqual([a.got, a.failures], [[], []])
    b.socket.close()
    other.socket.close()
  })

  leakTest('cannot be bound twice, nor to an address that is not ours', async () => {
    const engine = makeEngine()
    const first = await open(engine)
    const handler = { onDatagram: () => {}, onFailure: () => {} }
    const second = mustFail(await engine.openDatagrams(first.socket.local, handler))
    assert.deepEqual([second.errno, second.blame], ['EADDRINUSE', 'us'])
    const foreign = mustFail(await engine.openDatagrams(endpoint('192.0.2.1', 0), handler))
    assert.deepEqual([foreign.errno, foreign.blame], ['EADDRNOTAVAIL', 'us'])
    first.socket.close()
  })
}

interface Open {
  readonly socket: DatagramSocket
  readonly got: { readonly octets: Buffer; readonly from: Endpoint }[]
  readonly failures: Failure[]
}

async function open(engine: Engine, local: Endpoint = endpoint('127.0.0.1', 0)): Promise<Open> {
  const [got, failures]: [Open['got'], Failure[]] = [[], []]
  const socket = must(
    await engine.openDatagrams(local, {
      onDatagram: (octets, from) => void got.push({ octets: Buffer.from(octets), from }),
      onFailure: failure => void failures.push(failure),
    }),
  )
  return { socket, got, failures }
}
