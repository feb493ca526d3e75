/**
 * The compiled decision equals the naive walk through the list, whatever the policy and the question. POLICY_SHARE in the
 * environment asks for another share of the pairs.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compile } from '../../src/compile/compile.ts'
import { parseNetwork } from '../../src/network.ts'
import { walk } from '../../src/walk.ts'
import { GEO, RandomPolicies } from '../random-policy.ts'

const PAIRS = 40_000 * Number(process.env['POLICY_SHARE'] ?? 1)
const FACTS_PER_POLICY = 50

test(`the compiled policy decides ${PAIRS} random questions as a walk through the list does`, () => {
  const from = [parseNetwork('10.0.0.0/8')].filter(one => one !== undefined)
  const open = [parseNetwork('127.0.0.0/8')].filter(one => one !== undefined)
  const seen = new Map<string, number>()
  for (let seed = 1; seed <= PAIRS / FACTS_PER_POLICY; seed++) {
    const random = new RandomPolicies(seed)
    // Few rules show each rule's part; many reach into further pages of the rows.
    const policy = random.policy(seed % 10 === 0 ? 300 : 8)
    const options = { geo: GEO, inside: { from, open } }
    const decider = compile(policy, options)
    for (let i = 0; i < FACTS_PER_POLICY; i++) {
      const facts = random.facts()
      const compiled = decider.decide(facts)
      const naive = walk(policy, facts, options).decision
      assert.deepEqual(compiled, naive, `seed ${seed}, question ${i}`)
      const kind = `${compiled.verdict} ${compiled.cause}`
      seen.set(kind, (seen.get(kind) ?? 0) + 1)
    }
  }
  // A generator that never meets a kind of answer would prove nothing about it.
  const kinds = ['allow rule', 'allow no-rules', 'allow report-mode', 'deny rule', 'deny no-match', 'deny inside']
  for (const kind of [...kinds, 'open undecided'])
    assert.ok((seen.get(kind) ?? 0) > PAIRS / 1_000, `${kind} is too rare`)
})
