/** A kernel that watches no further descriptor (fs.epoll.max_user_watches, memory): an expected failure, and no fault of ours. */
import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { type AddressInfo, connect, createServer } from 'node:net'
import { once } from 'node:events'
import { test } from 'node:test'
import { type Failure, failure, parseIp } from '@socksmith/protocol'
import { systemClock } from '../../src/node/system-clock.ts'
import { DatagramBatch } from '../../src/linux/datagram-batch.ts'
import { EventLoop } from '../../src/linux/event-loop.ts'
import { openDatagrams } from '../../src/linux/linux-datagrams.ts'
import { dial } from '../../src/linux/linux-dialer.ts'
import { listen } from '../../src/linux/linux-listener.ts'
import { type SystemCalls, loadSystemCalls } from '../../src/linux/system-calls.ts'
import type { Place } from '../../src/ports.ts'

const loaded = loadSystemCalls()
const skip = loaded.kind === 'missing' ? loaded.reason : false

const ENOSPC = 28
const REFUSED = { ...failure('too_busy', 'us', 'the kernel watches no further descriptor (ENOSPC)'), errno: 'ENOSPC' }

/** The calls, of which `epoll_ctl` fails as long as `isFull`. */
function fullCalls(): { readonly calls: SystemCalls; isFull: boolean } {
  assert.ok(loaded.kind === 'loaded')
  const own = loaded.calls
  let hasRefused = false
  const calls: SystemCalls = {
    ...own,
    errno() {
      const errno = hasRefused ? ENOSPC : own.errno()
      hasRefused = false
      return errno
    },
    epollCtl(...args) {
      hasRefused = state.isFull
      return state.isFull ? -1 : own.epollCtl(...args)
    },
  }
  const state = { calls, isFull: true }
  return state
}

function loopback(port: number): Extract<Place, { kind: 'ip' }> {
  const address = parseIp('127.0.0.1')
  assert.ok(address !== undefined)
  return { kind: 'ip', endpoint: { address, port } }
}

test('nobody is watched, nothing stays open, and whoever asked is told why', { skip }, async t => {
  const loop = new EventLoop(fullCalls().calls)
  const server = createServer().listen(0, '127.0.0.1')
  t.after(() => server.close())
  await once(server, 'listening')
  const before = readdirSync('/proc/self/fd').length
  const place = loopback(0)
  const failures: unknown[] = [
    await dial(loop, systemClock, loopback((server.address() as AddressInfo).port), { timeoutMs: 1_000 }).result,
    await listen(loop, systemClock, { place, backlog: 1 }, { onConnection() {}, onAcceptFailure() {} }),
    openDatagrams(loop, new DatagramBatch(loop.calls), place.endpoint, { onDatagram() {}, onFailure() {} }),
  ]
  for (const told of failures) assert.deepEqual(told, REFUSED)
  assert.equal(loop.count, 0)
  assert.equal(readdirSync('/proc/self/fd').length, before)
})

test('a newcomer who cannot be watched is closed, and the next one is served', { skip }, async () => {
  const state = fullCalls()
  const loop = new EventLoop(state.calls)
  const reported = Promise.withResolvers<Failure>()
  const accepted = Promise.withResolvers<void>()
  state.isFull = false
  const listener = await listen(
    loop,
    systemClock,
    { place: loopback(0), backlog: 4 },
    {
      onAcceptFailure: reported.resolve,
      onConnection(connection) {
        connection.destroy()
        accepted.resolve()
      },
    },
  )
  assert.ok(!('code' in listener) && listener.place.kind === 'ip')
  const { port } = listener.place.endpoint
  state.isFull = true
  const turnedAway = connect(port, '127.0.0.1')
  assert.deepEqual(await reported.promise, REFUSED)
  turnedAway.resume()
  await once(turnedAway, 'close')
  state.isFull = false
  const served = connect(port, '127.0.0.1').resume()
  await accepted.promise
  await once(served, 'close')
  await listener.close()
})
