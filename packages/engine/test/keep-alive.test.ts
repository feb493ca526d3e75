/** That quiet connections outlive a short outage, and each other: when, how often and for how long the kernel asks for peers. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { socketOf } from '@socksmith/engine'
import { IPPROTO_TCP } from '../src/linux/abi.ts'
import { LinuxConnection } from '../src/linux/linux-connection.ts'
import { createLinuxEngine } from '../src/linux/linux-engine.ts'
import { loadSystemCalls } from '../src/linux/system-calls.ts'
import { createNodeEngine } from '../src/node/node-engine.ts'
import type { Connection, Engine } from '../src/ports.ts'
import { LOOPBACK, must, until } from './contract/scene.ts'

// linux/tcp.h
const [TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT] = [4, 5, 6]
const OUTAGE_SECONDS = 100
/** Connections, and of both their ends those that may be asked in the same second. */
const [PAIRS, TOGETHER_MAX] = [256, 128]
const loaded = loadSystemCalls()
const missing = loaded.kind === 'missing' && loaded.reason
const linux = createLinuxEngine()
const linuxMissing = 'reason' in linux && linux.reason
const skipNode = missing || (Number.parseInt(process.versions.node, 10) < 26 && 'an old Node')

/** Seconds until the first question, between two, and how many there are. */
function asked(connection: Connection): readonly [idle: number, interval: number, count: number] {
  assert.ok(loaded.kind === 'loaded')
  const socket = socketOf(connection) as unknown as { readonly _handle?: { readonly fd: number } } | undefined
  const fd = connection instanceof LinuxConnection ? connection.fd : (socket?.['_handle']?.fd ?? -1)
  const valueOf = (name: number): number => {
    const [value, length] = [Buffer.alloc(4), Buffer.from(Uint32Array.of(4).buffer)]
    assert.equal(loaded.calls.getsockopt(fd, IPPROTO_TCP, name, value, length), 0)
    return value.readInt32LE()
  }
  return [valueOf(TCP_KEEPIDLE), valueOf(TCP_KEEPINTVL), valueOf(TCP_KEEPCNT)]
}

function linuxEngine(): Engine {
  assert.ok('engine' in linux)
  return linux.engine
}

/** Both ends of so many connections. */
async function openPairs(t: TestContext, engine: Engine, pairs: number): Promise<readonly Connection[]> {
  const ends: Connection[] = []
  t.after(() => ends.forEach(end => end.destroy()))
  const listener = must(
    await engine.listen(
      { place: LOOPBACK, backlog: 8 },
      { onConnection: accepted => void ends.push(accepted), onAcceptFailure: () => {} },
    ),
  )
  t.after(() => listener.close())
  for (let i = 0; i < pairs; i++) ends.push(must(await engine.dial(listener.place, { timeoutMs: 5_000 }).result))
  await until(() => ends.length === 2 * pairs, 'all are accepted')
  return ends
}

test('both ends of the portable engine wait through an outage of some minutes', { skip: skipNode }, async t => {
  for (const end of await openPairs(t, createNodeEngine(), 1)) {
    const [idle, interval, count] = asked(end)
    assert.ok(idle >= 60 && idle < 120, `${idle} s`)
    assert.ok(interval * count >= OUTAGE_SECONDS, `${interval} s, ${count} times`)
  }
})

for (const [name, skip, make] of [
  ['portable', missing, createNodeEngine],
  ['Linux', linuxMissing, linuxEngine],
] as const) {
  test(`the ${name} engine does not ask all at the same time`, { skip }, async t => {
    const seconds = (await openPairs(t, make(), PAIRS)).map(end => asked(end)[0])
    const together = Math.max(...[...Map.groupBy(seconds, idle => idle).values()].map(same => same.length))
    assert.ok(together <= TOGETHER_MAX, `${together} of ${2 * PAIRS}`)
    assert.ok(Math.min(...seconds) >= 60 && Math.max(...seconds) < 120)
  })
}
