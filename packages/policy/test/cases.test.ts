/** What a case that does not hold is told: what was expected, what it is, and by whom. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type PolicySource, runCases } from '../src/index.ts'
import { policyOf } from './policy-text.ts'

const RULES = [
  { name: 'web', allow: { user: 'alice', port: [443, 80] }, via: 'tor' },
  { deny: { port: 25 }, reply: 'timed-out' },
  { name: 'staff', allow: { user: 'bob' } },
]
const WEB = { user: 'alice', to: '93.184.216.34:443' }
const MAIL = { to: '93.184.216.34:25' }
const NOTHING = { to: '93.184.216.34:1' }
const STAFF = { user: 'bob', to: '93.184.216.34:7' }
const INSIDE = { user: 'bob', to: '10.0.0.1:7', from: '192.0.2.7' }

function faultOf(one: object, names: Partial<PolicySource> = {}): string | undefined {
  const [result] = runCases(policyOf({ rules: RULES, cases: [one] }, {}, names), Date.UTC(2026, 10, 18, 12))
  return (result ?? assert.fail()).fault
}

test('a case that holds has no fault, by whatever it names its rule and its way', () => {
  for (const one of [
    { allow: WEB },
    { allow: WEB, via: 'tor' },
    { allow: WEB, rule: 'web' },
    { allow: WEB, rule: 1 },
    { deny: MAIL, rule: 2, reply: 'timed-out' },
    { deny: NOTHING, reply: 'not-allowed' },
    { deny: INSIDE, reply: 'not-allowed' },
    { allow: STAFF, via: 'direct' },
    { allow: STAFF, via: 'default' },
  ])
    assert.equal(faultOf(one), undefined, JSON.stringify(one))
  assert.equal(faultOf({ allow: STAFF, via: 'tor' }, { defaultWay: 'tor' }), undefined)
  assert.equal(faultOf({ allow: STAFF, via: 'default' }, { defaultWay: 'tor' }), undefined)
})

test('another verdict is told with what decides', () => {
  for (const [one, fault] of [
    [{ deny: WEB }, 'expected deny, but it is allowed by rule 1 (web) at line 1'],
    [{ allow: MAIL }, 'expected allow, but it is denied by rule 2 at line 2'],
    [{ allow: NOTHING }, 'expected allow, but it is denied by no rule'],
    [{ allow: INSIDE }, 'expected allow, but it is denied by the protection of inside addresses'],
  ] as const)
    assert.equal(faultOf(one), fault)
})

test('what depends on the addresses of a name is told to say them', () => {
  const rules = [{ allow: { to: '93.184.216.34' } }]
  const to = 'host.example:443'
  const cases = [{ allow: { to } }, { deny: { to } }, { allow: { to, resolves: '93.184.216.34' } }]
  assert.deepEqual(
    runCases(policyOf({ rules, cases }), 0).map(({ fault }) => fault),
    [
      'expected allow, but it depends on the address: say resolves',
      'expected deny, but it depends on the address: say resolves',
      undefined,
    ],
  )
})

test('another way, another rule and another reply are told', () => {
  for (const [one, fault] of [
    [{ allow: WEB, via: 'direct' }, 'expected via direct, but it is tor'],
    [{ allow: STAFF, via: 'tor' }, 'expected via tor, but it is direct'],
    [{ allow: WEB, rule: 'staff' }, 'expected rule staff, but it is decided by rule 1 (web) at line 1'],
    [{ deny: MAIL, rule: 1 }, 'expected rule 1, but it is decided by rule 2 at line 2'],
    [{ deny: NOTHING, rule: 2 }, 'expected rule 2, but it is decided by no rule'],
    [{ deny: INSIDE, rule: 'web' }, 'expected rule web, but it is decided by the protection of inside addresses'],
    [{ deny: MAIL, reply: 'host-unreachable' }, 'expected the reply host-unreachable, but it is timed-out'],
    [{ deny: NOTHING, reply: 'host-unreachable' }, 'expected the reply host-unreachable, but it is not-allowed'],
  ] as const)
    assert.equal(faultOf(one), fault)
})
