/** What every engine's TLS must do at the client's end. */
import assert from 'node:assert/strict'
import { describe } from 'node:test'
import { TLSSocket } from 'node:tls'
import type { TLSSocketOptions } from 'node:tls'
import { NO_OCTETS } from '@socksmith/protocol'
import type { Failure } from '@socksmith/protocol'
import type { Connection, ConnectionReader, SecureAsClientOptions } from '../../src/ports.ts'
import { ALICE, AUTHORITY, SERVER } from '../data/certificates.ts'
import { VirtualClock } from '../virtual-clock.ts'
import { leakTest, must, mustFail, pair, Peer, Recorder, until } from './scene.ts'
import type { Cannot, MakeEngine } from './scene.ts'

const AS_CLIENT: SecureAsClientOptions = { serverName: 'localhost', authorities: AUTHORITY, timeoutMs: 10_000 }

/** Runs the contract of TLS at the client's end. */
export function secureClientContract(makeEngine: MakeEngine, cannot: Cannot): void {
  describe('TLS as a client', { skip: cannot.secure ?? false }, () => {
    clientCases(makeEngine)
    clientFailureCases(makeEngine)
  })
}

function clientCases(makeEngine: MakeEngine): void {
  leakTest('carries plain octets inside, half-closes and ends', async () => {
    const { connection, server } = await handshakeAsClient(makeEngine, AS_CLIENT)
    const ours = must(connection)
    const reader = new Recorder()
    ours.read(reader)
    server.listen()
    ours.write(Buffer.from('ping'))
    ours.end()
    await until(() => server.text === 'ping' && server.hasEnd, 'ping and FIN')
    server.socket.end('pong')
    await until(() => reader.octets.toString() === 'pong' && reader.ends === 1, 'pong and FIN')
    await until(() => reader.closes.length === 1 && server.hasClosed, 'closed')
    assert.deepEqual(reader.closes, ['ended'])
    assert.equal(ours.remote.kind, 'ip')
  })

  leakTest('runs on a connection of no engine at all, and compares an address as one', async () => {
    const engine = makeEngine()
    const { ours, peer } = await pair(engine)
    const securing = engine.secureAsClient(new Foreign(ours), NO_OCTETS, { ...AS_CLIENT, serverName: '127.0.0.1' })
    const server = new Peer(new TLSSocket(peer.socket, serverOptions()))
    const inside = must(await securing.result)
    server.listen().socket.write('inside')
    const reader = new Recorder()
    inside.read(reader)
    await until(() => reader.octets.toString() === 'inside', 'inside')
    inside.destroy()
    server.socket.destroy()
  })

  leakTest('shows our certificate to a server that asks for one, and is inside another TLS', async () => {
    const engine = makeEngine()
    const { ours, peer } = await pair(engine)
    const outer = engine.secureAsClient(ours, NO_OCTETS, AS_CLIENT)
    const outerServer = new TLSSocket(peer.socket, serverOptions())
    const carrier = must(await outer.result)
    const inner = engine.secureAsClient(carrier, NO_OCTETS, {
      ...AS_CLIENT,
      certificate: ALICE.certificate,
      key: ALICE.key,
    })
    const innerServer = new TLSSocket(outerServer, { ...serverOptions(), requestCert: true, ca: AUTHORITY })
    const server = new Peer(innerServer)
    const inside = must(await inner.result)
    inside.read(new Recorder())
    await until(() => innerServer.getPeerCertificate()?.subject?.CN === 'alice', 'alice is known')
    inside.write(Buffer.from('twice'))
    await until(() => server.listen().text.startsWith('twice'), 'twice')
    inside.destroy()
    server.socket.destroy()
    outerServer.destroy()
  })
}

function clientFailureCases(makeEngine: MakeEngine): void {
  leakTest('believes no certificate of a strange authority or another name, unless it is told to', async () => {
    const doubts: [SecureAsClientOptions, RegExp][] = [
      [{ serverName: 'localhost', timeoutMs: 10_000 }, /CERT|SIGNATURE|ISSUER/],
      [{ ...AS_CLIENT, serverName: 'other.example' }, /ALTNAME/],
    ]
    for (const [options, errno] of doubts) {
      const { connection, server } = await handshakeAsClient(makeEngine, options)
      const failed = mustFail(connection)
      assert.deepEqual([failed.code, failed.blame], ['not_allowed', 'target'])
      assert.match(failed.errno ?? '', errno)
      server.socket.destroy()
    }
    const any = { serverName: 'other.example', dangerAcceptAnyCertificate: true, timeoutMs: 10_000 }
    const { connection, server } = await handshakeAsClient(makeEngine, any)
    must(connection).destroy()
    server.socket.destroy()
  })

  leakTest('tells what is no TLS from a server that leaves', async () => {
    const engine = makeEngine()
    const codes: unknown[] = []
    for (const act of [(peer: Peer) => peer.socket.end('220 hello\r\n'), (peer: Peer) => peer.socket.destroy()]) {
      const { ours, peer } = await pair(engine)
      const securing = engine.secureAsClient(ours, NO_OCTETS, AS_CLIENT)
      act(peer)
      const failed = mustFail(await securing.result)
      codes.push([failed.code, failed.blame])
      peer.socket.destroy()
    }
    assert.deepEqual(codes, [
      ['unknown_protocol', 'target'],
      ['aborted', 'target'],
    ])
  })

  leakTest('gives up a server that says nothing at the limit, and at once when it is told to', async () => {
    const clock = new VirtualClock()
    const engine = makeEngine(clock)
    const silent = await pair(engine)
    let result: object | undefined
    const securing = engine.secureAsClient(silent.ours, NO_OCTETS, { ...AS_CLIENT, timeoutMs: 5_000 })
    void securing.result.then(value => (result = value))
    await clock.advance(4_999)
    assert.equal(result, undefined)
    await clock.advance(1)
    assert.ok(result)
    assert.equal(mustFail(result).code, 'timed_out')
    const second = await pair(engine)
    const given = engine.secureAsClient(second.ours, NO_OCTETS, AS_CLIENT)
    given.cancel()
    assert.deepEqual(await given.result, { code: 'aborted', blame: 'us', detail: 'the handshake was given up' })
    await until(() => silent.peer.listen().hasEnd && second.peer.listen().hasEnd, 'closed')
    silent.peer.socket.destroy()
    second.peer.socket.destroy()
  })
}

function serverOptions(): TLSSocketOptions {
  return { isServer: true, cert: SERVER.certificate, key: SERVER.key }
}

async function handshakeAsClient(
  makeEngine: MakeEngine,
  options: SecureAsClientOptions,
): Promise<{ connection: Connection | Failure; server: Peer }> {
  const engine = makeEngine()
  const { ours, peer } = await pair(engine)
  const securing = engine.secureAsClient(ours, NO_OCTETS, options)
  const server = new Peer(new TLSSocket(peer.socket, serverOptions()))
  return { connection: await securing.result, server }
}

/** A connection of no engine: the port alone must do. */
class Foreign implements Connection {
  readonly #inner: Connection
  readonly local: Connection['local']
  readonly remote: Connection['remote']

  constructor(inner: Connection) {
    this.#inner = inner
    this.local = inner.local
    this.remote = inner.remote
  }

  get unsentOctets(): number {
    return this.#inner.unsentOctets
  }
  read(reader: ConnectionReader): void {
    this.#inner.read(reader)
  }
  pause(): void {
    this.#inner.pause()
  }
  resume(): void {
    this.#inner.resume()
  }
  write(octets: Uint8Array): void {
    this.#inner.write(octets)
  }
  onceSent(callback: () => void): void {
    this.#inner.onceSent(callback)
  }
  end(): void {
    this.#inner.end()
  }
  destroy(): void {
    this.#inner.destroy()
  }
  reset(): void {
    this.#inner.reset()
  }
}
