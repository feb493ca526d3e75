/** What every engine's dialling must do. */
import assert from 'node:assert/strict'
import { describe } from 'node:test'
import type { IpAddress } from '@socksmith/protocol'
import type { Place } from '../../src/ports.ts'
import { VirtualClock } from '../virtual-clock.ts'
import { blackHole } from './black-hole.ts'
import { endpoint, ipPlace, leakTest, must, mustFail, plainServer, portOf, Recorder, until } from './scene.ts'
import type { MakeEngine } from './scene.ts'
import { temporaryPath } from './temporary-path.ts'

const LIMIT = { timeoutMs: 10_000 }

/** Runs the contract of dialling. */
export function dialContract(makeEngine: MakeEngine): void {
  describe('dialling', () => {
    reachingCases(makeEngine)
    failingCases(makeEngine)
    givingUpCases(makeEngine)
  })
}

function reachingCases(makeEngine: MakeEngine): void {
  leakTest('reaches TCP and Unix sockets, and tells both ends', async () => {
    for (const place of [undefined, { kind: 'unix', path: temporaryPath() }] as const) {
      const server = await plainServer(place)
      const ours = must(await makeEngine().dial(server.place, LIMIT).result)
      await until(() => server.peers.length === 1, 'accepted')
      const peer = server.peers[0]?.listen()
      assert.deepEqual(ours.remote, server.place)
      if (ours.local.kind === 'ip') assert.equal(ours.local.endpoint.port, peer?.socket.remotePort)
      ours.write(Buffer.from('hello'))
      await until(() => peer?.text === 'hello', 'hello')
      ours.destroy()
      peer?.socket.destroy()
      server.close()
    }
  })

  leakTest('leaves by the local address that was asked for', async () => {
    const server = await plainServer()
    const localAddress = addressOf('127.0.0.2')
    const ours = must(await makeEngine().dial(server.place, { ...LIMIT, localAddress }).result)
    await until(() => server.peers.length === 1, 'accepted')
    assert.equal(server.peers[0]?.socket.remoteAddress, '127.0.0.2')
    assert.deepEqual(ours.local.kind === 'ip' && ours.local.endpoint.address, localAddress)
    ours.destroy()
    server.peers[0]?.socket.destroy()
    server.close()
  })

  leakTest('knows by which address it would leave', async () => {
    const loopback = addressOf('127.0.0.1')
    assert.deepEqual(await makeEngine().facing(loopback), loopback)
  })

  leakTest('reads nothing before it has a reader', async () => {
    const server = await plainServer()
    const ours = must(await makeEngine().dial(server.place, LIMIT).result)
    await until(() => server.peers.length === 1, 'accepted')
    server.peers[0]?.socket.end('early')
    await until(() => server.peers[0]?.socket.writableFinished === true, 'sent')
    const reader = new Recorder()
    ours.read(reader)
    await until(() => reader.ends === 1, 'FIN')
    assert.equal(reader.octets.toString(), 'early')
    ours.end()
    server.peers[0]?.listen()
    await until(() => reader.closes.length === 1, 'closed')
    server.close()
  })
}

function failingCases(makeEngine: MakeEngine): void {
  leakTest('says `connection_refused` where nobody listens', async () => {
    const refused = mustFail(await makeEngine().dial(await closedPort(), LIMIT).result)
    assert.deepEqual(refused, { code: 'connection_refused', blame: 'target', errno: 'ECONNREFUSED' })
  })

  leakTest('blames the target for a Unix socket that is not there', async () => {
    const missing = mustFail(await makeEngine().dial({ kind: 'unix', path: temporaryPath() }, LIMIT).result)
    assert.deepEqual([missing.blame, missing.errno], ['target', 'ENOENT'])
  })

  leakTest('blames us for a local address that is not ours', async () => {
    const server = await plainServer()
    const options = { ...LIMIT, localAddress: addressOf('192.0.2.1') }
    const failed = mustFail(await makeEngine().dial(server.place, options).result)
    assert.deepEqual(failed, { code: 'general_failure', blame: 'us', errno: 'EADDRNOTAVAIL' })
    server.close()
  })
}

function givingUpCases(makeEngine: MakeEngine): void {
  leakTest('says `timed_out` at its limit where nobody answers, not before', async () => {
    const clock = new VirtualClock()
    const hole = await blackHole()
    let result: object | undefined
    void makeEngine(clock)
      .dial(hole.place, { timeoutMs: 5_000 })
      .result.then(value => (result = value))
    await clock.advance(4_999)
    assert.equal(result, undefined)
    await clock.advance(1)
    assert.deepEqual(result, { code: 'timed_out', blame: 'target' })
    assert.equal(clock.pending, 0)
    await hole.close()
  })

  leakTest('is given up by `cancel`', async () => {
    const hole = await blackHole()
    const clock = new VirtualClock()
    const dialing = makeEngine(clock).dial(hole.place, LIMIT)
    dialing.cancel()
    dialing.cancel()
    assert.equal(mustFail(await dialing.result).code, 'aborted')
    assert.equal(clock.pending, 0)
    await hole.close()
  })

  leakTest('destroys the connection when `cancel` comes late', async () => {
    const server = await plainServer()
    const dialing = makeEngine().dial(server.place, LIMIT)
    const ours = must(await dialing.result)
    const reader = new Recorder()
    ours.read(reader)
    dialing.cancel()
    await until(() => reader.closes.length === 1 && server.peers.length === 1, 'closed here')
    const peer = server.peers[0]?.listen()
    await until(() => peer?.hasEnd === true, 'closed there')
    peer?.socket.destroy()
    server.close()
  })

  leakTest('leaves no timer behind, whatever the result', async () => {
    const clock = new VirtualClock()
    const engine = makeEngine(clock)
    const server = await plainServer()
    const ours = must(await engine.dial(server.place, LIMIT).result)
    mustFail(await engine.dial(await closedPort(), LIMIT).result)
    assert.equal(clock.pending, 0)
    await until(() => server.peers.length === 1, 'accepted')
    ours.destroy()
    server.peers[0]?.socket.destroy()
    server.close()
  })
}

function addressOf(text: string): IpAddress {
  return endpoint(text, 0).address
}

/** A port of which we know that nobody listens. */
async function closedPort(): Promise<Place> {
  const server = await plainServer()
  server.close()
  return ipPlace('127.0.0.1', portOf(server.place))
}
