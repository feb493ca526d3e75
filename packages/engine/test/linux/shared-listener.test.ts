/** One place where several listen: who comes is served by one of them, and what they leave open is closed by its owner. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { test } from 'node:test'
import { createLinuxEngine } from '../../src/linux/linux-engine.ts'
import {
  type SharedListener,
  closeSharedListener,
  openSharedListener,
  steerNewcomers,
} from '../../src/linux/shared-listener.ts'
import type { Connection, Engine, Place } from '../../src/ports.ts'
import { LOOPBACK, leakTest, must, mustFail, plainClient, until } from '../contract/scene.ts'
import { temporaryPath } from '../contract/temporary-path.ts'

const made = createLinuxEngine()
if ('reason' in made) test('a shared listener', { skip: made.reason }, () => {})
else cases(made.engine)

function cases(engine: Engine): void {
  // A Unix socket is one socket for all threads, of which this is one.
  for (const kind of ['ip', 'unix'] as const) {
    leakTest(`newcomers are shared out, each to one listener (${kind})`, async () => {
      const place: Place = kind === 'ip' ? LOOPBACK : { kind: 'unix', path: temporaryPath() }
      const shared = must(await openSharedListener({ place, backlog: 64 }, kind === 'ip' ? 3 : 1))
      const accepted: Connection[] = []
      const listeners = await Promise.all(shared.descriptors.map(fd => listenOn(engine, shared, fd, accepted)))
      const clients = await Promise.all(Array.from({ length: 30 }, () => plainClient(shared.place)))
      await until(() => accepted.length === 30, 'all are accepted')
      for (const [i, one] of accepted.entries()) one.write(Buffer.from(`served ${i}`))
      for (const client of clients) client.listen()
      await until(() => clients.every(client => client.text.startsWith('served ')), 'each by one')
      for (const listener of listeners) await listener.close()
      closeSharedListener(shared)
      if (shared.place.kind === 'unix') assert.equal(existsSync(shared.place.path), false)
      for (const one of accepted) one.destroy()
      for (const client of clients) client.socket.destroy()
    })
  }

  leakTest('newcomers go to the thread that they are steered to, and to several when they are not', async () => {
    const shared = must(await openSharedListener({ place: LOOPBACK, backlog: 64 }, 3))
    const accepted: readonly Connection[][] = [[], [], []]
    const listeners = await Promise.all(
      shared.descriptors.map((fd, index) => listenOn(engine, shared, fd, accepted[index] as Connection[])),
    )
    const count = (): number => accepted.flat().length
    const clients: Awaited<ReturnType<typeof plainClient>>[] = []
    const come = async (many: number): Promise<void> => {
      const before = count()
      clients.push(...(await Promise.all(Array.from({ length: many }, () => plainClient(shared.place)))))
      await until(() => count() === before + many, 'all are accepted')
    }
    for (const thread of [1, 2, 0]) {
      assert.equal(steerNewcomers(shared, thread), true)
      await come(20)
    }
    assert.deepEqual(
      accepted.map(({ length }) => length),
      [20, 20, 20],
    )
    assert.equal(steerNewcomers(shared), true)
    await come(60)
    assert.ok(accepted.filter(({ length }) => length > 20).length > 1)
    for (const listener of listeners) await listener.close()
    closeSharedListener(shared)
    for (const one of accepted.flat()) one.destroy()
    for (const client of clients) client.socket.destroy()
  })

  leakTest('one socket for all threads takes no orders', async () => {
    const shared = must(await openSharedListener({ place: { kind: 'unix', path: temporaryPath() }, backlog: 64 }, 3))
    assert.equal(steerNewcomers(shared, 1), false)
    closeSharedListener(shared)
  })

  leakTest('who waits in the queue of a listener that is gone is served by the one that takes its place', async () => {
    const shared = must(await openSharedListener({ place: LOOPBACK, backlog: 64 }, 1))
    const client = await plainClient(shared.place)
    client.listen().socket.write('waiting')
    const accepted: Connection[] = []
    const listener = await listenOn(engine, shared, shared.descriptors[0] ?? -1, accepted)
    await until(() => accepted.length === 1, 'served')
    await listener.close()
    closeSharedListener(shared)
    accepted[0]?.destroy()
    client.socket.destroy()
  })

  leakTest('a place where somebody else listens is taken, although the sockets could share it', async () => {
    const first = must(await openSharedListener({ place: LOOPBACK, backlog: 8 }, 2))
    const second = mustFail(await openSharedListener({ place: first.place, backlog: 8 }, 2))
    assert.equal(second.errno, 'EADDRINUSE')
    closeSharedListener(first)
    closeSharedListener(must(await openSharedListener({ place: first.place, backlog: 8 }, 2)))
  })
}

async function listenOn(
  engine: Engine,
  { place }: SharedListener,
  descriptor: number,
  accepted: Connection[],
): Promise<{ close(): Promise<void> }> {
  const handler = { onConnection: (one: Connection) => void accepted.push(one), onAcceptFailure: () => {} }
  return must(await engine.listen({ place, backlog: 64, descriptor }, handler))
}
