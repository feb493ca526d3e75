/** Counts in shared memory hold for all threads together, and a dead thread's are given back. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'
import * as fc from 'fast-check'
import { type Tally, createSharedCounts, forgetThread, openSharedTally } from '@socksmith/server'
import type { IpAddress } from '@socksmith/protocol'
import { createTally } from '../src/tally.ts'
import { ip } from './scene.ts'

const CLIENTS: readonly (IpAddress | undefined)[] = [
  undefined,
  ...['192.0.2.1', '192.0.2.2', '::ffff:192.0.2.1', '2001:db8::1', '2001:db8::2', '::', '0.0.0.0', '10.0.0.1'].map(ip),
]

type Step = readonly [kind: 'take' | 'give', client: number, thread: number]
const steps = fc.array(fc.tuple(fc.constantFrom('take', 'give'), fc.nat(CLIENTS.length - 1), fc.nat(1)), {
  maxLength: 200,
}) as fc.Arbitrary<readonly Step[]>

test('the counts of clients are those of a plain map, whoever takes and gives back', () => {
  fc.assert(
    fc.property(steps, all => {
      const counts = createSharedCounts(2, 8)
      const shared = [openSharedTally(counts, 0), openSharedTally(counts, 1)]
      const plain = createTally()
      // Each thread gives back only what it took itself.
      const taken = shared.map(() => CLIENTS.map(() => 0))
      for (const [kind, client, thread] of all) {
        const tally = shared[thread] as Tally
        const mine = taken[thread] as number[]
        if (kind === 'take') {
          const allowed = tally.takeClient(CLIENTS[client], 3)
          assert.equal(allowed, plain.takeClient(CLIENTS[client], 3))
          if (allowed) mine[client] = (mine[client] ?? 0) + 1
        } else if ((mine[client] ?? 0) > 0) {
          tally.giveBackClient(CLIENTS[client])
          plain.giveBackClient(CLIENTS[client])
          mine[client] = (mine[client] ?? 0) - 1
        }
      }
    }),
  )
})

test('what a dead thread took is free again, and what the others took is not', () => {
  fc.assert(
    fc.property(steps, all => {
      const counts = createSharedCounts(2, 8)
      const [living, dying] = [openSharedTally(counts, 0), openSharedTally(counts, 1)]
      const own = CLIENTS.map(() => 0)
      for (const [, client, thread] of all) {
        if (!(thread === 0 ? living : dying).takeClient(CLIENTS[client], 1_000)) continue
        if (thread === 0) own[client] = (own[client] ?? 0) + 1
      }
      forgetThread(counts, 1)
      for (const [index, client] of CLIENTS.entries()) {
        // 192.0.2.1 is in the list twice, once as IPv4-mapped.
        const same = index === 1 || index === 3 ? (own[1] ?? 0) + (own[3] ?? 0) : (own[index] ?? 0)
        assert.equal(living.takeClient(client, same), false, 'so many are taken')
        assert.equal(living.takeClient(client, same + 1), true, 'and no more')
        living.giveBackClient(client)
      }
    }),
  )
})

test('a limit holds for all threads together, and is given back with a thread', () => {
  const counts = createSharedCounts(3, 8)
  const [a, b, c] = [0, 1, 2].map(thread => openSharedTally(counts, thread)) as [Tally, Tally, Tally]
  assert.deepEqual(
    [a, b, c, a].map(one => one.take('connections', 3)),
    [true, true, true, false],
  )
  assert.equal(a.take('pendingDials', 1), true)
  b.giveBack('connections')
  assert.equal(c.take('connections', 3), true)
  forgetThread(counts, 2)
  assert.deepEqual(
    [a, a, a].map(one => one.take('connections', 3)),
    [true, true, false],
  )
  assert.deepEqual(
    [b, c].map(one => one.take('descriptors', 2)),
    [true, true],
  )
  assert.equal(a.take('descriptors', 2), false)
  forgetThread(counts, 1)
  assert.deepEqual([a.count('descriptors'), a.take('descriptors', 2)], [1, true])
  assert.deepEqual([a.nextId(), b.nextId(), a.nextId()], [1, 2, 3])
})

test('threads that take and give back at the same time lose no count', async () => {
  const counts = createSharedCounts(3, 8)
  const body = `
    const { workerData } = require('node:worker_threads')
    import(workerData.module).then(({ openSharedTally }) => {
      const tally = openSharedTally(workerData.counts, workerData.thread)
      for (let i = 0; i < 20000; i++) {
        const client = { type: 'ipv4', octets: Uint8Array.of(10, 0, 0, i % 5) }
        if (!tally.takeClient(client, 1000)) throw new Error('refused')
        tally.giveBackClient(client)
      }
      tally.takeClient({ type: 'ipv4', octets: Uint8Array.of(10, 0, 0, 9) }, 1000)
    })`
  const module = new URL('../src/shared-tally.ts', import.meta.url).href
  const ends = [1, 2].map(
    thread =>
      new Promise<number>((resolve, reject) => {
        new Worker(body, { eval: true, workerData: { counts, thread, module } })
          .once('exit', resolve)
          .once('error', reject)
      }),
  )
  assert.deepEqual(await Promise.all(ends), [0, 0])
  const main = openSharedTally(counts, 0)
  assert.equal(main.takeClient(ip('10.0.0.9'), 2), false)
  assert.equal(main.takeClient(ip('10.0.0.9'), 3), true)
  assert.equal(main.takeClient(ip('10.0.0.3'), 1), true)
})
