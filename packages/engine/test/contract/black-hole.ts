/** A TCP port on loopback that answers no SYN: its listener never accepts, and its queue is full. */
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { Worker } from 'node:worker_threads'
import type { Place } from '../../src/ports.ts'
import { ipPlace, until } from './scene.ts'

/** A listener whose thread sleeps from the moment it listens. */
const SLEEPER = `
const { createServer } = require('node:net')
const { parentPort, workerData } = require('node:worker_threads')
const server = createServer()
server.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
  parentPort.postMessage(server.address().port)
  Atomics.wait(workerData, 0, 0)
  process.exit()
})`

export interface BlackHole {
  readonly place: Place
  close(): Promise<void>
}

export async function blackHole(): Promise<BlackHole> {
  const waker = new Int32Array(new SharedArrayBuffer(4))
  const worker = new Worker(SLEEPER, { eval: true, workerData: waker })
  const port = await new Promise<number>(resolve => worker.once('message', resolve))
  const filling: Socket[] = []
  // Linux lets one more than the backlog in. Fill one by one: the one that is not answered is the proof.
  const isAnswered = (): Promise<boolean> =>
    new Promise(resolve => {
      const socket = connect(port, '127.0.0.1')
      filling.push(socket)
      socket.once('connect', () => resolve(true))
      socket.once('error', () => resolve(false))
      // Loopback answers within the call. A process that stood still meanwhile hears of it before `setImmediate`.
      setTimeout(() => setImmediate(() => resolve(false)), 300)
    })
  while (await isAnswered());
  return {
    place: ipPlace('127.0.0.1', port),
    async close() {
      for (const socket of filling) socket.destroy()
      Atomics.store(waker, 0, 1)
      Atomics.notify(waker, 0)
      let isGone = false
      worker.once('exit', () => (isGone = true))
      await until(() => isGone, 'the black hole is gone')
    },
  }
}
