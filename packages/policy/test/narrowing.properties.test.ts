/** No condition that is added to an allow lets anybody in whom the rules kept out without it (the class of CVE-2024-54662). */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compile } from '../src/index.ts'
import type { Condition, Policy, Rule } from '../src/policy.ts'
import { RandomPolicies } from './random-policy.ts'

const SEEDS = 60
const QUESTIONS = 60

function narrowed(policy: Policy, number: number, more: Condition): Policy {
  const narrow = (rule: Rule): Rule => ({ ...rule, condition: { kind: 'all', of: [rule.condition, more] } })
  return { ...policy, rules: policy.rules.map(rule => (rule.number === number ? narrow(rule) : rule)) }
}

test('a condition more on an allow never admits what was refused before', () => {
  let taken = 0
  for (let seed = 1; seed <= SEEDS; seed++) {
    const random = new RandomPolicies(seed)
    const wide: Policy = { ...random.policy(6), mode: 'enforce' }
    const more = random.policy(1).rules[0]?.condition
    const rule = wide.rules.find(one => one.verdict === 'allow')
    if (more === undefined || rule === undefined) continue
    const [before, after] = [compile(wide), compile(narrowed(wide, rule.number, more))]
    for (let i = 0; i < QUESTIONS; i++) {
      const facts = random.facts(true)
      const [was, is] = [before.decide(facts).verdict, after.decide(facts).verdict]
      if (is === 'allow') assert.equal(was, 'allow', `seed ${seed}, question ${i}`)
      if (was === 'allow' && is === 'deny') taken++
    }
  }
  // Where nothing was ever taken away, nothing would be shown.
  assert.ok(taken > 20)
})
