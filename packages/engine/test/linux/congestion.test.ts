/** Streams on loopback are not paced, whatever the system's congestion control is. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { type IpAddress, parseIp } from '@socksmith/protocol'
import { IPPROTO_TCP, TCP_CONGESTION } from '../../src/linux/abi.ts'
import { LinuxConnection } from '../../src/linux/linux-connection.ts'
import { createLinuxEngine } from '../../src/linux/linux-engine.ts'
import { loadSystemCalls } from '../../src/linux/system-calls.ts'
import type { Connection } from '../../src/ports.ts'

const NAME_OCTETS = 16

/** The congestion control of a connection. */
function congestionOf(connection: Connection): string {
  const loaded = loadSystemCalls()
  assert.ok(loaded.kind !== 'missing' && connection instanceof LinuxConnection)
  const name = Buffer.alloc(NAME_OCTETS)
  const length = Buffer.from(Uint32Array.of(NAME_OCTETS).buffer)
  assert.equal(loaded.calls.getsockopt(connection.fd, IPPROTO_TCP, TCP_CONGESTION, name, length), 0)
  return name.subarray(0, name.indexOf(0)).toString()
}

const made = createLinuxEngine()
const skip = 'reason' in made ? made.reason : false
for (const [listenAt, dialAt] of [
  ['127.0.0.1', '127.0.0.1'],
  ['0.0.0.0', '127.0.0.2'],
] as const) {
  test(`neither end of a stream on loopback is paced, to a listener on ${listenAt}`, { skip }, async t => {
    assert.ok('engine' in made)
    const { engine } = made
    const accepted = Promise.withResolvers<Connection>()
    const place = { kind: 'ip', endpoint: { address: addressOf(listenAt), port: 0 } } as const
    const listener = await engine.listen(
      { place, backlog: 1 },
      { onConnection: connection => accepted.resolve(connection), onAcceptFailure: why => accepted.reject(why) },
    )
    assert.ok('place' in listener && listener.place.kind === 'ip')
    t.after(() => listener.close())
    const to = { kind: 'ip', endpoint: { address: addressOf(dialAt), port: listener.place.endpoint.port } } as const
    const dialled = await engine.dial(to, { timeoutMs: 5_000 }).result
    assert.ok(!('code' in dialled))
    t.after(() => dialled.destroy())
    const peer = await accepted.promise
    t.after(() => peer.destroy())
    const system = readFileSync('/proc/sys/net/ipv4/tcp_congestion_control', 'latin1').trim()
    const expected = system.startsWith('bbr') ? 'reno' : system
    assert.deepEqual([congestionOf(dialled), congestionOf(peer)], [expected, expected])
  })
}

function addressOf(text: string): IpAddress {
  const address = parseIp(text)
  assert.ok(address !== undefined)
  return address
}
