/** A flood of one client waits for itself, and not in front of the others. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LoginQueue } from '../../src/users/login-queue.ts'

const settled = (): Promise<void> => new Promise(resolve => setImmediate(resolve))

/** The order in which turns come, when each is over at once. */
async function orderOf(
  asked: readonly (readonly [client: string, standing: 'clean' | 'suspect'])[],
): Promise<string[]> {
  const queue = new LoginQueue(1)
  await queue.turn('first', 'clean')
  const order: string[] = []
  for (const [client, standing] of asked) void queue.turn(client, standing).then(isTurn => isTurn && order.push(client))
  for (const _ of asked) {
    queue.done()
    await settled()
  }
  return order
}

test('clients have their turns one after another, however many logins each has', async () => {
  const asked = ['a', 'a', 'a', 'a', 'b', 'c', 'b'].map(client => [client, 'clean'] as const)
  assert.deepEqual(await orderOf(asked), ['a', 'b', 'c', 'a', 'b', 'a', 'a'])
})

test('clients without failures go first', async () => {
  const asked = [
    ['bad', 'suspect'],
    ['bad', 'suspect'],
    ['worse', 'suspect'],
    ['good', 'clean'],
    ['fine', 'clean'],
  ] as const
  assert.deepEqual(await orderOf(asked), ['good', 'fine', 'bad', 'worse', 'bad'])
})

test('one client fills its own part of the queue and no more', async () => {
  const queue = new LoginQueue(1)
  await queue.turn('first', 'clean')
  const refused: string[] = []
  for (let i = 0; i < 20; i++) void queue.turn('bad', 'suspect').then(isTurn => isTurn || refused.push('bad'))
  let isIn = false
  void queue.turn('good', 'clean').then(isTurn => (isIn = isTurn))
  await settled()
  assert.equal(refused.length, 4)
  queue.done()
  await settled()
  assert.equal(isIn, true)
})
