/** What every engine's listener must do. */
import assert from 'node:assert/strict'
import fs, { existsSync, linkSync, statSync, writeFileSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { describe } from 'node:test'
import {
  collect,
  ipPlace,
  leakTest,
  LOOPBACK,
  must,
  mustFail,
  plainClient,
  plainServer,
  portOf,
  until,
} from './scene.ts'
import type { Cannot, MakeEngine, Peer } from './scene.ts'
import { temporaryPath } from './temporary-path.ts'

const SILENT = { onConnection: () => {}, onAcceptFailure: () => {} }

/** Runs the contract of listeners. */
export function listenerContract(makeEngine: MakeEngine, cannot: Cannot): void {
  describe('a listener', () => {
    tcpCases(makeEngine, cannot)
    pauseCases(makeEngine)
  })
  describe('a listener on a Unix socket', () => unixCases(makeEngine))
}

function tcpCases(makeEngine: MakeEngine, cannot: Cannot): void {
  leakTest('takes any free port and tells which; a taken one is a failure of ours', async () => {
    const engine = makeEngine()
    const listener = must(await engine.listen({ place: LOOPBACK, backlog: 8 }, SILENT))
    assert.notEqual(portOf(listener.place), 0)
    const second = mustFail(await engine.listen({ place: listener.place, backlog: 8 }, SILENT))
    assert.deepEqual([second.errno, second.blame], ['EADDRINUSE', 'us'])
    await listener.close()
    await must(await engine.listen({ place: listener.place, backlog: 8 }, SILENT)).close()
  })

  leakTest('frees the port by `close`; what it accepted lives on', async () => {
    const { listener, accepted } = await collect(makeEngine())
    const peer = await plainClient(listener.place)
    await until(() => accepted.length === 1, 'accepted')
    await listener.close()
    await listener.close()
    const late = await plainClient(listener.place)
    await until(() => late.hasClosed, 'refused')
    assert.equal(late.error, 'ECONNREFUSED')
    accepted[0]?.write(Buffer.from('alive'))
    await until(() => peer.listen().text.startsWith('alive'), 'alive')
    accepted[0]?.destroy()
    peer.socket.destroy()
  })

  leakTest(
    'takes IPv6',
    async () => {
      const { listener, accepted } = await collect(makeEngine(), ipPlace('::1', 0))
      const peer = await plainClient(listener.place)
      await until(() => accepted.length === 1, 'accepted')
      assert.deepEqual(accepted[0]?.remote, ipPlace('::1', peer.socket.localPort as number))
      accepted[0]?.destroy()
      peer.socket.destroy()
      await listener.close()
    },
    cannot.ipv6,
  )

  leakTest(
    'takes IPv4 on an IPv6 socket only when it is dual-stack, and then tells plain IPv4 addresses',
    async () => {
      const engine = makeEngine()
      const place = ipPlace('::ffff:127.0.0.1', 0)
      mustFail(await engine.listen({ place, backlog: 8 }, SILENT))
      const { listener, accepted } = await collect(engine, place, { dualStack: true })
      assert.deepEqual(listener.place, ipPlace('127.0.0.1', portOf(listener.place)))
      const peer = await plainClient(listener.place)
      await until(() => accepted.length === 1, 'accepted')
      assert.deepEqual(accepted[0]?.remote, ipPlace('127.0.0.1', peer.socket.localPort as number))
      accepted[0]?.destroy()
      peer.socket.destroy()
      await listener.close()
    },
    cannot.ipv6,
  )
}

function pauseCases(makeEngine: MakeEngine): void {
  leakTest('hands out nothing while paused, and then all that waited, with their octets, in order', async () => {
    const { listener, accepted } = await collect(makeEngine())
    listener.pause()
    const peers: Peer[] = []
    for (const text of ['first', 'second', 'third']) {
      const peer = await plainClient(listener.place)
      peer.socket.write(text)
      peers.push(peer)
    }
    await until(() => peers.every(peer => peer.socket.writableLength === 0), 'sent')
    assert.equal(accepted.length, 0)
    listener.resume()
    await until(() => accepted.length === 3, 'accepted')
    const texts = ['', '', '']
    accepted.forEach((one, i) =>
      one.read({ onOctets: octets => void (texts[i] += Buffer.from(octets).toString()), onEnd() {}, onClose() {} }),
    )
    await until(() => texts.join(' ') === 'first second third', 'their octets')
    for (const one of accepted) one.destroy()
    for (const peer of peers) peer.socket.destroy()
    await listener.close()
  })

  leakTest('lets those go that wait when it is closed', async () => {
    const { listener, accepted } = await collect(makeEngine())
    listener.pause()
    const peer = await plainClient(listener.place)
    await plainClient(listener.place).then(second => second.socket.destroy())
    // By now the first was taken from the kernel, where an engine does that.
    await listener.close()
    peer.listen()
    await until(() => peer.hasEnd || peer.hasClosed, 'told')
    peer.socket.destroy()
    assert.equal(accepted.length, 0)
  })
}

function refuseMode(): never {
  throw Object.assign(new Error('EPERM: operation not permitted, chmod'), { code: 'EPERM' })
}

function unixCases(makeEngine: MakeEngine): void {
  leakTest('a mode that cannot be set is a failure, and leaves no file', async () => {
    const path = temporaryPath()
    const { chmodSync } = fs
    fs.chmodSync = refuseMode
    syncBuiltinESMExports()
    try {
      const listening = { place: { kind: 'unix', path }, backlog: 8, mode: 0o600 } as const
      assert.equal(mustFail(await makeEngine().listen(listening, SILENT)).errno, 'EPERM')
      assert.equal(existsSync(path), false)
    } finally {
      fs.chmodSync = chmodSync
      syncBuiltinESMExports()
    }
  })

  leakTest('applies the mode, and removes the file by `close`', async () => {
    const path = temporaryPath()
    for (const mode of [0o600, 0o666]) {
      const listener = must(await makeEngine().listen({ place: { kind: 'unix', path }, backlog: 8, mode }, SILENT))
      assert.equal(statSync(path).mode & 0o777, mode)
      await listener.close()
      assert.equal(existsSync(path), false)
    }
  })

  leakTest('takes over the file of a dead listener', async () => {
    const [path, link] = [temporaryPath(), temporaryPath()]
    const server = await plainServer({ kind: 'unix', path })
    linkSync(path, link)
    server.close()
    await until(() => !existsSync(path), 'closed')
    assert.ok(existsSync(link))
    const { listener, accepted } = await collect(makeEngine(), { kind: 'unix', path: link })
    const peer = await plainClient(listener.place)
    await until(() => accepted.length === 1, 'accepted')
    accepted[0]?.destroy()
    peer.socket.destroy()
    await listener.close()
  })

  leakTest('leaves a live listener and a file of another kind alone', async () => {
    const [live, file] = [temporaryPath(), temporaryPath()]
    const server = await plainServer({ kind: 'unix', path: live })
    writeFileSync(file, 'precious')
    for (const path of [live, file]) {
      const refused = mustFail(await makeEngine().listen({ place: { kind: 'unix', path }, backlog: 8 }, SILENT))
      assert.deepEqual([refused.errno, refused.blame], ['EADDRINUSE', 'us'])
      assert.ok(existsSync(path))
    }
    const peer = await plainClient({ kind: 'unix', path: live })
    peer.socket.write('alive?')
    // Whether the engine tried to connect, to find out, is its own affair.
    await until(() => server.peers.some(one => one.listen().text === 'alive?'), 'still alive')
    peer.socket.destroy()
    for (const one of server.peers) one.socket.destroy()
    server.close()
  })
}
