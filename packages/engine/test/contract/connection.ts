/** What every engine's connection must do. */
import assert from 'node:assert/strict'
import { describe } from 'node:test'
import { collect, leakTest, pair, plainClient, Recorder, steady, until } from './scene.ts'
import type { MakeEngine } from './scene.ts'
import { temporaryPath } from './temporary-path.ts'

const MEBIBYTE = 1024 * 1024

/** Runs the contract of connections. */
export function connectionContract(makeEngine: MakeEngine): void {
  describe('a connection', () => {
    readingCases(makeEngine)
    writingCases(makeEngine)
    closingCases(makeEngine)
  })
}

function readingCases(makeEngine: MakeEngine): void {
  leakTest('tells both ends of itself', async () => {
    const { listener, accepted } = await collect(makeEngine())
    const peer = await plainClient(listener.place)
    await until(() => accepted.length === 1, 'accepted')
    const [ours] = accepted
    assert.deepEqual(ours?.local, listener.place)
    assert.equal(ours.remote.kind === 'ip' && ours.remote.endpoint.port, peer.socket.localPort)
    ours.destroy()
    peer.socket.destroy()
    await listener.close()
  })

  leakTest('reads nothing before it has a reader, and then everything', async () => {
    const { ours, peer } = await pair(makeEngine())
    const chunk = Buffer.alloc(MEBIBYTE, 'x')
    let taken = 0
    // More than all buffers on the way: some of it must stay with the sender.
    for (let i = 0; i < 64; i++) peer.socket.write(chunk, () => taken++)
    assert.ok((await steady(() => peer.socket.writableLength)) > 0, 'the sender is stopped')
    const reader = new Counter()
    ours.read(reader)
    await until(() => reader.total === 64 * MEBIBYTE, 'all arrived')
    assert.equal(taken, 64)
    ours.destroy()
    peer.socket.destroy()
  })

  leakTest('hands over to another reader without losing an octet while the other end keeps sending', async () => {
    const { ours, peer } = await pair(makeEngine())
    const sent = Buffer.alloc(4 * MEBIBYTE, Buffer.from(Array.from({ length: 251 }, (_, i) => i)))
    const got: Buffer[] = []
    let readers = 0
    const nextReader = (): void => {
      readers++
      let isMine = true
      ours.read({
        onOctets(octets) {
          assert.ok(isMine, 'a reader that was replaced is told nothing')
          got.push(Buffer.from(octets))
          isMine = false
          nextReader()
        },
        onEnd() {},
        onClose() {},
      })
    }
    nextReader()
    peer.socket.write(sent)
    await until(() => got.reduce((sum, one) => sum + one.length, 0) === sent.length, 'all arrived')
    assert.ok(readers > 2)
    assert.ok(Buffer.concat(got).equals(sent))
    ours.destroy()
    peer.socket.destroy()
  })

  leakTest('tells a later reader of a FIN and of a close that came before it', async () => {
    const { ours, peer } = await pair(makeEngine())
    const [first, second, third] = [new Recorder(), new Recorder(), new Recorder()]
    ours.read(first)
    peer.socket.end('last')
    await until(() => first.ends === 1, 'FIN')
    ours.read(second)
    await until(() => second.ends === 1, 'FIN again')
    ours.destroy()
    await until(() => second.closes.length === 1, 'closed')
    ours.read(third)
    await until(() => third.closes.length === 1, 'closed again')
    assert.deepEqual([first.closes, second.closes, third.closes], [[], ['destroyed'], ['destroyed']])
    peer.socket.destroy()
  })

  leakTest('stops the sender while it is paused', async () => {
    const { ours, peer } = await pair(makeEngine())
    const reader = new Counter()
    ours.read(reader)
    ours.pause()
    const writes = 32
    let taken = 0
    for (let i = 0; i < writes; i++) peer.socket.write(Buffer.alloc(MEBIBYTE), () => taken++)
    assert.ok((await steady(() => peer.socket.writableLength)) > 0, 'the sender is stopped')
    assert.equal(reader.total, 0)
    ours.resume()
    await until(() => reader.total === writes * MEBIBYTE && taken === writes, 'all arrived')
    ours.destroy()
    peer.socket.destroy()
  })
}

/** Counts only: for volumes. */
class Counter extends Recorder {
  override onOctets = (octets: Uint8Array): void => {
    this.total += octets.length
  }
}

function writingCases(makeEngine: MakeEngine): void {
  leakTest('sends in order, says what is unsent, and when all is sent', async () => {
    const { ours, peer } = await pair(makeEngine())
    for (let i = 0; i < 32; i++) ours.write(Buffer.alloc(MEBIBYTE, i))
    ours.end()
    assert.ok(ours.unsentOctets > 0)
    let sent = 0
    ours.onceSent(() => sent++)
    assert.equal(sent, 0)
    peer.listen()
    await until(() => sent === 1 && ours.unsentOctets === 0, 'all sent')
    await until(() => peer.hasEnd, 'FIN after all octets')
    assert.equal(peer.received, 32 * MEBIBYTE)
    ours.onceSent(() => sent++)
    await until(() => sent === 2, 'nothing unsent: called back all the same')
    ours.destroy()
    peer.socket.destroy()
  })

  leakTest('calls back for unsent octets when it is destroyed, once', async () => {
    const { ours, peer } = await pair(makeEngine())
    ours.write(Buffer.alloc(32 * MEBIBYTE))
    let sent = 0
    ours.onceSent(() => sent++)
    ours.destroy()
    await until(() => sent === 1, 'called back')
    ours.onceSent(() => sent++)
    await until(() => sent === 2, 'called back after it is gone')
    peer.socket.destroy()
  })

  leakTest('ignores what is written after its end, and every call after it is gone', async () => {
    const { ours, peer } = await pair(makeEngine())
    const reader = new Recorder()
    ours.read(reader)
    peer.listen()
    ours.write(Buffer.from('a'))
    ours.end()
    ours.end()
    ours.write(Buffer.from('b'))
    await until(() => peer.hasEnd, 'FIN')
    peer.socket.end()
    await until(() => reader.closes.length === 1, 'closed')
    ours.write(Buffer.from('c'))
    ours.end()
    ours.pause()
    ours.resume()
    ours.destroy()
    ours.reset()
    assert.equal(peer.text, 'a')
    assert.deepEqual(reader.closes, ['ended'])
  })

  leakTest('reads on after it sent FIN, and writes on after it received one', async () => {
    const { ours, peer } = await pair(makeEngine())
    const reader = new Recorder()
    ours.read(reader)
    peer.listen()
    ours.end()
    await until(() => peer.hasEnd, 'FIN')
    peer.socket.write('still')
    await until(() => reader.octets.toString() === 'still', 'reads on')
    peer.socket.end()
    await until(() => reader.closes.length === 1, 'closed')
    assert.equal(reader.ends, 1)

    const other = await pair(makeEngine())
    const otherReader = new Recorder()
    other.ours.read(otherReader)
    other.peer.listen().socket.end()
    await until(() => otherReader.ends === 1, 'FIN')
    other.ours.write(Buffer.from('still'))
    other.ours.end()
    await until(() => other.peer.text === 'still' && other.peer.hasEnd, 'writes on')
    await until(() => otherReader.closes.length === 1, 'closed')
    assert.deepEqual(otherReader.closes, ['ended'])
  })
}

function closingCases(makeEngine: MakeEngine): void {
  leakTest('says `reset` when RST comes', async () => {
    const { ours, peer } = await pair(makeEngine())
    const reader = new Recorder()
    ours.read(reader)
    peer.socket.resetAndDestroy()
    await until(() => reader.closes.length === 1, 'closed')
    assert.deepEqual(reader.closes, ['reset'])
    assert.equal(reader.ends, 0)
  })

  leakTest('survives RST before it has a reader, and tells the first one', async () => {
    const { ours, peer } = await pair(makeEngine())
    peer.socket.resetAndDestroy()
    await until(() => peer.hasClosed, 'reset sent')
    const reader = new Recorder()
    ours.read(reader)
    await until(() => reader.closes.length === 1, 'closed')
    assert.deepEqual(reader.closes, ['reset'])
  })

  leakTest('sends RST: the other end sees ECONNRESET, also after our FIN and with octets unsent', async () => {
    const steps = [
      () => {},
      (one: { end(): void }) => one.end(),
      (one: { write(octets: Uint8Array): void }) => one.write(Buffer.alloc(32 * MEBIBYTE)),
    ]
    for (const step of steps) {
      const { ours, peer } = await pair(makeEngine())
      const reader = new Recorder()
      ours.read(reader)
      step(ours)
      ours.reset()
      ours.reset()
      await until(() => reader.closes.length === 1, 'closed here')
      assert.deepEqual(reader.closes, ['destroyed'])
      peer.listen()
      await until(() => peer.hasClosed || peer.hasEnd, 'told there')
      if (peer.hasEnd) peer.socket.write('provoke')
      await until(() => peer.hasClosed, 'closed there')
      assert.match(String(peer.error), /ECONNRESET|EPIPE/)
    }
  })

  leakTest('delivers nothing after destroy, even from inside a delivery', async () => {
    const { ours, peer } = await pair(makeEngine())
    const seen: string[] = []
    ours.read({
      onOctets() {
        seen.push('octets')
        ours.destroy()
      },
      onEnd: () => void seen.push('end'),
      onClose: cause => void seen.push(cause),
    })
    peer.socket.end(Buffer.alloc(MEBIBYTE))
    await until(() => seen.includes('destroyed'), 'closed')
    peer.listen()
    await until(() => peer.hasClosed, 'closed there')
    assert.deepEqual(seen, ['octets', 'destroyed'])
  })

  leakTest('over a Unix socket does the same, and its reset is a close', async () => {
    const path = temporaryPath()
    const { ours, peer } = await pair(makeEngine(), { kind: 'unix', path })
    const reader = new Recorder()
    ours.read(reader)
    peer.listen().socket.write('ping')
    await until(() => reader.octets.toString() === 'ping', 'ping')
    ours.write(Buffer.from('pong'))
    await until(() => peer.text === 'pong', 'pong')
    assert.deepEqual(ours.local, { kind: 'unix', path })
    ours.reset()
    await until(() => peer.hasEnd && reader.closes.length === 1, 'closed')
    peer.socket.destroy()
  })
}
