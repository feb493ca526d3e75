/** Limits in a policy: how they are read, what they apply to, and when their periods begin. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import {
  type Period,
  type Problem,
  compile,
  explain,
  limitConditionText,
  lint,
  readPolicy,
  readQuestion,
  stretchAt,
} from '../src/index.ts'
import { deciderOf, factsOf, ip, policyOf, sourceOf } from './policy-text.ts'

const MBIT = 125_000

function limitOf(raw: object): unknown {
  const [limit] = policyOf({ zone: 'Europe/Berlin', limits: { one: { per: 'all', ...raw } } }).limits
  return limit?.amounts
}

const AMOUNTS: readonly (readonly [raw: object, amounts: object])[] = [
  [
    { bandwidth: '10Mbit/s' },
    {
      bandwidth: {
        up: { octetsPerSecond: 10 * MBIT, burstOctets: MBIT },
        down: { octetsPerSecond: 10 * MBIT, burstOctets: MBIT },
      },
    },
  ],
  [
    { bandwidth: { down: '1MiB/s', burst: '64KiB' } },
    { bandwidth: { down: { octetsPerSecond: 1_048_576, burstOctets: 65_536 } } },
  ],
  [{ bandwidth: { up: '8kbit/s' } }, { bandwidth: { up: { octetsPerSecond: 1_000, burstOctets: 2_048 } } }],
  [{ sessions: 20 }, { sessions: 20 }],
  [{ 'new-sessions': '100/min' }, { newSessions: { count: 100, perMs: 60_000 } }],
  [{ datagrams: '200/s' }, { datagrams: { count: 200, perMs: 1_000 } }],
  [
    { 'session-length': '1h', idle: '90s' },
    { sessionLengthMs: 3_600_000, idleMs: 90_000 },
  ],
  [
    { octets: ' 10GiB/day ' },
    { octets: { total: 10 * 1_073_741_824, period: { every: 'day', zone: 'Europe/Berlin', minute: 0 } } },
  ],
  [
    { octets: { up: '1MiB', down: '2MiB', every: 'week', on: 'Sun', at: '04:30' } },
    {
      octets: {
        up: 1_048_576,
        down: 2_097_152,
        period: { every: 'week', zone: 'Europe/Berlin', minute: 270, weekday: 0 },
      },
    },
  ],
  [
    { octets: { down: '4KiB', every: 'day', at: '23:59', zone: 'America/New_York' } },
    { octets: { down: 4_096, period: { every: 'day', zone: 'America/New_York', minute: 1_439 } } },
  ],
  [
    { octets: { total: '1TiB', every: 'month', on: 31 } },
    { octets: { total: 1_099_511_627_776, period: { every: 'month', zone: 'Europe/Berlin', minute: 0, day: 31 } } },
  ],
]

for (const [raw, amounts] of AMOUNTS) {
  test(`${JSON.stringify(raw)} is what it says`, () => assert.deepEqual(limitOf(raw), amounts))
}

const WRONG: readonly (readonly [what: string, limit: unknown, path: readonly (string | number)[], says: RegExp])[] = [
  ['nothing counted together', { sessions: 1 }, ['per'], /"per" is missing/],
  ['no amount', { per: 'user' }, [], /expected at least one of bandwidth/],
  ['an unknown key', { per: 'user', session: 3 }, ['session'], /unknown key "session"/],
  ['an unknown scope', { per: 'usr', sessions: 3 }, ['per'], /expected session, user/],
  ['all with something', { per: ['all', 'user'], sessions: 3 }, ['per'], /all stands alone/],
  ['sessions in a session', { per: 'session', sessions: 3 }, ['sessions'], /per session/],
  ['a bandwidth without its unit', { per: 'all', bandwidth: 10 }, ['bandwidth'], /10Mbit\/s/],
  ['a bandwidth in no direction', { per: 'all', bandwidth: { burst: '64KiB' } }, ['bandwidth'], /up, down or both/],
  ['a burst too small', { per: 'all', bandwidth: { up: '1Mbit/s', burst: '1KiB' } }, ['bandwidth', 'burst'], /2KiB/],
  ['a rate of nothing', { per: 'all', 'new-sessions': '0/s' }, ['new-sessions'], /rate such as/],
  ['a quota for ever', { per: 'all', octets: '10GiB' }, ['octets'], /10GiB\/day/],
  ['a quota without a period', { per: 'all', octets: { total: '1GiB' } }, ['octets', 'every'], /"every" is missing/],
  ['a day with a day', { per: 'all', octets: { total: '1GiB', every: 'day', on: 1 } }, ['octets', 'on'], /week or/],
  ['no day of the month', { per: 'all', octets: { total: '1GiB', every: 'month', on: 32 } }, ['octets', 'on'], /31/],
  ['no time of day', { per: 'all', octets: { total: '1GiB', every: 'day', at: '24:00' } }, ['octets', 'at'], /04:00/],
  ['an unknown rule', { per: 'all', sessions: 1, of: { rule: 'stuff' } }, ['of', 'rule'], /no rule "stuff"/],
  ['a limit that is none', 7, [], /map of keys/],
]

for (const [what, limit, path, says] of WRONG) {
  test(`${what} is told where it stands`, () => {
    const raw = { limits: { one: limit }, rules: [{ name: 'staff', allow: { user: 'alice' } }] }
    const read = readPolicy(raw, sourceOf())
    const [problem]: readonly Problem[] = read.ok ? [] : read.problems
    assert.deepEqual(problem?.path, ['limits', 'one', ...path])
    assert.match(problem.message, says)
  })
}

function conditionTextOf(of: object): string {
  const [limit] = policyOf({
    limits: { one: { of, per: 'all', sessions: 1 } },
    rules: ['web', 'mail'].map(name => ({ name, allow: 'everything' })),
  }).limits
  return limitConditionText(limit?.of ?? assert.fail())
}

test('what a limit applies to by itself is a sentence', () => {
  assert.equal(conditionTextOf({ rule: ['web', 'mail'], user: 'bob' }), 'rule web, mail, user bob')
  assert.equal(conditionTextOf({ rule: 'web' }), 'rule web')
  assert.equal(conditionTextOf({ user: 'bob', port: 80 }), 'user bob, port 80')
})

test('a rule may not name a limit that says itself what it applies to', () => {
  const limits = { one: { of: { user: 'bob' }, per: 'all', sessions: 1 } }
  const read = readPolicy(
    { limits, rules: [{ deny: { port: 1 } }, { allow: 'everything', limits: 'one' }] },
    sourceOf(),
  )
  assert.ok(!read.ok)
  assert.deepEqual(read.problems[0]?.path, ['rules', 1, 'limits'])
})

test('a limit applies to the rules that name it, or to what it says itself', () => {
  const decider = deciderOf({
    groups: { staff: ['alice', 'bob'] },
    limits: {
      named: { per: 'user', sessions: 1 },
      staff: { of: { group: 'staff' }, per: 'all', sessions: 1 },
      web: { of: { rule: 'web', from: '192.0.2.0/24' }, per: 'client', sessions: 1 },
      far: { of: { to: '93.184.0.0/16' }, per: 'all', sessions: 1 },
    },
    rules: [
      { name: 'web', allow: { port: 443 } },
      { allow: { port: 22 }, limits: 'named' },
    ],
  })
  const namesFor = (said: Parameters<typeof factsOf>[0]): readonly string[] => {
    const facts = factsOf(said)
    return decider.limitsOn(facts, decider.decide(facts)).map(({ name }) => name)
  }
  assert.deepEqual(namesFor({ port: 22, user: null, address: ip('8.8.8.8') }), ['named'])
  assert.deepEqual(namesFor({ port: 22, address: ip('8.8.8.8') }), ['named', 'staff'])
  assert.deepEqual(namesFor({}), ['staff', 'web', 'far'])
  assert.deepEqual(namesFor({ client: ip('198.51.100.1'), user: null }), ['far'])
  // What is not known yet does not apply yet.
  assert.deepEqual(namesFor({ address: undefined, user: null }), ['web'])
  // Nobody is limited in what is not allowed, or has not been decided.
  const denied = decider.decide(factsOf({ port: 1 }))
  assert.equal(denied.verdict, 'deny')
  for (const decision of [denied, undefined]) {
    const names = decider.limitsOn(factsOf({}), decision).map(({ name }) => name)
    assert.deepEqual(names, ['staff', 'far'])
  }
  assert.equal(decider.hasLimits, true)
  assert.equal(deciderOf({ rules: [{ allow: 'everything' }] }).hasLimits, false)
})

test('a limit by name or by country asks as a rule does, and one of a rule knows the one that denies', () => {
  const one = { per: 'all', sessions: 1 }
  const policy = policyOf({
    limits: {
      name: { of: { to: '.host.example' }, ...one },
      home: { of: { country: 'DE' }, ...one },
      no: { of: { rule: 'no' }, ...one },
    },
    rules: [{ name: 'no', deny: { port: 25 } }, { allow: 'everything' }],
  })
  const decider = compile(policy, { geo: address => (address.octets[0] === 8 ? { country: 'DE' } : {}) })
  const namesFor = (said: Parameters<typeof factsOf>[0]): readonly string[] => {
    const facts = factsOf(said)
    return decider.limitsOn(facts, decider.decide(facts)).map(({ name }) => name)
  }
  assert.deepEqual(namesFor({ host: 'A.Host.Example.' }), ['name'])
  assert.deepEqual(namesFor({ host: 'host.example', address: ip('8.8.8.8') }), ['name', 'home'])
  assert.deepEqual(namesFor({ host: 'other.example', address: ip('9.9.9.9') }), [])
  assert.deepEqual(namesFor({ host: null, address: undefined }), [])
  assert.deepEqual(namesFor({ port: 25 }), [])
})

test('a policy has limits when they apply by themselves, and when a rule names them, not when nothing does', () => {
  const one = { per: 'all', sessions: 1 }
  assert.equal(deciderOf({ limits: { one: { ...one, of: { port: 1 } } } }).hasLimits, true)
  assert.equal(deciderOf({ limits: { one }, rules: [{ allow: 'everything', limits: 'one' }] }).hasLimits, true)
  assert.equal(deciderOf({ limits: { one }, rules: [{ allow: 'everything' }] }).hasLimits, false)
})

test('an explanation has the limits, and lint knows one that nobody uses', () => {
  const policy = policyOf({
    limits: { slow: { per: 'user', bandwidth: { down: '1Mbit/s' } }, lost: { per: 'all', sessions: 1 } },
    rules: [{ allow: { user: 'alice' }, limits: 'slow' }],
  })
  const question = readQuestion({ user: 'alice', to: '93.184.216.34:443' })
  assert.ok(question.ok)
  const { limits } = explain(policy, question.request, 0)
  assert.deepEqual(
    limits.map(({ name, text }) => [name, text]),
    [['slow', '1Mbit/s down; per user']],
  )
  const denied = readQuestion({ user: 'bob', to: '93.184.216.34:443' })
  assert.ok(denied.ok)
  assert.deepEqual(explain(policy, denied.request, 0).limits, [])
  const found = lint(policy, 0).filter(({ kind }) => kind === 'unused-limit')
  assert.deepEqual(
    found.map(({ message }) => message),
    ['no rule names the limit lost, and it does not say what it applies to (of)'],
  )
})

const PERIODS: readonly (readonly [period: Period, now: string, start: string, end: string])[] = [
  [{ every: 'day', zone: 'UTC', minute: 240 }, '2026-11-21T03:59Z', '2026-11-20T04:00Z', '2026-11-21T04:00Z'],
  [{ every: 'day', zone: 'UTC', minute: 240 }, '2026-11-21T04:00Z', '2026-11-21T04:00Z', '2026-11-22T04:00Z'],
  // The day on which summer time ends has 25 hours, the one on which it begins has 23.
  [{ every: 'day', zone: 'Europe/Berlin', minute: 0 }, '2026-10-25T12:00Z', '2026-10-24T22:00Z', '2026-10-25T23:00Z'],
  [{ every: 'day', zone: 'Europe/Berlin', minute: 0 }, '2026-03-29T12:00Z', '2026-03-28T23:00Z', '2026-03-29T22:00Z'],
  // 02:30 is left out that night: an hour later, as if the clock had not gone forward yet.
  [{ every: 'day', zone: 'Europe/Berlin', minute: 150 }, '2026-03-29T12:00Z', '2026-03-29T01:30Z', '2026-03-30T00:30Z'],
  [
    { every: 'day', zone: 'America/New_York', minute: 150 },
    '2026-03-08T12:00Z',
    '2026-03-08T07:30Z',
    '2026-03-09T06:30Z',
  ],
  // 02:30 comes twice that night, and 01:30 in New York: it begins with the first.
  [{ every: 'day', zone: 'Europe/Berlin', minute: 150 }, '2026-10-25T00:29Z', '2026-10-24T00:30Z', '2026-10-25T00:30Z'],
  [{ every: 'day', zone: 'Europe/Berlin', minute: 150 }, '2026-10-25T00:45Z', '2026-10-25T00:30Z', '2026-10-26T01:30Z'],
  [{ every: 'day', zone: 'Europe/Berlin', minute: 150 }, '2026-10-25T01:15Z', '2026-10-25T00:30Z', '2026-10-26T01:30Z'],
  [
    { every: 'day', zone: 'America/New_York', minute: 90 },
    '2026-11-01T06:15Z',
    '2026-11-01T05:30Z',
    '2026-11-02T06:30Z',
  ],
  [
    { every: 'week', zone: 'UTC', minute: 0, weekday: 1 },
    '2026-11-21T12:00Z',
    '2026-11-16T00:00Z',
    '2026-11-23T00:00Z',
  ],
  [
    { every: 'week', zone: 'UTC', minute: 60, weekday: 6 },
    '2026-11-21T00:30Z',
    '2026-11-14T01:00Z',
    '2026-11-21T01:00Z',
  ],
  [{ every: 'month', zone: 'UTC', minute: 0, day: 31 }, '2026-02-27T12:00Z', '2026-01-31T00:00Z', '2026-02-28T00:00Z'],
  [{ every: 'month', zone: 'UTC', minute: 0, day: 15 }, '2026-12-20T12:00Z', '2026-12-15T00:00Z', '2027-01-15T00:00Z'],
]

for (const [period, now, start, end] of PERIODS) {
  test(`at ${now} a ${period.every} in ${period.zone} has begun at ${start}`, () => {
    const { startMs, endMs } = stretchAt(period, Date.parse(now))
    assert.deepEqual([new Date(startMs), new Date(endMs)], [new Date(Date.parse(start)), new Date(Date.parse(end))])
  })
}

test('every moment lies in its period, and periods follow each other without a gap', () => {
  const base = {
    zone: fc.constantFrom('UTC', 'Europe/Berlin', 'America/New_York', 'Asia/Kathmandu'),
    minute: fc.oneof(fc.nat(1_439), fc.integer({ min: 30, max: 210 })),
  }
  const period = fc.oneof(
    fc.record({ every: fc.constant('day' as const), ...base }),
    fc.record({ every: fc.constant('week' as const), ...base, weekday: fc.nat(6) }),
    fc.record({ every: fc.constant('month' as const), ...base, day: fc.integer({ min: 1, max: 31 }) }),
  )
  // Any, and those of the nights in which clocks change.
  const moment = fc.oneof(
    fc.integer({ min: Date.UTC(2024, 0), max: Date.UTC(2030, 0) }),
    ...['2026-03-29', '2026-10-25', '2026-03-08', '2026-11-01'].map(day =>
      fc.nat(36 * 60).map(minute => Date.parse(day) - 12 * 3_600_000 + minute * 60_000),
    ),
  )
  fc.assert(
    fc.property(period, moment, (one, nowMs) => {
      const { startMs, endMs } = stretchAt(one, nowMs)
      assert.ok(startMs <= nowMs && nowMs < endMs, `${startMs} ${nowMs} ${endMs}`)
      assert.equal(stretchAt(one, endMs).startMs, endMs)
      assert.equal(stretchAt(one, startMs).startMs, startMs)
    }),
    { numRuns: 300 },
  )
})

const TEXTS: readonly (readonly [limit: object, text: string])[] = [
  [{ per: 'user', sessions: 20 }, '20 sessions at once; per user'],
  [{ per: ['client', 'user'], sessions: 0 }, '0 sessions at once; per user and client'],
  [{ per: 'all', bandwidth: '10Mbit/s' }, '10Mbit/s each way; all together'],
  [{ per: 'all', bandwidth: { up: '1Mbit/s', down: '2Mbit/s' } }, '1Mbit/s up, 2Mbit/s down; all together'],
  [{ per: 'all', bandwidth: { up: '1Mbit/s', down: '1Mbit/s' } }, '1Mbit/s each way; all together'],
  [{ per: 'all', bandwidth: { down: '2Mbit/s' } }, '2Mbit/s down; all together'],
  [{ per: 'all', bandwidth: { up: '500kbit/s' } }, '500kbit/s up; all together'],
  [
    { per: 'all', 'new-sessions': '5/s', datagrams: '9/min' },
    '5/s new sessions, 9/min datagrams each way; all together',
  ],
  [{ per: 'all', 'new-sessions': '5/h', datagrams: '9/d' }, '5/h new sessions, 9/d datagrams each way; all together'],
  [{ per: 'all', 'session-length': '1h', idle: '90s' }, '1h a session, 90s idle; all together'],
  [{ per: 'all', octets: '10GiB/day' }, '10GiB a day from 00:00 Europe/Berlin; all together'],
  [{ per: 'all', octets: '1GiB/week' }, '1GiB a week from mon 00:00 Europe/Berlin; all together'],
  [
    { per: 'all', octets: { up: '1GiB', every: 'week', on: 'Sun', at: '04:05' } },
    '1GiB up a week from sun 04:05 Europe/Berlin; all together',
  ],
  [
    { per: 'all', octets: { up: '1GiB', down: '2GiB', total: '3GiB', every: 'month', on: 31, at: '23:59' } },
    '3GiB and 1GiB up and 2GiB down a month from day 31, 23:59 Europe/Berlin; all together',
  ],
]

for (const [limit, text] of TEXTS) {
  test(`${JSON.stringify(limit)} is said in words`, () => {
    const [read] = policyOf({ zone: 'Europe/Berlin', limits: { one: limit } }).limits
    assert.equal(read?.text, text)
  })
}
