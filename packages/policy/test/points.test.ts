/** Lint and diff at the edges of each kind of condition: what a wider one takes from a narrower, and what it leaves. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Policy, compile, diff, lint } from '../src/index.ts'
import { termsOf } from '../src/compile/terms.ts'
import { testsOf } from '../src/tests-of.ts'
import { type Points, pointsOf } from '../src/points.ts'
import { policyOf } from './policy-text.ts'

const NOW = Date.UTC(2026, 10, 18, 12)

/** The narrower lies in the wider as a whole; the neighbour does not. */
const NESTED: readonly (readonly [wider: object, narrower: object, neighbour: object])[] = [
  [{ port: '80-100' }, { port: 100 }, { port: 101 }],
  [{ port: '80-100' }, { port: 80 }, { port: 79 }],
  [{ port: '1-65535' }, { port: '65535' }, { port: 0 }],
  [{ to: '8.0.0.0/8' }, { to: '8.255.255.255' }, { to: '9.0.0.0' }],
  [{ to: '8.0.0.0/8' }, { to: '8.0.0.0' }, { to: '7.255.255.255' }],
  [{ to: '2600::/16' }, { to: '2600:ffff::/32' }, { to: '2601::' }],
  [{ to: '0.0.0.0/0' }, { to: '9.9.9.9' }, { to: '::1' }],
  [{ from: '8.0.0.0/8' }, { from: '8.255.255.255' }, { from: '9.0.0.0' }],
  [{ from: ['8.0.0.0/8', 'unix'] }, { from: 'unix' }, { from: ['8.0.0.0/8', '9.0.0.0'] }],
  [{ to: '.a.example' }, { to: 'a.example' }, { to: 'b.example' }],
  [{ to: '.a.example' }, { to: '*.a.example' }, { to: '.example' }],
  [{ to: '*.a.example' }, { to: 'b.a.example' }, { to: 'a.example' }],
  [{ to: '*.a.example' }, { to: '.x.a.example' }, { to: ['.x.a.example', '.x1.a.example', '*.example'] }],
  [{ user: ['a', 'b'] }, { user: 'b' }, { user: 'c' }],
  [{ user: ['somebody', 'b'] }, { user: 'somebody' }, { not: { user: ['somebody', 'b'] } }],
  [{ method: ['password', 'none'] }, { method: 'none' }, { method: 'chap' }],
  [{ protocol: 'socks4' }, { protocol: 'socks4a' }, { protocol: 'socks5' }],
  [{ command: 'connect' }, { command: 'forward' }, { command: 'bind' }],
  [{ listener: ['a', 'b'] }, { listener: 'b' }, { listener: 'c' }],
  [{ country: ['DE', 'FR'] }, { country: 'FR' }, { country: 'US' }],
  [{ asn: ['1', '2'] }, { asn: '2' }, { asn: '3' }],
  [{ when: 'Mon-Fri' }, { when: 'Wed 08:00-09:00' }, { when: 'Sat' }],
  // In winter they are the same hours.
  [{ when: '07:00-08:00 UTC' }, { when: '07:15-07:30 UTC' }, { when: '08:00-09:00 Europe/Berlin' }],
  [{ when: '08:00-18:00' }, { when: '17:45-18:00' }, { when: '17:45-18:15' }],
  [{ when: '08:00-08:15' }, { when: '08:05-08:10' }, { when: '08:14-08:16' }],
  [
    { when: 'Mon 00:01-23:59 Asia/Kathmandu' },
    { when: 'Mon 09:08-09:09 Asia/Kathmandu' },
    { when: 'Mon 00:00-00:02 Asia/Kathmandu' },
  ],
  [{ when: '2026-11-10..2026-11-12' }, { when: '2026-11-12..2026-11-12' }, { when: '2026-11-13..2026-11-13' }],
  [{ when: '..2026-11-10' }, { when: '2026-11-01..2026-11-10' }, { when: '2026-11-11..' }],
  [{ when: '..2030-01-01' }, { when: '..2030-01-01 Tue' }, { when: 'Tue' }],
  [{ user: 'a' }, { user: 'a', port: 80 }, { port: 80 }],
  [{ not: { port: 80 } }, { port: [79, 81] }, { port: [79, 80] }],
]

function allowing(...conditions: readonly object[]): Policy {
  return policyOf({ rules: conditions.map(condition => ({ allow: condition })) })
}

function kindsOf(policy: Policy): readonly string[] {
  return lint(policy, NOW).map(({ kind, rule }) => `${kind} ${rule ?? ''}`)
}

/** The kinds of the differences, each of whose examples is one. */
function movedBetween(before: object, after: object): readonly string[] {
  const [old, young] = [allowing(before), allowing(after)]
  const { differences, isComplete } = diff(old, young, NOW)
  assert.ok(isComplete)
  for (const one of differences) {
    const { facts, place } = one.example
    // The example is one: each policy says to it what the difference says.
    const verdicts = [old, young].map(policy => compile(policy, { geo: () => place }).decide(facts).verdict)
    assert.deepEqual(verdicts, [one.before.verdict, one.after.verdict])
  }
  return differences.map(({ kind }) => kind)
}

for (const [wider, narrower, neighbour] of NESTED) {
  const [wide, narrow, beside] = [wider, narrower, neighbour].map(one => JSON.stringify(one))
  test(`${narrow} behind ${wide} never decides, ${beside} does`, () => {
    assert.deepEqual(kindsOf(allowing(wider, narrower)), ['shadowed 2'])
    assert.deepEqual(kindsOf(allowing(wider, neighbour)), [])
    assert.deepEqual(kindsOf(allowing(narrower, wider)), [])
  })

  test(`from ${narrow} to ${wide} somebody gains, and back loses; ${beside} is seen to differ`, () => {
    assert.deepEqual(movedBetween(narrower, wider), ['gains'])
    assert.deepEqual(movedBetween(wider, narrower), ['loses'])
    assert.deepEqual(movedBetween(wider, wider), [])
    assert.notDeepEqual(movedBetween(wider, neighbour), [])
  })
}

test('a rule that only a few hours of some year, or a few addresses of a wide network, come to is alive', () => {
  for (const condition of [
    // Across the date line a day begins 14 hours before it does in UTC, and ends 11 hours behind it.
    { when: '2030-01-01..2030-01-01 00:00-01:00 Pacific/Kiritimati' },
    { when: '2030-01-01.. Mon 23:00-24:00 Pacific/Pago_Pago' },
    // Inside at both ends and in the middle, in the middle only, at both ends only.
    { to: '192.0.0.0/2' },
    { to: '192.160.0.0/12' },
    { to: 'fc00::/6' },
  ])
    assert.deepEqual(kindsOf(allowing(condition)), [], JSON.stringify(condition))
  assert.deepEqual(kindsOf(allowing({ when: '..2020-06-10 Mon' }, { when: '2030-06-10.. Mon' })), [])
})

const EVERYTHING = policyOf({ rules: [{ allow: 'everything' }] }).rules

/** The kinds for rules that allow the conditions, and one behind them that allows everything. */
function kindsBefore(...conditions: readonly object[]): readonly string[] {
  const policy = allowing(...conditions)
  const last = EVERYTHING.map(rule => ({ ...rule, number: conditions.length + 1 }))
  return kindsOf({ ...policy, rules: [...policy.rules, ...last] })
}

test('everything is left something by conditions that leave little, and nothing by those that leave nothing', () => {
  for (const little of [
    [{ port: '1-65535' }],
    [{ port: '0-65534' }],
    [{ port: ['0-442', '444-65535'] }],
    [{ to: '64.0.0.0/2' }, { to: '128.0.0.0/1' }, { to: '::/0' }],
    [{ to: '0.0.0.0/1' }, { to: '128.0.0.0/2' }, { to: '::/0' }],
    [{ user: 'somebody' }],
    [{ listener: 'a' }],
    [{ from: ['0.0.0.0/0', '::/0'] }],
  ])
    assert.deepEqual(kindsBefore(...little), [], JSON.stringify(little))
  for (const none of [
    [{ port: '0-65535' }],
    [{ to: '0.0.0.0/0' }, { to: '::/0' }],
    [{ from: ['0.0.0.0/0', '::/0', 'unix'] }],
    [{ when: '00:00-12:00' }, { when: '12:00-24:00' }],
  ])
    assert.deepEqual(kindsBefore(...none), [`shadowed ${none.length + 1}`], JSON.stringify(none))
})

test('an address that carries an IPv4 address is looked at with what is said of that one', () => {
  assert.deepEqual(kindsOf(allowing({ to: '2002::/16' }, { to: '8.0.0.0/8' })), [])
  const carriers = allowing({ to: '2002::/16' }, { to: '9.0.0.0/8' })
  const { differences } = diff(carriers, allowing({ to: '2002::/16' }, { to: '8.0.0.0/8' }), NOW)
  assert.deepEqual(
    differences.map(
      ({ kind, example: { facts } }) => `${kind} ${[...(facts.address?.octets ?? [])].slice(0, 3).join('.')}`,
    ),
    ['loses 9.128.0', 'loses 32.2.9', 'gains 8.255.255', 'gains 32.2.8'],
  )
})

test('no more requests than wanted are made; the room is for what the condition is about, then for what is told apart less', () => {
  const tests = [...Array.from({ length: 10 }, (_, at) => ({ port: at + 1 })), { user: 'a' }]
  const pointsFor = (condition: object, most: number): ReturnType<Points['within']> => {
    const [wanted] = policyOf({ rules: [{ allow: condition }] }).rules
    const of = [...tests.map(one => allowing(one).rules[0]), wanted].map(rule => (rule ?? assert.fail()).condition)
    const [term] = termsOf(of.at(-1) ?? assert.fail()) ?? []
    return pointsOf(testsOf(of), NOW).within(term ?? assert.fail(), most)
  }
  const whole = pointsFor({ port: '1-10' }, 40)
  // Ten ports, a or somebody, and an address that carries another one or none.
  assert.deepEqual([whole.points.length, whole.isAll], [40, true])
  for (const [most, length] of [
    [39, 20],
    [19, 10],
    [10, 10],
    [9, 9],
    [1, 1],
  ] as const) {
    const { points, isAll } = pointsFor({ port: '1-10' }, most)
    assert.deepEqual([points.length, isAll], [length, false])
  }
  const few = pointsFor({ not: { protocol: 'http' } }, 8)
  const kept = (['user', 'port'] as const).map(kind => new Set(few.points.map(({ facts }) => facts[kind])).size)
  assert.deepEqual([few.points.length, few.isAll, kept], [8, false, [2, 2]])
})

test('what is told apart much has the room that the rest leaves, whatever kind it is', () => {
  const users = Array.from({ length: 10 }, (_, at) => ({ user: `u${at}` }))
  const rules = [...users, { port: 1 }, { protocol: 'http' }].map(condition => ({ allow: condition }))
  const conditions = policyOf({ rules }).rules.map(({ condition }) => condition)
  const [term] = termsOf(conditions.at(-1) ?? assert.fail()) ?? []
  const { points } = pointsOf(testsOf(conditions), NOW).within(term ?? assert.fail(), 8)
  const kept = (['user', 'port'] as const).map(kind => new Set(points.map(({ facts }) => facts[kind])).size)
  assert.deepEqual([points.length, kept], [8, [2, 2]])
})

test('a target without a name is looked at where every name matches', () => {
  const nobody = policyOf({ rules: [{ deny: 'everything' }] })
  const { differences } = diff(nobody, allowing({ not: { to: '.test' } }), NOW)
  assert.deepEqual(
    differences.map(({ kind, example }) => [kind, example.facts.host]),
    [['gains', null]],
  )
})

test('with more words than are told apart, those that a condition is about are still looked at', () => {
  for (const [count, isAll] of [
    [399, true],
    [400, false],
  ] as const) {
    const rules = Array.from({ length: count }, (_, at) => ({ allow: { user: `u${at}` } }))
    const conditions = policyOf({ rules }).rules.map(({ condition }) => condition)
    const [term] = termsOf(conditions.at(-1) ?? assert.fail()) ?? []
    const found = pointsOf(testsOf(conditions), NOW).within(term ?? assert.fail(), 10)
    assert.equal(found.isAll, isAll)
    assert.equal(found.points[0]?.facts.user, `u${count - 1}`)
  }
})

const messageOf = (...rules: readonly object[]): readonly string[] =>
  lint(policyOf({ rules }), NOW).map(({ message }) => message)

test('a dead rule is told with those that take its requests, and whether they say the opposite', () => {
  assert.deepEqual(messageOf({ name: 'all', allow: 'everything' }, { allow: { port: 1 } }), [
    'rule 2 never decides: rule 1 (all) at line 1 matches first',
  ])
  assert.deepEqual(
    messageOf({ deny: { port: '1-5' } }, { allow: { port: '6-9' } }, { name: 'x', allow: { port: '3-7' } }),
    ['rule 3 (x) never decides: rule 1 at line 1, rule 2 at line 2 match first, and do not allow'],
  )
  assert.deepEqual(messageOf({ deny: 'everything' }, { allow: { port: 1 } }), [
    'rule 2 never decides: rule 1 at line 1 matches first, and does not allow',
  ])
  assert.deepEqual(messageOf({ allow: { user: 'a', not: { user: 'a' } } }), ['rule 1 can never match'])
})

test('a rule that only reports takes nothing, and is alive', () => {
  assert.deepEqual(kindsOf(policyOf({ rules: [{ deny: { port: 1 }, mode: 'report' }, { allow: { port: 1 } }] })), [])
  assert.deepEqual(kindsOf(policyOf({ mode: 'report', rules: [{ allow: { port: 1 } }, { allow: { port: 1 } }] })), [
    'shadowed 2',
  ])
})

test('a report in front of a dead rule does not make it alive', () => {
  const reported = { deny: { port: 1 }, mode: 'report' }
  assert.deepEqual(kindsOf(policyOf({ rules: [reported, { allow: { port: 1 } }, { allow: { port: 1 } }] })), [
    'shadowed 3',
  ])
})

test('findings are told in the order of the file, whatever they are', () => {
  const rules = [{ allow: { port: 1 } }, { allow: { port: 1 } }]
  const at = (line: number): readonly string[] =>
    kindsOf(policyOf({ sets: { none: ['a.example'] }, rules }, {}, { lineOf: ([key]) => (key === 'rules' ? 5 : line) }))
  assert.deepEqual(at(4), ['unused-set ', 'shadowed 2'])
  assert.deepEqual(at(6), ['shadowed 2', 'unused-set '])
})

test('a name is denied in vain only where the address is open behind it', () => {
  const named = { deny: { to: 'bad.example' } }
  assert.deepEqual(kindsOf(policyOf({ rules: [named, { allow: { port: 1 } }] })), ['name-only-deny 1'])
  assert.deepEqual(kindsOf(policyOf({ rules: [{ allow: { port: 1 } }, named] })), [])
  assert.deepEqual(kindsOf(policyOf({ rules: [named, { deny: { port: 1 } }] })), [])
  assert.deepEqual(
    kindsOf(policyOf({ rules: [{ deny: { to: ['bad.example', '8.8.8.8'] } }, { allow: { port: 1 } }] })),
    [],
  )
  assert.deepEqual(
    kindsOf(policyOf({ rules: [{ deny: { to: ['bad.example', '8.8.8.8'], port: 2 } }, { allow: { port: 1 } }] })),
    [],
  )
  const either = { deny: { any: [{ user: 'mallory' }, { to: 'bad.example' }] } }
  assert.deepEqual(messageOf(either, { allow: { port: 1 } }), [
    'rule 1 denies names only: a client that resolves them itself passes it',
  ])
  assert.deepEqual(
    kindsOf(policyOf({ rules: [{ deny: { not: { to: 'good.example' } } }, { allow: { port: 1 } }] })),
    [],
  )
  assert.deepEqual(kindsOf(policyOf({ rules: [{ allow: { to: 'a.example' } }, { allow: { port: 1 } }] })), [])
})

test('a name is left out in vain where an allow lets its address through', () => {
  const bad = { not: { to: '.bad.example' } }
  assert.deepEqual(messageOf({ allow: bad }), [
    'rule 1 leaves out names only: a client that resolves them itself passes it',
  ])
  assert.deepEqual(kindsOf(allowing({ user: 'a', ...bad })), ['name-only-deny 1'])
  assert.deepEqual(kindsOf(allowing({ to: '8.0.0.0/8', ...bad })), ['name-only-deny 1'])
  assert.deepEqual(kindsOf(allowing({ to: ['.example', '8.8.8.8'], ...bad })), ['name-only-deny 1'])
  // An address is none of the names that are allowed, or is left out with the names.
  assert.deepEqual(kindsOf(allowing({ to: '.example', ...bad })), [])
  assert.deepEqual(kindsOf(allowing({ not: { to: ['.bad.example', '8.8.8.8'] } })), [])
  assert.deepEqual(kindsOf(allowing({ not: { not: { to: '.good.example' } } })), [])
})

test('sets and limits are told by their names, at their lines, problems before hints of the same line', () => {
  const policy = policyOf({
    sets: { none: [], spare: ['a.example'] },
    groups: { staff: [] },
    limits: { idle: { per: 'all', sessions: 1 }, own: { of: { user: 'a' }, per: 'all', sessions: 1 } },
    rules: [{ allow: { to: ['$none', 'b.example'] } }],
  })
  assert.deepEqual(
    lint(policy, NOW).map(({ kind, level, message }) => `${kind} ${level}: ${message}`),
    [
      'empty-set problem: the set none is empty',
      'unused-set hint: no rule uses the set spare',
      'empty-set problem: the group staff is empty',
      'unused-set hint: no rule uses the group staff',
      'unused-limit problem: no rule names the limit idle, and it does not say what it applies to (of)',
    ],
  )
})

test('another way, other limits or another target of the same requests is a change', () => {
  const limits = { a: { per: 'all', sessions: 1 }, b: { per: 'all', sessions: 2 } }
  const told = (before: object, after: object): readonly string[] => {
    const [old, young] = [before, after].map(more => policyOf({ limits, rules: [{ allow: { port: 1 }, ...more }] }))
    return diff(old ?? assert.fail(), young ?? assert.fail(), NOW).differences.map(({ kind }) => kind)
  }
  assert.deepEqual(told({}, { via: 'tor' }), ['changes'])
  assert.deepEqual(told({ limits: 'a' }, { limits: 'b' }), ['changes'])
  assert.deepEqual(told({ redirect: 'a.example:1' }, { redirect: 'a.example:2' }), ['changes'])
  assert.deepEqual(told({ via: 'tor' }, { via: 'tor' }), [])
  assert.deepEqual(told({}, { name: 'x', note: 'y', log: 'none' }), [])
})

const movedPorts = (before: readonly object[], after: readonly object[]): readonly string[] =>
  diff(policyOf({ rules: before }), policyOf({ rules: after }), NOW).differences.map(
    ({ kind, example }) => `${kind} ${example.facts.port}`,
  )

test('rules that move or come between others are compared by what they decide', () => {
  const [one, two, three] = [{ allow: { port: 1 } }, { deny: { port: '1-2' } }, { allow: { port: '1-3' } }]
  assert.deepEqual(movedPorts([one, two, three], [two, one, three]), ['loses 1'])
  assert.deepEqual(movedPorts([one, two, three], [one, three, two]), ['gains 2'])
  assert.deepEqual(movedPorts([one, two, three], [one, three]), ['gains 2'])
  assert.deepEqual(movedPorts([one, three], [one, two, three]), ['loses 2'])
  assert.deepEqual(movedPorts([two, three], [one, two, three]), ['gains 1'])
  assert.deepEqual(movedPorts([one, two], [one, two, three]), ['gains 3'])
  assert.deepEqual(movedPorts([one, two, three], [one, two]), ['loses 3'])
  assert.deepEqual(movedPorts([one, three], [three, one]), [])
})

const kindsBetween = (before: Policy, after: Policy): readonly string[] => [
  ...new Set(diff(before, after, NOW).differences.map(({ kind }) => kind)),
]

test('the first rule, the last rule and the mode change what nothing matches', () => {
  const [none, some] = [policyOf({}), policyOf({ rules: [{ allow: { port: 1 } }] })]
  const report = policyOf({ mode: 'report', rules: [{ allow: { port: 1 } }] })
  assert.deepEqual(kindsBetween(none, some), ['loses'])
  assert.deepEqual(kindsBetween(some, none), ['gains'])
  assert.deepEqual(kindsBetween(some, report), ['gains'])
  assert.deepEqual(kindsBetween(report, some), ['loses'])
  assert.deepEqual(kindsBetween(none, none), [])
})
