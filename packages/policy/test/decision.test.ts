/** What a decision keeps of the rule behind it, where something else than that rule settles it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compile, routeOf } from '../src/index.ts'
import { NO_MATCH, NO_RULES } from '../src/decision.ts'
import { BUILT_IN_WAYS } from '../src/policy.ts'
import { deciderOf, factsOf, ip, policyOf } from './policy-text.ts'

const INSIDE = factsOf({ address: ip('10.0.0.1') })

test('what is closed because it is inside still says which rule allowed it, if one did', () => {
  const policy = policyOf({ rules: [{ allow: { port: 443 } }] })
  const [rule] = policy.rules
  assert.deepEqual(compile(policy).decide(INSIDE), { verdict: 'deny', cause: 'inside', reported: [], rule })
  assert.deepEqual(deciderOf({}).decide(INSIDE), { verdict: 'deny', cause: 'inside', reported: [] })
})

test('a policy that only reports serves what it would refuse and says which rule would, but opens nothing inside', () => {
  const policy = policyOf({ mode: 'report', rules: [{ deny: { port: 25 } }, { allow: { port: 443 } }] })
  const decider = compile(policy)
  const [denies, allows] = policy.rules
  const served = { verdict: 'allow', cause: 'report-mode' } as const
  assert.deepEqual(decider.decide(factsOf({ port: 25 })), { ...served, reported: [{ verdict: 'deny', rule: denies }] })
  assert.deepEqual(decider.decide(factsOf({ port: 1 })), { ...served, reported: [{ verdict: 'deny' }] })
  const closed = { verdict: 'deny', cause: 'inside' } as const
  assert.deepEqual(decider.decide(INSIDE), { ...closed, reported: [], rule: allows })
  const unmatched = decider.decide({ ...INSIDE, port: 1 })
  assert.deepEqual(unmatched, { ...closed, reported: [{ verdict: 'deny' }] })
})

test('a decision goes by the way of its rule, and by the default one without a rule or a way', () => {
  const ways = ['tor', 'direct', 'default', 'block']
  const rules = ways.map((via, at) => ({ allow: { port: at }, via }))
  const decider = deciderOf({ rules: [...rules, { allow: { port: 9 } }] })
  assert.deepEqual(
    [0, 1, 2, 3, 9].map(port => routeOf(decider.decide(factsOf({ port })))),
    [...ways, 'default'],
  )
  assert.deepEqual([NO_RULES, NO_MATCH].map(routeOf), ['default', 'default'])
  assert.deepEqual(BUILT_IN_WAYS, ['direct', 'default', 'block'])
})
