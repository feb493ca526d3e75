/** What every engine's TLS must do. */
import assert from 'node:assert/strict'
import { describe } from 'node:test'
import { connect } from 'node:tls'
import type { ConnectionOptions } from 'node:tls'
import { NO_OCTETS } from '@socksmith/protocol'
import type { Failure } from '@socksmith/protocol'
import type { Connection, SecureOptions } from '../../src/ports.ts'
import { ALICE, AUTHORITY, BOB, SERVER, STRANGER } from '../data/certificates.ts'
import type { Pem } from '../data/certificates.ts'
import { VirtualClock } from '../virtual-clock.ts'
import { leakTest, must, mustFail, pair, Peer, Recorder, until } from './scene.ts'
import type { Cannot, MakeEngine } from './scene.ts'

const OPTIONS: SecureOptions = { certificate: SERVER.certificate, key: SERVER.key, timeoutMs: 10_000 }
const ASKING: SecureOptions = { ...OPTIONS, clientAuthorities: AUTHORITY }
const REQUIRING: SecureOptions = { ...ASKING, clientCertificateRequired: true }

/** Runs the contract of TLS. */
export function secureContract(makeEngine: MakeEngine, cannot: Cannot): void {
  describe('TLS', { skip: cannot.secure ?? false }, () => {
    handshakeCases(makeEngine)
    certificateCases(makeEngine)
    failureCases(makeEngine)
  })
}

function handshakeCases(makeEngine: MakeEngine): void {
  leakTest('carries plain octets inside, half-closes and ends', async () => {
    const { connection, client } = await handshake(makeEngine, OPTIONS)
    const ours = must(connection)
    const reader = new Recorder()
    ours.read(reader)
    client.listen().socket.end('ping')
    await until(() => reader.octets.toString() === 'ping' && reader.ends === 1, 'ping and FIN')
    ours.write(Buffer.from('pong'))
    ours.end()
    await until(() => client.text === 'pong' && client.hasEnd, 'pong and FIN')
    await until(() => reader.closes.length === 1 && client.hasClosed, 'closed')
    assert.deepEqual(reader.closes, ['ended'])
    assert.equal(ours.certificateName, undefined)
  })

  leakTest('takes the octets that were read before it', async () => {
    const engine = makeEngine()
    const { ours, peer } = await pair(engine)
    const first = new Recorder()
    ours.read(first)
    const client = new Peer(connect({ socket: peer.socket, ca: AUTHORITY, servername: 'localhost' }))
    await until(() => first.total > 0, 'the client hello')
    ours.pause()
    const inside = must(await engine.secure(ours, first.octets, OPTIONS))
    inside.write(Buffer.from('inside'))
    await until(() => client.listen().text.startsWith('inside'), 'inside')
    inside.destroy()
    client.socket.destroy()
    assert.deepEqual(first.closes, [])
  })

  leakTest('passes RST in both directions', async () => {
    const ours = await handshake(makeEngine, OPTIONS)
    const inside = must(ours.connection)
    const reader = new Recorder()
    inside.read(reader)
    ours.client.listen()
    inside.reset()
    await until(() => ours.client.hasClosed && reader.closes.length === 1, 'closed')
    assert.equal(ours.client.error, 'ECONNRESET')
    assert.deepEqual(reader.closes, ['destroyed'])

    const theirs = await handshake(makeEngine, OPTIONS)
    const second = new Recorder()
    must(theirs.connection).read(second)
    theirs.client.listen().socket.write('x')
    await until(() => second.total === 1, 'the handshake is over on both sides')
    theirs.plain.socket.resetAndDestroy()
    await until(() => second.closes.length === 1, 'closed')
    assert.deepEqual(second.closes, ['reset'])
    theirs.client.socket.destroy()
  })
}

function certificateCases(makeEngine: MakeEngine): void {
  const cases: [string, SecureOptions, Pem | undefined, string | undefined][] = [
    ['the common name of a certificate', ASKING, ALICE, 'alice'],
    ['the first alternative name, without a common name', REQUIRING, BOB, 'bob@example.com'],
    ['no name of a strange authority', ASKING, STRANGER, undefined],
    ['no name without a certificate', ASKING, undefined, undefined],
    ['no name when none is asked for', OPTIONS, ALICE, undefined],
  ]
  for (const [what, options, pem, name] of cases) {
    leakTest(`tells ${what}`, async () => {
      const { connection, client } = await handshake(makeEngine, options, pem)
      const ours = must(connection)
      assert.equal(ours.certificateName, name)
      ours.destroy()
      client.socket.destroy()
    })
  }
  for (const [who, pem] of Object.entries({ nobody: undefined, stranger: STRANGER })) {
    leakTest(`refuses a client when a certificate is required: ${who}`, async () => {
      const { connection, client } = await handshake(makeEngine, REQUIRING, pem)
      const refused = mustFail(connection)
      assert.deepEqual([refused.code, refused.blame], ['not_allowed', 'client'])
      client.socket.destroy()
    })
  }
}

function failureCases(makeEngine: MakeEngine): void {
  const unusable: [string, SecureOptions][] = [
    ['PEM that is none', { ...OPTIONS, key: 'no key' }],
    ['a required certificate without an authority', { ...OPTIONS, clientCertificateRequired: true }],
  ]
  for (const [what, options] of unusable) {
    leakTest(`blames us for ${what}, and closes`, async () => {
      const engine = makeEngine()
      const { ours, peer } = await pair(engine)
      const failed = mustFail(await engine.secure(ours, NO_OCTETS, options))
      assert.deepEqual([failed.code, failed.blame], ['general_failure', 'us'])
      await until(() => peer.listen().hasEnd, 'closed')
      peer.socket.destroy()
    })
  }

  leakTest('refuses a client that does not speak TLS, or goes away', async () => {
    const engine = makeEngine()
    const codes = []
    for (const act of [
      (peer: Peer) => peer.socket.write('GET / HTTP/1.1\r\n\r\n'),
      (peer: Peer) => peer.socket.destroy(),
    ]) {
      const { ours, peer } = await pair(engine)
      act(peer)
      const failed = mustFail(await engine.secure(ours, NO_OCTETS, OPTIONS))
      codes.push([failed.code, failed.blame])
      peer.socket.destroy()
    }
    assert.deepEqual(codes, [
      ['unknown_protocol', 'client'],
      ['aborted', 'client'],
    ])
  })

  leakTest('gives up a client that says nothing, at the limit', async () => {
    const clock = new VirtualClock()
    const engine = makeEngine(clock)
    const { ours, peer } = await pair(engine)
    let result: object | undefined
    void engine.secure(ours, NO_OCTETS, { ...OPTIONS, timeoutMs: 5_000 }).then(value => (result = value))
    await clock.advance(4_999)
    assert.equal(result, undefined)
    await clock.advance(1)
    assert.ok(result)
    assert.equal(mustFail(result).code, 'timed_out')
    await until(() => peer.listen().hasEnd, 'closed')
    peer.socket.destroy()
  })
}

async function handshake(
  makeEngine: MakeEngine,
  options: SecureOptions,
  pem?: Pem,
): Promise<{ connection: Connection | Failure; client: Peer; plain: Peer }> {
  const engine = makeEngine()
  const { ours, peer } = await pair(engine)
  const own: ConnectionOptions = pem === undefined ? {} : { cert: pem.certificate, key: pem.key }
  const socket = connect({ socket: peer.socket, ca: AUTHORITY, servername: 'localhost', ...own })
  const client = new Peer(socket)
  return { connection: await engine.secure(ours, NO_OCTETS, options), client, plain: peer }
}
