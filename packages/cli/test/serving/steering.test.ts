/** Which worker newcomers go to, by what each has to do; and that a real pool sends them there. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { type WorkerLoad, chooseWorker } from '../../src/serving/steering.ts'

const NO_CORE = (): number => 0
const HALF_A_CORE = (): number => 0.5
const A_CORE = (): number => 1

function load(busy: number, sessions = 0, isThere = true): WorkerLoad {
  return { busy, sessions, isThere }
}

suite('newcomers go', () => {
  test('to one worker, as long as it has time', () => {
    assert.equal(chooseWorker(undefined, [load(0), load(0)], A_CORE), 0)
    assert.equal(chooseWorker(0, [load(0.8, 10), load(0)], A_CORE), 0)
    assert.equal(chooseWorker(1, [load(0), load(0.8, 10)], A_CORE), 1)
  })

  test('to all when it has none, and a core has nothing to do', () => {
    assert.equal(chooseWorker(0, [load(0.9), load(0)], A_CORE), undefined)
    assert.equal(chooseWorker(0, [load(0.9), load(0)], NO_CORE), 0)
    // As much as sharing would cost: nothing would be won.
    assert.equal(chooseWorker(0, [load(0.9), load(0)], HALF_A_CORE), 0)
    assert.equal(chooseWorker(undefined, [load(0.45), load(0.45)], A_CORE), undefined)
  })

  test('to one again when one could do it all: to that with the fewest sessions', () => {
    assert.equal(chooseWorker(undefined, [load(0.2, 9), load(0.2, 8)], A_CORE), 1)
  })

  test('to another when it has many more sessions, busy or not', () => {
    assert.equal(chooseWorker(0, [load(0, 64), load(0), load(0, 3)], NO_CORE), 0)
    assert.equal(chooseWorker(0, [load(0, 65), load(0), load(0, 3)], NO_CORE), 1)
    assert.equal(chooseWorker(1, [load(0, 65), load(0, 66), load(0, 3)], NO_CORE), 1)
  })

  test('to no worker that is dead', () => {
    assert.equal(chooseWorker(0, [load(0, 0, false), load(0.99, 500)], NO_CORE), 1)
    assert.equal(chooseWorker(0, [load(0, 0, false)], NO_CORE), undefined)
    assert.equal(chooseWorker(undefined, [load(1, 0, false), load(0.4)], A_CORE), 1)
    assert.equal(chooseWorker(undefined, [], A_CORE), undefined)
  })
})
