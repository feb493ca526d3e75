import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  type Decision,
  type Facts,
  type Policy,
  type Surroundings,
  compile,
  diff,
  lint,
  replay,
  runCases,
} from '../src/index.ts'
import { asServed } from '../src/server-refusal.ts'
import { walk } from '../src/walk.ts'
import { RandomPolicies } from './random-policy.ts'
import { policyOf } from './policy-text.ts'

/** Of the random policies, for runs that repeat these tests thousands of times (`npm run mutate`). */
const SHARE = Number(process.env['POLICY_SHARE'] ?? 1)
const NOW = Date.UTC(2026, 10, 18, 12)

function kindsOf(policy: Policy): readonly string[] {
  return lint(policy, NOW).map(one => `${one.kind} ${one.rule ?? ''}`.trim())
}

test('a rule that earlier rules leave nothing to is found, also when it takes several of them', () => {
  const rules = [
    { allow: { port: '1-100' } },
    { allow: { port: '90-200' } },
    { allow: { port: '50-150' } },
    { allow: { port: 201 } },
  ]
  assert.deepEqual(kindsOf(policyOf({ rules })), ['shadowed 3'])
})

test('a rule that comes too late to say the opposite is found', () => {
  const rules = [{ allow: { user: 'alice' } }, { deny: { user: 'alice', port: 25 } }, { allow: { user: 'bob' } }]
  const [finding] = lint(policyOf({ rules }), NOW)
  assert.deepEqual([finding?.kind, finding?.rule], ['contradicted', 2])
  assert.match(finding?.message ?? '', /rule 1 at line 1 matches first/)
})

test('a rule that nothing can match is found', () => {
  const rules = [{ allow: { user: 'alice', not: { user: 'alice' } } }, { allow: { port: 443 } }]
  assert.deepEqual(kindsOf(policyOf({ rules })), ['never-matches 1'])
})

test('sets without an entry, sets that nobody uses, and denied names are told', () => {
  const policy = policyOf({
    sets: { none: [], spare: ['a.example'] },
    groups: { staff: [] },
    rules: [{ deny: { to: ['$none', 'bad.example'] } }, { allow: { group: 'staff' } }, { allow: { port: 443 } }],
  })
  const found = kindsOf(policy)
  for (const kind of ['empty-set', 'unused-set', 'name-only-deny 1', 'never-matches 2'])
    assert.ok(found.includes(kind), kind)
  assert.equal(found.filter(kind => kind === 'empty-set').length, 2)
})

test('a rule that is called dead decides none of many random questions', () => {
  let dead = 0
  for (let seed = 1; seed <= 150 * SHARE; seed++) {
    const random = new RandomPolicies(seed)
    const policy = { ...random.policy(6), mode: 'enforce' as const }
    const found = new Set(lint(policy, NOW).flatMap(one => (one.level === 'problem' && one.rule ? [one.rule] : [])))
    dead += found.size
    const decider = compile(policy)
    for (let i = 0; i < 200; i++) {
      const decision = decider.decide(random.facts(true))
      if (decision.verdict !== 'open' && decision.rule !== undefined)
        assert.ok(!found.has(decision.rule.number), `seed ${seed}`)
    }
  }
  assert.ok(dead > 20 * SHARE)
})

test('the difference of two policies says who gains and who loses, with an example', () => {
  const before = policyOf({
    rules: [{ allow: { user: ['alice', 'bob'], port: 443 } }, { allow: { user: 'alice', port: 22 } }],
  })
  const after = policyOf({
    rules: [{ allow: { user: ['alice', 'carol'], port: 443 } }, { allow: { user: 'alice', port: 22 }, via: 'tor' }],
  })
  const { differences, isComplete } = diff(before, after, NOW)
  assert.ok(isComplete)
  const told = differences.map(({ kind, example: { facts } }) => `${kind} ${facts.user} ${facts.port}`)
  assert.deepEqual(told.toSorted(), ['changes alice 22', 'gains carol 443', 'loses bob 443'])
  assert.deepEqual(diff(before, before, NOW).differences, [])
})

test('limits that became others are a change, by the rules that name them and by those they apply to by themselves', () => {
  const rules = [{ allow: { user: 'alice' }, limits: ['slow'] }, { allow: { user: 'bob' } }]
  const before = policyOf({ limits: { slow: { sessions: 5, per: 'user' } }, rules })
  const changes = (after: object): readonly string[] =>
    diff(before, policyOf(after), NOW).differences.map(({ kind, limitsBefore, limitsAfter, example: { facts } }) => {
      const [was, is] = [limitsBefore, limitsAfter].map(limits => limits.map(({ text }) => text).join(' and '))
      return `${kind} ${facts.user}: ${was} to ${is}`
    })
  const named = (name: string, limit: object): object => ({
    limits: { [name]: limit },
    rules: [{ ...rules[0], limits: [name] }, rules[1]],
  })
  assert.deepEqual(changes(named('slow', { sessions: 6, per: 'user' })), [
    'changes alice: 5 sessions at once; per user to 6 sessions at once; per user',
  ])
  assert.deepEqual(changes(named('slow', { sessions: 5, per: 'client' })), [
    'changes alice: 5 sessions at once; per user to 5 sessions at once; per client',
  ])
  assert.deepEqual(changes(named('another-name', { sessions: 5, per: 'user' })), [])
  const slow = { sessions: 5, per: 'user' }
  const own = { sessions: 9, per: 'all', of: { user: 'bob' } }
  assert.deepEqual(changes({ limits: { slow, own }, rules }), ['changes bob:  to 9 sessions at once; all together'])
})

test('a limit of the rules of a name leaves one that is renamed', () => {
  const limits = { few: { sessions: 3, per: 'user', of: { rule: 'staff' } } }
  const [before, after] = ['staff', 'people'].map(name =>
    policyOf({
      limits,
      rules: [
        { name, allow: { port: 443 } },
        { name: 'staff', allow: { port: 80 } },
      ],
    }),
  )
  const { differences } = diff(before as Policy, after as Policy, NOW)
  assert.deepEqual(
    differences.map(({ kind, limitsBefore, limitsAfter }) => [kind, limitsBefore.length, limitsAfter.length]),
    [['changes', 1, 0]],
  )
})

test('adding the first rule takes everything else away', () => {
  const { differences } = diff(policyOf({}), policyOf({ rules: [{ allow: { port: 443 } }] }), NOW)
  assert.ok(differences.some(one => one.kind === 'loses' && one.example.facts.port !== 443))
})

test('a difference that random questions find is found, by the rules that decide them', () => {
  const seen = new Map<string, number>()
  for (let seed = 1; seed <= 100 * SHARE; seed++) {
    const random = new RandomPolicies(seed)
    const before = { ...random.policy(5), mode: 'enforce' as const }
    const rules = seed % 2 === 0 ? before.rules : before.rules.filter(rule => rule.number !== 2)
    const after = { ...before, rules }
    const [around, other] = [random.surroundings(), random.surroundings()]
    const sides = [around, seed % 3 === 0 ? other : around] as const
    const { differences, isComplete } = diff(before, after, Date.UTC(2026, 2, 28), ...sides)
    if (!isComplete) continue
    const told = new Set(differences.map(one => `${one.kind}: ${said(one.before)}, ${said(one.after)}`))
    for (let i = 0; i < 100; i++) {
      const facts = random.facts(true)
      const [was, is] = [servedTo(before, facts, sides[0]), servedTo(after, facts, sides[1])]
      if (was.verdict === is.verdict) continue
      const kind = is.verdict === 'allow' ? 'gains' : 'loses'
      seen.set(kind, (seen.get(kind) ?? 0) + 1)
      assert.ok(told.has(`${kind}: ${said(was)}, ${said(is)}`), `seed ${seed}, question ${i}`)
    }
  }
  // A small share of the seeds may see none of a kind.
  for (const kind of SHARE < 1 ? [] : ['gains', 'loses']) assert.ok((seen.get(kind) ?? 0) > 25 * SHARE, kind)
})

function said({ verdict, cause, ...decision }: Decision): string {
  return `${verdict} ${cause} ${'rule' in decision ? decision.rule?.number : ''}`
}

function servedTo(policy: Policy, facts: Facts, around: Surroundings): Decision {
  return asServed(walk(policy, facts, around).decision, facts, around.setting ?? {})
}

test('cases say what is not as expected', () => {
  const policy = policyOf({
    rules: [
      { name: 'web', allow: { user: 'alice', port: 443 }, via: 'tor' },
      { deny: { port: 25 }, reply: 'timed-out' },
    ],
    cases: [
      { allow: { user: 'alice', to: '93.184.216.34:443' }, via: 'tor', rule: 'web' },
      { deny: { user: 'alice', to: 'host.example:25' }, reply: 'timed-out' },
      { allow: { to: '93.184.216.34:443' } },
      { allow: { user: 'alice', to: '93.184.216.34:443' }, via: 'direct' },
      { deny: { to: '93.184.216.34:25' }, rule: '1' },
      { deny: { to: '93.184.216.34:25' }, reply: 'host-unreachable' },
    ],
  })
  const faults = runCases(policy, NOW).map(one => one.fault)
  assert.deepEqual(faults.slice(0, 2), [undefined, undefined])
  for (const [index, says] of [/denied by no rule/, /via direct/, /rule 1/, /host-unreachable/].entries()) {
    assert.match(faults[index + 2] ?? '', says)
  }
})

test('recorded sessions are asked again, and those that change are told', () => {
  const record = {
    time: '2026-11-18T12:00:00.000Z',
    client: '192.0.2.7:50000',
    listener: '0.0.0.0:1080',
    protocol: 'socks5',
    command: 'connect',
    end: 'client-finished',
  }
  const lines = [
    { ...record, user: 'alice', target: 'host.example:443', dialled: '93.184.216.34:443' },
    { ...record, user: 'alice', target: 'host.example:22', dialled: '93.184.216.34:22' },
    { ...record, target: '93.184.216.34:443', end: 'refused', failure: 'not_allowed' },
    { ...record, command: 'udp-associate', user: 'alice', target: '0.0.0.0:0' },
    { time: record.time, event: 'limit', message: 'x' },
    { ...record, end: 'refused', failure: 'auth_rejected', command: undefined },
  ].map(one => JSON.stringify(one))
  const decider = compile(policyOf({ rules: [{ allow: { port: 443 } }] }))
  const result = replay([...lines, 'not json', ''], decider)
  assert.deepEqual([result.sessions, result.skipped, result.unclear], [4, 3, 0])
  assert.deepEqual(
    result.changed.map(one => [one.line, one.before, one.now.verdict]),
    [
      [2, 'allow', 'deny'],
      [3, 'deny', 'allow'],
    ],
  )
})
