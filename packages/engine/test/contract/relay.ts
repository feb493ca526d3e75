/** What every engine's relay must do. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe } from 'node:test'
import { RELAY_BUFFER_OCTETS_MAX } from '../../src/ports.ts'
import type { Connection } from '../../src/ports.ts'
import { VirtualClock } from '../virtual-clock.ts'
import { leakTest, Recorder, steady, until } from './scene.ts'
import type { Cannot, MakeEngine, Peer } from './scene.ts'
import { endOf, openTunnel, openTunnels } from './tunnel.ts'
import type { Carrier } from './tunnel.ts'

const MEBIBYTE = 1024 * 1024

/** Runs the contract of relays. */
export function relayContract(makeEngine: MakeEngine, cannot: Cannot): void {
  for (const carrier of ['tcp', 'unix', 'tls'] as const) {
    const reason = carrier === 'tls' ? cannot.secure : undefined
    describe(`a relay over ${carrier}`, { skip: reason ?? false }, () => {
      transferCases(makeEngine, carrier)
      halfCloseCases(makeEngine, carrier)
      pressureCases(makeEngine, carrier)
    })
  }
  describe('a relay', () => {
    resetCases(makeEngine)
    idleCases(makeEngine)
    endCases(makeEngine)
  })
}

function transferCases(makeEngine: MakeEngine, carrier: Carrier): void {
  leakTest('carries both ways, early octets first, and counts exactly', async () => {
    const early = { toTarget: Buffer.from('early up '), toClient: Buffer.from('early down ') }
    const tunnel = await openTunnel(makeEngine(), early, carrier)
    tunnel.client.listen().socket.write('up')
    tunnel.target.listen().socket.write('down')
    await until(() => tunnel.target.text === 'early up up', 'up')
    await until(() => tunnel.client.text === 'early down down', 'down')
    assert.deepEqual([tunnel.relay.clientToTarget, tunnel.relay.targetToClient], [11, 15])
    tunnel.client.socket.end()
    tunnel.target.socket.end()
    const end = await endOf(tunnel)
    assert.deepEqual([end.cause, end.clientToTarget, end.targetToClient], ['ended', 11, 15])
  })

  leakTest('carries 64 MiB each way at once, unchanged', async () => {
    const tunnel = await openTunnel(makeEngine(), {}, carrier)
    const size = 64 * MEBIBYTE
    const [up, down] = [pour(tunnel.client, size, 1), pour(tunnel.target, size, 2)]
    tunnel.client.listen()
    tunnel.target.listen()
    const end = await endOf(tunnel)
    assert.deepEqual([end.cause, end.clientToTarget, end.targetToClient], ['ended', size, size])
    assert.equal(tunnel.target.digest(), await up)
    assert.equal(tunnel.client.digest(), await down)
  })
}

/** Sends `size` octets made from `seed`, then FIN; answers their digest. */
async function pour(from: Peer, size: number, seed: number): Promise<string> {
  const hash = createHash('sha256')
  const block = Buffer.alloc(MEBIBYTE)
  for (let i = 0; i < block.length; i += 4) block.writeUInt32LE((Math.imul(i + seed, 2654435761) ^ seed) >>> 0, i)
  for (let sent = 0; sent < size; sent += block.length) {
    const next = Buffer.from(block)
    next.writeUInt32LE(sent, 0)
    hash.update(next)
    if (from.socket.write(next)) continue
    await until(() => from.socket.destroyed || !from.socket.writableNeedDrain, 'the sender may go on', Infinity)
    if (from.socket.destroyed) break
  }
  from.socket.end()
  return hash.digest('hex')
}

function halfCloseCases(makeEngine: MakeEngine, carrier: Carrier): void {
  for (const first of ['client', 'target'] as const) {
    leakTest(`passes FIN of the ${first} on, carries on the other way, and ends by the second FIN`, async () => {
      const tunnel = await openTunnel(makeEngine(), {}, carrier)
      const second = first === 'client' ? 'target' : 'client'
      const [a, b] = [tunnel[first].listen(), tunnel[second].listen()]
      a.socket.end('question')
      await until(() => b.hasEnd && b.text === 'question', 'the FIN, behind the octets')
      assert.deepEqual(tunnel.ends, [])
      b.socket.write(Buffer.alloc(MEBIBYTE))
      await until(() => a.received === MEBIBYTE, 'octets after the FIN')
      assert.equal(a.hasEnd, false)
      b.socket.end()
      const end = await endOf(tunnel)
      assert.ok(a.hasEnd)
      assert.deepEqual([end.cause, end.by], ['ended', first])
    })
  }

  leakTest('passes a FIN on that was read before the relay started', async () => {
    const tunnel = await openTunnel(
      makeEngine(),
      { toTarget: Buffer.from('request'), beforeRelay: finishEarly },
      carrier,
    )
    tunnel.target.listen()
    await until(() => tunnel.target.hasEnd, 'FIN')
    assert.equal(tunnel.target.text, 'request')
    tunnel.target.socket.end('answer')
    tunnel.client.listen()
    await endOf(tunnel)
    assert.equal(tunnel.client.text, 'answer')
  })
}

/** A client that sends its request and FIN while the handshake still reads. */
async function finishEarly(client: Peer, inside: Connection): Promise<void> {
  const handshake = new Recorder()
  inside.read(handshake)
  client.socket.end('request')
  await until(() => handshake.ends === 1, 'FIN in the handshake')
}

function pressureCases(makeEngine: MakeEngine, carrier: Carrier): void {
  for (const source of ['target', 'client'] as const) {
    leakTest(`stops a fast ${source} whose reader stalls, holds little, and resumes to the last octet`, async () => {
      const tunnel = await openTunnel(makeEngine(), {}, carrier)
      const from = tunnel[source]
      const to = tunnel[source === 'target' ? 'client' : 'target']
      const size = 48 * MEBIBYTE
      from.listen()
      const digest = pour(from, size, 3)
      const carried = (): number => tunnel.relay.clientToTarget + tunnel.relay.targetToClient
      const atStall = await steady(carried)
      assert.ok(atStall < size, 'the source is stopped')
      assert.ok(from.socket.writableLength > 0, 'the source itself is blocked')
      const [client, target] = tunnel.ours
      assert.ok(client.unsentOctets + target.unsentOctets <= RELAY_BUFFER_OCTETS_MAX)
      to.listen()
      await until(() => to.hasEnd, 'all of it')
      to.socket.end()
      await endOf(tunnel)
      assert.equal(to.digest(), await digest)
    })
  }
}

function resetCases(makeEngine: MakeEngine): void {
  for (const first of ['client', 'target'] as const) {
    const second = first === 'client' ? 'target' : 'client'

    leakTest(`passes RST of the ${first} on as RST`, async () => {
      const tunnel = await openTunnel(makeEngine())
      tunnel.client.listen()
      tunnel.target.listen()
      tunnel[first].socket.write('x')
      await until(() => tunnel[second].text === 'x', 'carried')
      tunnel[first].socket.resetAndDestroy()
      const end = await endOf(tunnel)
      assert.deepEqual([end.cause, end.by], ['reset', first])
      assert.equal(tunnel[second].error, 'ECONNRESET')
      assert.equal(tunnel[second].hasEnd, false)
    })

    leakTest(`passes RST of the ${first} on after its FIN`, async () => {
      const tunnel = await openTunnel(makeEngine())
      tunnel.client.listen()
      tunnel.target.listen()
      tunnel[first].socket.end()
      await until(() => tunnel[second].hasEnd, 'FIN')
      tunnel[first].socket.destroy()
      // The first is closed whole: what comes now is answered with RST by its kernel.
      const feed = setInterval(() => tunnel[second].socket.writable && tunnel[second].socket.write('more'), 1)
      const end = await endOf(tunnel).finally(() => clearInterval(feed))
      assert.deepEqual([end.cause, end.by], ['reset', first])
      assert.match(String(tunnel[second].error), /ECONNRESET|EPIPE/)
    })

    leakTest(`passes RST of the ${first} on in mid-stream, while the ${second} stalls`, async () => {
      const tunnel = await openTunnel(makeEngine())
      tunnel[first].listen()
      const stream = setInterval(() => tunnel[first].socket.write(Buffer.alloc(MEBIBYTE)), 1)
      const carried = (): number => tunnel.relay.clientToTarget + tunnel.relay.targetToClient
      try {
        await until(() => carried() > MEBIBYTE, 'the stream runs')
      } finally {
        clearInterval(stream)
      }
      tunnel[first].socket.resetAndDestroy()
      tunnel[second].listen()
      const end = await endOf(tunnel)
      assert.deepEqual([end.cause, end.by], ['reset', first])
      assert.equal(tunnel[second].error, 'ECONNRESET')
    })

    leakTest(`ends at a RST of the ${first} although the ${second} never reads again`, async () => {
      const tunnel = await openTunnel(makeEngine())
      tunnel[first].listen()
      // More than every buffer on the way takes.
      tunnel[first].socket.write(Buffer.alloc(64 * MEBIBYTE))
      const carried = (): number => tunnel.relay.clientToTarget + tunnel.relay.targetToClient
      let [last, same] = [-1, 0]
      await until(() => {
        same = carried() === last ? same + 1 : 0
        last = carried()
        return last > MEBIBYTE && same > 50
      }, 'the stream stands still')
      tunnel[first].socket.resetAndDestroy()
      await until(() => tunnel.ends.length > 0, 'the relay ends')
      tunnel[second].listen()
      const end = await endOf(tunnel)
      assert.deepEqual([end.cause, end.by], ['reset', first])
    })
  }
}

function idleCases(makeEngine: MakeEngine): void {
  leakTest('ends when it was idle for its limit, measured from the last octet', async () => {
    const clock = new VirtualClock()
    const limits = { idleMs: 60_000, halfOpenIdleMs: 10_000 }
    const [tunnel, other] = await openTunnels(makeEngine(clock), 2, limits)
    assert.ok(tunnel && other)
    tunnel.client.listen()
    tunnel.target.listen()
    assert.ok(clock.pending <= 1, 'one timer for all relays')
    await clock.advance(59_000)
    tunnel.target.socket.write('x')
    await until(() => tunnel.client.text === 'x', 'carried')
    await clock.advance(59_900)
    assert.deepEqual(tunnel.ends, [])
    await clock.advance(600)
    await until(() => tunnel.client.hasEnd && tunnel.target.hasEnd, 'told')
    tunnel.client.socket.destroy()
    tunnel.target.socket.destroy()
    const end = await endOf(tunnel)
    assert.deepEqual([end.cause, end.by], ['idle', 'us'])
    other.client.listen().socket.end()
    other.target.listen().socket.end()
    assert.equal((await endOf(other)).cause, 'idle')
    await clock.advance(1_000)
    assert.equal(clock.pending, 0, 'no timer without relays')
  })

  leakTest('uses the limit for half-open ones as soon as one direction has ended', async () => {
    const clock = new VirtualClock()
    const tunnel = await openTunnel(makeEngine(clock), { idleMs: 60_000, halfOpenIdleMs: 10_000 })
    tunnel.target.listen()
    await clock.advance(5_000)
    tunnel.client.listen().socket.end()
    await until(() => tunnel.target.hasEnd, 'FIN')
    await clock.advance(9_900)
    assert.deepEqual(tunnel.ends, [])
    await clock.advance(600)
    tunnel.target.socket.end()
    assert.equal((await endOf(tunnel)).cause, 'idle')
  })

  leakTest('never ends for being idle when the limits are 0', async () => {
    const clock = new VirtualClock()
    const tunnel = await openTunnel(makeEngine(clock), { idleMs: 0, halfOpenIdleMs: 0 })
    tunnel.target.listen()
    await clock.advance(10_000_000)
    tunnel.client.listen().socket.end('x')
    await until(() => tunnel.target.hasEnd, 'FIN')
    await clock.advance(10_000_000)
    assert.deepEqual(tunnel.ends, [])
    tunnel.target.socket.end()
    assert.equal((await endOf(tunnel)).cause, 'ended')
  })
}

function endCases(makeEngine: MakeEngine): void {
  leakTest('ends both sides by `close`, once', async () => {
    const tunnel = await openTunnel(makeEngine())
    tunnel.client.listen()
    tunnel.target.listen()
    tunnel.relay.close()
    tunnel.relay.close()
    await until(() => tunnel.client.hasEnd && tunnel.target.hasEnd, 'told')
    tunnel.client.socket.end()
    tunnel.target.socket.end()
    const end = await endOf(tunnel)
    assert.deepEqual([end.cause, end.by], ['destroyed', 'us'])
    tunnel.relay.close()
  })

  leakTest('resets a side for which octets are lost by `close`', async () => {
    const tunnel = await openTunnel(makeEngine())
    const poured = pour(tunnel.target.listen(), 48 * MEBIBYTE, 4)
    const stalled = await steady(() => tunnel.relay.targetToClient)
    assert.ok(tunnel.ours[0].unsentOctets > 0)
    tunnel.relay.close()
    tunnel.client.listen()
    const end = await endOf(tunnel)
    await poured
    assert.equal(end.targetToClient, stalled)
    assert.equal(tunnel.client.error, 'ECONNRESET')
    assert.equal(tunnel.client.hasEnd, false)
  })

  leakTest('ends when one of its connections is destroyed by somebody else', async () => {
    const tunnel = await openTunnel(makeEngine())
    tunnel.client.listen()
    tunnel.target.listen()
    tunnel.ours[0].destroy()
    await until(() => tunnel.client.hasEnd && tunnel.target.hasEnd, 'told')
    tunnel.client.socket.end()
    tunnel.target.socket.end()
    const end = await endOf(tunnel)
    assert.deepEqual([end.cause, end.by], ['destroyed', 'us'])
  })

  for (const first of ['client', 'target'] as const) {
    leakTest(`ends when the ${first} dies in mid-stream, and tells the other`, async () => {
      const tunnel = await openTunnel(makeEngine())
      const other = tunnel[first === 'client' ? 'target' : 'client'].listen()
      const stream = setInterval(() => other.socket.writable && other.socket.write(Buffer.alloc(MEBIBYTE)), 1)
      const carried = (): number => tunnel.relay.clientToTarget + tunnel.relay.targetToClient
      try {
        await until(() => carried() > MEBIBYTE, 'the stream runs')
        // As the kernel does it for a process that was killed.
        tunnel[first].socket.destroy()
        const end = await endOf(tunnel)
        assert.deepEqual([end.cause, end.by], ['reset', first])
      } finally {
        clearInterval(stream)
      }
    })
  }

  leakTest('carries 200 tunnels at once without mixing them', async () => {
    const tunnels = await openTunnels(makeEngine(), 200)
    for (const [i, tunnel] of tunnels.entries()) {
      tunnel.client.listen().socket.end(`up ${i} `.repeat(1000))
      tunnel.target.listen().socket.end(`down ${i} `.repeat(1000))
    }
    await Promise.all(tunnels.map(endOf))
    for (const [i, tunnel] of tunnels.entries()) {
      assert.equal(tunnel.target.text, `up ${i} `.repeat(1000))
      assert.equal(tunnel.client.text, `down ${i} `.repeat(1000))
    }
  })
}
