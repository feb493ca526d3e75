/** A kernel that does not tell where a socket is bound: nobody is told port 0, and nothing stays open. */
import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { test } from 'node:test'
import { ANY_IPV4 } from '@socksmith/protocol'
import { systemClock } from '../../src/node/system-clock.ts'
import { DatagramBatch } from '../../src/linux/datagram-batch.ts'
import { EventLoop } from '../../src/linux/event-loop.ts'
import { openDatagrams } from '../../src/linux/linux-datagrams.ts'
import { listen } from '../../src/linux/linux-listener.ts'
import { type SystemCalls, loadSystemCalls } from '../../src/linux/system-calls.ts'

const loaded = loadSystemCalls()
const skip = loaded.kind === 'missing' ? loaded.reason : false

const ENOBUFS = 105
const REFUSED = { code: 'too_busy', blame: 'us', errno: 'ENOBUFS' }

test('listeners and datagrams at any port fail with what the kernel said', { skip }, async () => {
  assert.ok(loaded.kind === 'loaded')
  const calls: SystemCalls = { ...loaded.calls, getsockname: () => -1, errno: () => ENOBUFS }
  const loop = new EventLoop(calls)
  const before = readdirSync('/proc/self/fd').length
  const endpoint = { address: ANY_IPV4, port: 0 }
  const listening = { place: { kind: 'ip', endpoint }, backlog: 1 } as const
  assert.deepEqual(await listen(loop, systemClock, listening, { onConnection() {}, onAcceptFailure() {} }), REFUSED)
  const handler = { onDatagram() {}, onFailure() {} }
  assert.deepEqual(openDatagrams(loop, new DatagramBatch(calls), endpoint, handler), REFUSED)
  assert.equal(readdirSync('/proc/self/fd').length, before)
})
