/** The fuzzer finds what it should, and everything that earlier runs kept still keeps every rule. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Coverage } from './coverage.ts'
import { type Target, fuzz } from './fuzz.ts'
import { GROUPS } from './targets.ts'
import { readToy } from './toy.ts'

/** It took 34,641 with this seed, and 260,000 at most with the next nine. */
const RUNS_FOR_THE_FAULT = 400_000

test('a planted fault behind four octets is found, and told by no more than them', () => {
  const toy: Target = { name: 'toy', seeds: [new Uint8Array(8)], words: [], check: input => void readToy(input) }
  const coverage = new Coverage(url => url.endsWith('/toy.ts'))
  const { found } = fuzz(toy, coverage, { seed: 1, isOver: runs => runs > RUNS_FOR_THE_FAULT })
  coverage.close()
  assert.ok(found, 'found')
  assert.deepEqual(found.input, Uint8Array.of(0x53, 0x4f, 0x43, 0x4b))
  assert.match(String(found.error), /planted/)
})

for (const { names, load } of GROUPS) {
  const targets = await load()
  test(`the names of a group are known before it is loaded: ${names[0]} and its like`, () => {
    assert.deepEqual(
      targets.map(target => target.name),
      names,
    )
  })
  for (const target of targets) {
    test(`${target.name}: every input of the corpus keeps every rule`, () => {
      assert.ok(target.seeds.length > 1)
      for (const input of target.seeds) target.check(input)
    })
  }
}
