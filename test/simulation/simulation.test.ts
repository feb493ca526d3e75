/** The server in ten thousand simulated worlds, and the proof that the simulation would notice. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { FAULTS } from './faults.ts'
import { runWorld } from './run.ts'

const WORLDS = 10_000
/** A fault has to show in the first so many worlds; most do in the first ten, two need a hundred. */
const WORLDS_FOR_A_FAULT = 400

test(`${WORLDS} worlds keep every rule`, async () => {
  for (let seed = 1; seed <= WORLDS; seed++) {
    const { violations } = await runWorld(seed)
    assert.deepEqual(violations, [], `npm run simulate -- --verbose --seed ${seed}`)
  }
})

test('a seed replays to the last octet', async () => {
  for (let seed = 1; seed <= 50; seed++) {
    const [first, second]: [string[], string[]] = [[], []]
    const one = await runWorld(seed, {}, line => first.push(line))
    const other = await runWorld(seed, {}, line => second.push(line))
    assert.deepEqual(second, first)
    assert.deepEqual(other, one)
  }
})

describe('the simulation finds that', () => {
  for (const [name, fault] of Object.entries(FAULTS)) {
    test(name, async () => {
      for (let seed = 1; seed <= WORLDS_FOR_A_FAULT; seed++) {
        const { violations } = await runWorld(seed, fault)
        if (violations.some(one => fault.shows?.test(one))) return
      }
      assert.fail(`not found in ${WORLDS_FOR_A_FAULT} worlds`)
    })
  }
})
