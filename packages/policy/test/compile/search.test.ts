/** Rules of so many that they take several pages: the first one that matches decides, wherever it lies. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { deciderOf, factsOf } from '../policy-text.ts'

/** More than two pages hold. */
const MANY = 1_100

function portRules(more: object = {}): readonly object[] {
  return Array.from({ length: MANY }, (_, index) => ({ allow: { port: index + 1 }, ...more }))
}

function numberOf(decision: ReturnType<ReturnType<typeof deciderOf>['decide']>): number | undefined {
  return decision.verdict === 'open' ? undefined : decision.rule?.number
}

test('a rule of another kind decides before those of a long list in which it stands', () => {
  for (const place of [0, 1, 600, MANY]) {
    const rules = [...portRules().slice(0, place), { deny: { user: 'bob' } }, ...portRules().slice(place)]
    const decider = deciderOf({ rules })
    for (const port of [1, 2, 512, 513, 600, 601, 1_024, 1_025, MANY]) {
      const number = port <= place ? port : port + 1
      assert.equal(numberOf(decider.decide(factsOf({ port, user: 'alice' }))), number)
      assert.equal(numberOf(decider.decide(factsOf({ port, user: 'bob' }))), Math.min(number, place + 1))
    }
    assert.equal(numberOf(decider.decide(factsOf({ port: MANY + 1, user: 'bob' }))), place + 1)
    assert.equal(numberOf(decider.decide(factsOf({ port: MANY + 1, user: 'alice' }))), undefined)
  }
})

test('every rule that reports and matches is told, in order, up to the one that decides', () => {
  const reporting = Array.from({ length: MANY }, () => ({ deny: { port: 443 }, mode: 'report' }))
  const decider = deciderOf({ rules: [...reporting.slice(10), { allow: 'everything' }, ...reporting.slice(0, 10)] })
  const { reported } = decider.decide(factsOf({ port: 443 }))
  assert.deepEqual(
    reported.map(({ rule }) => rule?.number),
    Array.from({ length: MANY - 10 }, (_, index) => index + 1),
  )
  assert.deepEqual(decider.decide(factsOf({ port: 80 })).reported, [])
})

test('of several kinds of rules that report all are told in their order', () => {
  const rules = Array.from({ length: MANY }, (_, index) => ({
    deny: index % 3 === 0 ? { port: 443 } : index % 3 === 1 ? { user: 'alice' } : { port: 443, user: 'alice' },
    mode: 'report',
  }))
  const { reported } = deciderOf({ rules }).decide(factsOf({ port: 443, user: 'alice' }))
  assert.deepEqual(
    reported.map(({ rule }) => rule?.number),
    rules.map((_, index) => index + 1),
  )
})

test('the few that report among many are all told', () => {
  const telling = [6, 33, 300, 513, MANY]
  const rules = Array.from({ length: MANY }, (_, index) => ({
    deny: { port: telling.includes(index + 1) ? 443 : 80 },
    mode: 'report',
  }))
  const { reported } = deciderOf({ rules }).decide(factsOf({ port: 443 }))
  assert.deepEqual(
    reported.map(({ rule }) => rule?.number),
    telling,
  )
})
