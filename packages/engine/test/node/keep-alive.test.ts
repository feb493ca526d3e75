/** That a quiet connection outlives a short outage: how often, and for how long, the kernel asks whether its peer is there. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { socketOf } from '@socksmith/engine'
import { IPPROTO_TCP } from '../../src/linux/abi.ts'
import { loadSystemCalls } from '../../src/linux/system-calls.ts'
import { createNodeEngine } from '../../src/node/node-engine.ts'
import type { Connection } from '../../src/ports.ts'
import { LOOPBACK, must } from '../contract/scene.ts'

// linux/tcp.h
const [TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT] = [4, 5, 6]
const OUTAGE_SECONDS = 100
const loaded = loadSystemCalls()
const skip =
  loaded.kind === 'missing' ? loaded.reason : Number.parseInt(process.versions.node, 10) < 26 && 'an old Node'

/** Seconds until the first question, between two, and how many there are. */
function asked(connection: Connection): readonly number[] {
  assert.ok(loaded.kind === 'loaded')
  const socket = socketOf(connection) as unknown as { readonly _handle?: { readonly fd: number } }
  const fd = socket['_handle']?.fd ?? -1
  return [TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT].map(name => {
    const [value, length] = [Buffer.alloc(4), Buffer.from(Uint32Array.of(4).buffer)]
    assert.equal(loaded.calls.getsockopt(fd, IPPROTO_TCP, name, value, length), 0)
    return value.readInt32LE()
  })
}

test('both ends of the portable engine wait through an outage of some minutes', { skip }, async (t: TestContext) => {
  const engine = createNodeEngine()
  const accepted = Promise.withResolvers<Connection>()
  const listener = must(
    await engine.listen({ place: LOOPBACK, backlog: 8 }, { onConnection: accepted.resolve, onAcceptFailure: () => {} }),
  )
  t.after(() => listener.close())
  const dialled = must(await engine.dial(listener.place, { timeoutMs: 5_000 }).result)
  for (const connection of [dialled, await accepted.promise]) {
    const [idle = 0, interval = 0, count = 0] = asked(connection)
    assert.equal(idle, 60)
    assert.ok(interval * count >= OUTAGE_SECONDS, `${interval} s, ${count} times`)
    connection.destroy()
  }
})
