/** The loop as a guest of Node's: stale events, promises, faults, and its end when nothing is registered. */
import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { test } from 'node:test'
import { EPOLLIN, O_CLOEXEC, O_NONBLOCK } from '../../src/linux/abi.ts'
import { EventLoop } from '../../src/linux/event-loop.ts'
import { type SystemCalls, loadSystemCalls } from '../../src/linux/system-calls.ts'

const loaded = loadSystemCalls()
const skip = loaded.kind === 'missing' ? loaded.reason : false

interface Ends {
  readonly read: number
  readonly write: number
}

function openPipe(calls: SystemCalls): Ends {
  const both = new Int32Array(2)
  assert.equal(calls.pipe2(new Uint8Array(both.buffer), O_CLOEXEC | O_NONBLOCK), 0)
  return { read: both[0] as number, write: both[1] as number }
}

// `splice` of one octet from a socket would do; /proc/self/fd is at hand for any descriptor.
async function wake(ends: Ends): Promise<void> {
  const { open } = await import('node:fs/promises')
  const file = await open(`/proc/self/fd/${ends.write}`, 'w')
  await file.write('x')
  await file.close()
}

function scene(): { loop: EventLoop; calls: SystemCalls } {
  assert.ok(loaded.kind === 'loaded')
  return { loop: new EventLoop(loaded.calls), calls: loaded.calls }
}

test('a promise that an event settles goes on without any timer or socket of Node', { skip }, async () => {
  const { loop, calls } = scene()
  const ends = openPipe(calls)
  const { promise, resolve } = Promise.withResolvers<void>()
  loop.register(ends.read, EPOLLIN, { onEvents: () => resolve() })
  await wake(ends)
  await promise
  loop.forget(ends.read, false)
  for (const fd of [ends.read, ends.write]) calls.close(fd)
})

test('an event of a descriptor that was closed in the same turn is not told to its successor', { skip }, async () => {
  const { loop, calls } = scene()
  const [first, second] = [openPipe(calls), openPipe(calls)]
  const told: string[] = []
  const { promise, resolve } = Promise.withResolvers<void>()
  const replace = (ends: Ends, other: Ends): void => {
    told.push('first')
    // Whichever is heard first closes the other one, whose event waits, and gets its number for a new pipe.
    loop.forget(other.read, false)
    calls.close(other.read)
    const fresh = openPipe(calls)
    assert.equal(fresh.read, other.read, 'the number is used again')
    loop.register(fresh.read, EPOLLIN, { onEvents: () => told.push('stale') })
    loop.forget(ends.read, false)
    queueMicrotask(() => {
      loop.forget(fresh.read, false)
      for (const fd of [fresh.read, fresh.write, other.write, ends.read, ends.write]) calls.close(fd)
      resolve()
    })
  }
  await wake(first)
  await wake(second)
  loop.register(first.read, EPOLLIN, { onEvents: () => replace(first, second) })
  loop.register(second.read, EPOLLIN, { onEvents: () => replace(second, first) })
  await promise
  assert.deepEqual(told, ['first'])
})

test('a fault in one handler is thrown, and does not take the events of the others', { skip }, async () => {
  const { loop, calls } = scene()
  const [first, second] = [openPipe(calls), openPipe(calls)]
  await wake(first)
  await wake(second)
  const uncaught = process.listeners('uncaughtException')
  process.removeAllListeners('uncaughtException')
  const thrown = new Promise(resolve => process.once('uncaughtException', resolve))
  const heard = new Promise<void>(resolve => {
    loop.register(first.read, EPOLLIN, {
      onEvents() {
        loop.forget(first.read, false)
        throw new Error('a fault')
      },
    })
    loop.register(second.read, EPOLLIN, {
      onEvents() {
        loop.forget(second.read, false)
        resolve()
      },
    })
  })
  const [fault] = await Promise.all([thrown, heard])
  assert.match(String(fault), /a fault/)
  for (const listener of uncaught) process.on('uncaughtException', listener)
  for (const fd of [first.read, first.write, second.read, second.write]) calls.close(fd)
})

test('nothing is left open when nothing is registered', { skip }, async () => {
  const { loop, calls } = scene()
  const before = readdirSync('/proc/self/fd').length
  const ends = openPipe(calls)
  loop.register(ends.read, EPOLLIN, { onEvents() {} })
  assert.equal(readdirSync('/proc/self/fd').length, before + 3)
  loop.forget(ends.read, false)
  for (const fd of [ends.read, ends.write]) calls.close(fd)
  await Promise.resolve()
  assert.equal(readdirSync('/proc/self/fd').length, before)
  assert.equal(loop.count, 0)
})
