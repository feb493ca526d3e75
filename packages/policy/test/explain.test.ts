/** What a person is told about a request: which rule decides, and why no rule before it matched. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Facts, compile, explain, readQuestion } from '../src/index.ts'
import { refusalOf, routeOf, ruleLabel } from '../src/decision.ts'
import { walk } from '../src/walk.ts'
import { deciderOf, factsOf, ip, policyOf } from './policy-text.ts'

const GEO = { geo: () => ({ country: 'DE', asn: '64496' }) }

/** Why a rule with this condition does not match. */
function why(condition: object, facts: Partial<Facts> = {}, options: object = {}): string | undefined {
  const policy = policyOf({ groups: { staff: ['bob'] }, sets: { web: ['80'] }, rules: [{ allow: condition }] })
  return walk(policy, factsOf(facts), options).steps[0]?.why
}

const REASONS: readonly (readonly [condition: object, facts: Partial<Facts>, why: string | undefined])[] = [
  [{ user: 'alice' }, {}, undefined],
  [{ from: '10.0.0.0/8' }, {}, 'not from 10.0.0.0/8 (from 192.0.2.7)'],
  [{ from: '10.0.0.0/8' }, { client: 'unix' }, 'not from 10.0.0.0/8 (a Unix socket)'],
  [{ from: '10.0.0.0/8' }, { client: ip('::ffff:9.0.0.1') }, 'not from 10.0.0.0/8 (from 9.0.0.1)'],
  [{ user: 'bob' }, {}, 'not user bob (user alice)'],
  [{ user: ['bob', 'carol'] }, { user: null }, 'not user bob, carol (nobody logged in)'],
  [{ user: 'bob' }, { user: undefined }, 'user bob: not known yet'],
  [{ group: 'staff' }, {}, 'not group staff (user alice)'],
  [{ port: '$web' }, {}, 'not port $web (port 443)'],
  [{ port: 80 }, { port: undefined }, 'port 80: not known yet'],
  [{ to: 'a.example' }, { host: 'b.example' }, 'not to a.example (b.example at 93.184.216.34)'],
  [{ to: 'a.example' }, {}, 'not to a.example (93.184.216.34)'],
  [
    { to: 'a.example' },
    { host: 'b.example', address: undefined },
    'not to a.example (b.example at address not known yet)',
  ],
  [{ to: '8.8.8.8' }, { host: 'b.example', address: undefined }, 'to 8.8.8.8: b.example at address not known yet'],
  [{ to: ['a.example', '8.8.8.8'] }, {}, 'not to a.example, 8.8.8.8 (93.184.216.34)'],
  [{ protocol: 'http' }, {}, 'not protocol http (protocol socks5)'],
  [{ method: 'none' }, { method: undefined }, 'method none: not known yet'],
  [{ command: 'bind' }, {}, 'not command bind (command connect)'],
  [{ listener: 'inner' }, {}, 'not listener inner (listener public)'],
  [{ when: 'Mon' }, {}, 'not when Mon (2026-11-18T12:00:00.000Z)'],
  [{ not: { user: 'alice' } }, {}, 'user alice holds'],
  [{ not: { user: 'alice' } }, { user: undefined }, 'user alice may hold'],
  [{ any: [{ user: 'bob' }, { port: 80 }] }, {}, 'not user bob (user alice); not port 80 (port 443)'],
  [{ user: 'alice', port: 80 }, {}, 'not port 80 (port 443)'],
  [{ user: 'alice', port: 80 }, { user: undefined }, 'not port 80 (port 443)'],
  [{ user: 'alice', port: 443 }, { user: undefined }, 'user alice: not known yet'],
  [{ user: 'alice', port: 443 }, { port: undefined }, 'port 443: not known yet'],
]

for (const [condition, facts, expected] of REASONS) {
  test(`${JSON.stringify(condition)} does not match because: ${expected ?? '(it does)'}`, () => {
    assert.equal(why(condition, facts), expected)
  })
}

test('countries and networks are told, as far as they are known', () => {
  assert.equal(why({ country: 'FR' }, {}, GEO), 'not country FR (DE)')
  assert.equal(why({ asn: '1' }, {}, GEO), 'not asn 1 (64496)')
  assert.equal(why({ country: 'FR' }), 'not country FR (country unknown)')
  assert.equal(why({ country: 'FR' }, { address: undefined }, GEO), 'country FR: address not known yet')
})

function textOf(condition: unknown): string | undefined {
  return policyOf({ rules: [{ allow: condition }] }).rules[0]?.text
}

test('conditions are said as they were written', () => {
  assert.equal(textOf('everything'), 'everything')
  assert.equal(textOf({ user: 'a', not: { to: 'b.example' } }), 'user a, not (to b.example)')
  assert.equal(textOf({ any: [{ user: 'a' }, { port: 1, user: 'b' }] }), '(user a) or (port 1, user b)')
  assert.equal(textOf({ to: ['a.example', '8.8.8.8:53'] }), 'to a.example, 8.8.8.8:53')
})

function answer(raw: object, words: object, options: object = {}): ReturnType<typeof explain> {
  const question = readQuestion(words as Readonly<Record<string, unknown>>)
  assert.ok(question.ok)
  return explain(policyOf(raw), question.request, Date.UTC(2026, 10, 18, 12), options)
}

test('a name is asked as named and then at each address; one that is allowed settles it, or the last refusal', () => {
  const raw = { rules: [{ deny: { to: '8.0.0.0/8' } }, { allow: { to: ['.example', '9.9.9.9'] } }] }
  const told = (words: object): unknown => {
    const { verdict, decisive, asked } = answer(raw, words)
    return [verdict, asked.map(one => one.moment), asked.indexOf(decisive)]
  }
  assert.deepEqual(told({ to: 'a.example:80', resolves: ['8.8.8.8', '9.9.9.9', '1.1.1.1'] }), [
    'allow',
    ['name', 'address', 'address', 'address'],
    2,
  ])
  assert.deepEqual(told({ to: 'a.example:80', resolves: ['8.8.8.8', '8.8.4.4'] }), [
    'deny',
    ['name', 'address', 'address'],
    2,
  ])
  assert.deepEqual(told({ to: 'a.example:80' }), ['open', ['name'], 0])
  assert.deepEqual(told({ to: '9.9.9.9:80' }), ['allow', ['address'], 0])
  assert.deepEqual(told({ command: 'udp-associate' }), ['open', ['request'], 0])
})

test('what a name, an address or nothing is asked about is said with it, and a refused name is asked no further', () => {
  const raw = { rules: [{ deny: { to: ['.bad.example', '8.0.0.0/8'] } }, { allow: 'everything' }] }
  const told = (words: object): unknown => {
    const { verdict, decisive, asked } = answer(raw, words)
    return [
      verdict,
      asked.map(({ moment, address }) => `${moment} ${address?.octets.join('.')}`),
      asked.indexOf(decisive),
    ]
  }
  assert.deepEqual(told({ to: 'x.bad.example:80', resolves: '9.9.9.9' }), ['deny', ['name undefined'], 0])
  assert.deepEqual(told({ to: '9.9.9.9:80' }), ['allow', ['address 9.9.9.9'], 0])
  assert.deepEqual(told({ command: 'bind' }), ['open', ['request undefined'], 0])
  const addresses = ['8.8.8.8', '8.8.4.4', '8.0.0.1']
  assert.deepEqual(told({ to: 'a.example:80', resolves: addresses }), [
    'deny',
    ['name undefined', ...addresses.map(address => `address ${address}`)],
    3,
  ])
  assert.ok(!('address' in answer(raw, { to: 'a.example:80' }).decisive))
})

test('addresses that are given for a target without a name are not asked about', () => {
  const question = readQuestion({ to: 'a.example:80', resolves: '8.8.8.8' })
  assert.ok(question.ok)
  const policy = policyOf({ rules: [{ deny: { to: '8.8.8.8' } }, { allow: 'everything' }] })
  const to = { address: ip('9.9.9.9'), port: 80 }
  assert.deepEqual(
    explain(policy, { ...question.request, to }, 0).asked.map(({ moment }) => moment),
    ['address'],
  )
})

const ONE = { per: 'all', sessions: 1 }

test('the limits on what is allowed are those of its user, its address and where that is', () => {
  const limits = {
    named: ONE,
    alice: { ...ONE, of: { user: 'alice' } },
    nine: { ...ONE, of: { to: '9.9.9.9' } },
    german: { ...ONE, of: { country: 'DE' } },
  }
  const raw = { limits, rules: [{ deny: { to: '8.0.0.0/8' } }, { allow: 'everything', limits: 'named' }] }
  const told = (words: object, options: object = {}): readonly string[] =>
    answer(raw, { to: '9.9.9.9:80', ...words }, options).limits.map(({ name }) => name)
  assert.deepEqual(told({ user: 'alice' }), ['named', 'alice', 'nine'])
  assert.deepEqual(told({ to: 'a.example:80', resolves: ['8.8.8.8', '9.9.9.9'] }), ['named', 'nine'])
  assert.deepEqual(told({ to: '7.7.7.7:80' }, GEO), ['named', 'german'])
  assert.deepEqual(told({ to: '7.7.7.7:80', country: 'FR' }, GEO), ['named'])
  assert.deepEqual(told({ to: '7.7.7.7:80', country: 'DE' }), ['named', 'german'])
  assert.deepEqual(told({ user: 'alice', to: '8.8.8.8:80' }, GEO), [])
})

test('where an address is registered is asked where the question does not say it', () => {
  const raw = { rules: [{ allow: { country: 'DE' } }] }
  const verdict = (words: object): string => answer(raw, { to: '8.8.8.8:80', ...words }, GEO).verdict
  assert.deepEqual([{}, { country: 'FR' }, { asn: '7' }].map(verdict), ['allow', 'deny', 'deny'])
})

test('country, network and time of a question count', () => {
  const raw = { rules: [{ allow: { country: 'DE' } }, { allow: { asn: '7' } }, { allow: { when: 'Mon' } }] }
  const verdict = (words: object): string => answer(raw, { to: '8.8.8.8:80', ...words }).verdict
  assert.deepEqual(
    [{}, { country: 'de' }, { country: 'FR' }, { asn: 'AS7' }, { at: '2026-11-16T00:00:00Z' }].map(verdict),
    ['deny', 'allow', 'deny', 'allow', 'allow'],
  )
})

function detailOf(raw: object, facts: Partial<Facts> = {}): string | undefined {
  return refusalOf(compile(policyOf(raw)).decide(factsOf(facts))).detail
}

test('a decision has its sentence, its reply, its way and the name of its rule', () => {
  const decider = deciderOf({
    rules: [
      { name: 'spam', deny: { port: 25 }, reply: 'host-unreachable' },
      { deny: { port: 26 } },
      { allow: { port: [443, 80] }, via: 'tor' },
    ],
  })
  const said = (port: number, facts: Partial<Facts> = {}): readonly (string | undefined)[] => {
    const decision = decider.decide(factsOf({ port, ...facts }))
    const { code, blame, detail } = refusalOf(decision)
    return [code, blame, detail, routeOf(decision)]
  }
  assert.deepEqual(said(25), ['host_unreachable', 'policy', 'refused by rule 1 (spam)', 'default'])
  assert.deepEqual(said(26), ['not_allowed', 'policy', 'refused by rule 2', 'default'])
  assert.deepEqual(said(443), ['not_allowed', 'policy', 'allowed by rule 3', 'tor'])
  assert.deepEqual(said(1), ['not_allowed', 'policy', 'no rule allows it', 'default'])
  const inside = said(443, { address: ip('10.0.0.1') })
  assert.deepEqual(inside.slice(2), ['the address is inside and closed to clients from elsewhere', 'default'])
  assert.equal(detailOf({}), 'there are no rules')
  assert.equal(detailOf({ mode: 'report', rules: [{ deny: 'everything' }] }), 'the policy only reports')
  assert.equal(
    detailOf({ rules: [{ allow: { port: 1 } }] }, { port: undefined }),
    'it depends on what is not known yet',
  )
  const [rule] = policyOf({ rules: [{ allow: 'everything' }] }).rules
  assert.equal(ruleLabel(rule ?? assert.fail()), 'rule 1')
})

test('each rule that was asked is kept, up to the one that decides', () => {
  const { steps, form } = walk(
    policyOf({ rules: [{ deny: { user: 'bob' } }, { allow: { port: 443 } }, { deny: 'everything' }] }),
    factsOf({ address: ip('64:ff9b::8.8.8.8') }),
  )
  assert.deepEqual(
    steps.map(step => [step.rule.number, step.truth]),
    [
      [1, false],
      [2, true],
    ],
  )
  assert.deepEqual(form, ip('8.8.8.8'))
})
