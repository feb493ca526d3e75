/** Where each wrong part of a policy is told, to the element, once, with the rest of the file read nevertheless. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Problem, readPolicy } from '../../src/index.ts'
import { type PolicySource } from '../../src/index.ts'
import { policyOf, sourceOf } from '../policy-text.ts'

function problemsOf(
  raw: unknown,
  files: Readonly<Record<string, string>> = {},
  names: Partial<PolicySource> = { routes: ['tor'], listeners: ['public'] },
): readonly Problem[] {
  const read = readPolicy(raw, sourceOf(files, names))
  return read.ok ? [] : read.problems
}

function told(raw: unknown, files: Readonly<Record<string, string>> = {}): readonly string[] {
  return problemsOf(raw, files).map(({ path, message }) => `${path.join('.')}: ${message}`)
}

const rule = (condition: unknown, more: object = {}): object => ({ rules: [{ allow: condition, ...more }] })

const WRONG: readonly (readonly [raw: unknown, path: string, says: RegExp])[] = [
  [7, '', /expected a map of keys/],
  [{ rules: 7 }, 'rules', /expected a list/],
  [{ rules: [7] }, 'rules.0', /a map of keys/],
  [{ cases: {} }, 'cases', /expected a list/],
  [{ sets: 7 }, 'sets', /names to lists/],
  [{ groups: [] }, 'groups', /names to lists/],
  [{ limits: 7 }, 'limits', /names to limits/],
  [{ limits: { 'a b': { per: 'all', sessions: 1 } } }, 'limits.a b', /a name of letters/],
  [{ limits: { '-a': { per: 'all', sessions: 1 } } }, 'limits.-a', /a name of letters/],
  [{ limits: { 'a!': { per: 'all', sessions: 1 } } }, 'limits.a!', /a name of letters/],
  [{ sets: { 'a b': [] } }, 'sets.a b', /a name of letters/],
  [{ sets: { [`a${'b'.repeat(64)}`]: [] } }, `sets.a${'b'.repeat(64)}`, /a name of letters/],
  [{ sets: { inside: ['a'] } }, 'sets.inside', /cannot be changed/],
  [{ sets: { a: {} } }, 'sets.a.file', /"file" is missing/],
  [{ sets: { a: { file: '' } } }, 'sets.a.file', /path of a file/],
  [{ sets: { a: [[]] } }, 'sets.a.0', /a text/],
  [{ mode: 'reprt' }, 'mode', /enforce or report/],
  [{ zone: '' }, 'zone', /zone/],
  [{ zone: 'Nowhere' }, 'zone', /zone/],
  [rule(7), 'rules.0.allow', /a map such as/],
  [rule({ all: 7 }), 'rules.0.allow.all', /a list of maps/],
  [rule({ any: [] }), 'rules.0.allow.any', /at least one/],
  [rule({ any: [{ user: 'a' }, 7] }), 'rules.0.allow.any.1', /a map such as/],
  [rule({ not: 7 }), 'rules.0.allow.not', /a map such as/],
  [rule({ user: [] }), 'rules.0.allow.user', /at least one/],
  [rule({ user: ['a', ''] }), 'rules.0.allow.user.1', /a text/],
  [rule({ user: '  ' }), 'rules.0.allow.user', /a text/],
  [rule({ user: {} }), 'rules.0.allow.user', /a text/],
  [rule({ user: { toString: 1, valueOf: 1 } }), 'rules.0.allow.user', /a text/],
  [rule({ to: [{ toString: 1, valueOf: 1 }] }), 'rules.0.allow.to.0', /a text/],
  [rule({ country: 'DEU' }), 'rules.0.allow.country', /two letters/],
  [rule({ country: 'D1' }), 'rules.0.allow.country', /two letters/],
  [rule({ country: '1DE' }), 'rules.0.allow.country', /two letters/],
  [rule({ asn: 'ASX' }), 'rules.0.allow.asn', /autonomous systems/],
  [rule({ asn: 'x64496' }), 'rules.0.allow.asn', /autonomous systems/],
  [rule({ asn: '64496x' }), 'rules.0.allow.asn', /autonomous systems/],
  [rule({ asn: '064' }), 'rules.0.allow.asn', /autonomous systems/],
  [rule({ port: '2-1' }), 'rules.0.allow.port', /range of ports/],
  [rule({ port: '1-65536' }), 'rules.0.allow.port', /range of ports/],
  [rule({ port: 'x1' }), 'rules.0.allow.port', /range of ports/],
  [rule({ port: '1-2x' }), 'rules.0.allow.port', /range of ports/],
  [rule({ port: '01' }), 'rules.0.allow.port', /range of ports/],
  [rule({ from: 'localhost' }), 'rules.0.allow.from', /a network .*, or unix; "localhost" is none/],
  [rule({ to: 'x[::1]:80' }), 'rules.0.allow.to', /expected a host/],
  [rule({ to: '[::1]:80x' }), 'rules.0.allow.to', /expected a host/],
  [rule({ to: 'a.example:' }), 'rules.0.allow.to', /expected a host/],
  [rule({ to: '-:80' }), 'rules.0.allow.to', /expected a host/],
  [rule({ to: 'a.example:70000' }), 'rules.0.allow.to', /expected a host/],
  [rule({ to: ['a.example', '10.0.0.1/8'] }), 'rules.0.allow.to.1', /expected a host/],
  [rule('everything', { mode: 'off' }), 'rules.0.mode', /enforce or report/],
  [rule('everything', { log: 'some' }), 'rules.0.log', /full, no-targets or none/],
  [rule('everything', { redirect: 7 }), 'rules.0.redirect', /HOST or HOST:PORT/],
  [rule('everything', { redirect: '' }), 'rules.0.redirect', /HOST or HOST:PORT/],
  [rule('everything', { redirect: 'a.example:70000' }), 'rules.0.redirect', /HOST or HOST:PORT/],
  [rule('everything', { redirect: '.example' }), 'rules.0.redirect', /HOST or HOST:PORT/],
  [rule('everything', { name: '' }), 'rules.0.name', /a text/],
  [rule('everything', { note: [] }), 'rules.0.note', /a text/],
  [rule('everything', { limits: [''] }), 'rules.0.limits.0', /name of a limit/],
  [rule('everything', { limits: 'a' }), 'rules.0.limits', /no limit is defined/],
  [{ rules: [{ deny: 'everything', reply: 7 }] }, 'rules.0.reply', /expected not-allowed/],
  [{ rules: [{ deny: 'everything', log: 'none' }] }, 'rules.0.log', /only a rule that allows/],
  [{ rules: [{ deny: 'everything', redirect: 'a' }] }, 'rules.0.redirect', /only a rule that allows/],
]

for (const [raw, path, says] of WRONG) {
  test(`${JSON.stringify(raw).slice(0, 90)} is told at ${path}, once`, () => {
    const problems = told(raw)
    assert.equal(problems.length, 1, problems.join('\n'))
    assert.equal(problems[0]?.slice(0, path.length + 1), `${path}:`)
    assert.match(problems[0] ?? '', says)
  })
}

const LIMITS: readonly (readonly [limit: object, key: string, says: RegExp])[] = [
  [{ sessions: -1 }, 'sessions', /a whole number/],
  [{ sessions: 1.5 }, 'sessions', /a whole number/],
  [{ sessions: '3' }, 'sessions', /a whole number/],
  [{ sessions: 1_000_000_001 }, 'sessions', /a whole number/],
  [{ 'new-sessions': 'x5/s' }, 'new-sessions', /a rate/],
  [{ 'new-sessions': { toString: 1, valueOf: 1 } }, 'new-sessions', /a rate/],
  [{ 'new-sessions': '5/sx' }, 'new-sessions', /a rate/],
  [{ 'new-sessions': '5/w' }, 'new-sessions', /a rate/],
  [{ 'session-length': '0s' }, 'session-length', /a duration/],
  [{ idle: 'soon' }, 'idle', /a duration/],
  [{ idle: {} }, 'idle', /a duration/],
  [{ bandwidth: '0kbit/s' }, 'bandwidth', /a bandwidth/],
  [{ bandwidth: [] }, 'bandwidth', /a bandwidth/],
  [{ bandwidth: { up: 'x' } }, 'bandwidth.up', /a bandwidth/],
  [{ bandwidth: { down: 'x' } }, 'bandwidth.down', /a bandwidth/],
  [{ bandwidth: { down: '1Mbit/s', burst: 'x' } }, 'bandwidth.burst', /a size/],
  [{ octets: 'x1GiB/day' }, 'octets', /10GiB\/day/],
  [{ octets: '1GiB/days' }, 'octets', /10GiB\/day/],
  [{ octets: '1GiB/hour' }, 'octets', /10GiB\/day/],
  [{ octets: { every: 'day' } }, 'octets', /up, down or total/],
  [{ octets: { up: 'x', every: 'day' } }, 'octets.up', /a size/],
  [{ octets: { total: '1GiB', every: 'hour' } }, 'octets.every', /day, week or month/],
  [{ octets: { total: '1GiB', every: 'day', at: '4:00' } }, 'octets.at', /time of day/],
  [{ octets: { total: '1GiB', every: 'day', at: '04:60' } }, 'octets.at', /time of day/],
  [{ octets: { total: '1GiB', every: 'day', at: 'x04:00' } }, 'octets.at', /time of day/],
  [{ octets: { total: '1GiB', every: 'day', at: '04:00x' } }, 'octets.at', /time of day/],
  [{ octets: { total: '1GiB', every: 'day', zone: 'Mars' } }, 'octets.zone', /zone/],
  [{ octets: { total: '1GiB', every: 'week', on: 'Someday' } }, 'octets.on', /day of the week/],
  [{ octets: { total: '1GiB', every: 'month', on: 0 } }, 'octets.on', /1 to 31/],
  [{ octets: { total: '1GiB', every: 'month', on: 1.5 } }, 'octets.on', /1 to 31/],
  [{ octets: { total: '1GiB', every: 'month', on: '5' } }, 'octets.on', /1 to 31/],
]

for (const [limit, key, says] of LIMITS) {
  test(`a limit ${JSON.stringify(limit)} is told at ${key}, once`, () => {
    const problems = told({ limits: { one: { per: 'all', ...limit } } })
    assert.equal(problems.length, 1, problems.join('\n'))
    assert.equal(problems[0]?.slice(0, 12 + key.length), `limits.one.${key}:`)
    assert.match(problems[0] ?? '', says)
  })
}

test('what is right at its edge is taken', () => {
  const edges = [
    { limits: { one: { per: 'all', sessions: 0 } } },
    { limits: { one: { per: 'all', sessions: 1_000_000_000 } } },
    { limits: { one: { per: 'all', bandwidth: { up: '1Mbit/s', burst: '2KiB' } } } },
    { limits: { one: { per: 'all', octets: { total: '1GiB', every: 'month', on: 1 } } } },
    { limits: { one: { per: 'all', octets: { total: '1GiB', every: 'day', at: '00:00' } } } },
    { limits: { one: { per: 'all', octets: { total: '1GiB', every: 'day', at: '23:59' } } } },
    { limits: null },
    { rules: null },
    { sets: { a: null, b: [], [`a${'b'.repeat(63)}`]: [] } },
    { zone: 'Europe/Berlin', mode: 'report' },
    rule({ port: ['0', '1-65535', '65535', 22] }),
    rule({ country: ['DE', 'fr'], asn: ['AS0', 'as64496', 4_294_967_295] }),
    rule({ to: ['a.example:1-2', '[::1]:80', '10.0.0.0/8:80', '::/0', 'a.example.'] }),
    rule({ user: [7, true] }),
    rule('everything', { redirect: '[2001:db8::1]:80' }),
    rule('everything', { redirect: '2001:db8::1' }),
  ]
  for (const raw of edges) assert.deepEqual(told(raw), [], JSON.stringify(raw))
})

test('conditions nest to sixteen, and no deeper', () => {
  const nested = (depth: number): object => (depth === 1 ? { user: 'a' } : { not: nested(depth - 1) })
  assert.deepEqual(told(rule(nested(16))), [])
  assert.match(told(rule(nested(17))).join(' '), /nested too deeply/)
  // Side by side they are not deep.
  assert.deepEqual(told(rule({ any: Array.from({ length: 20 }, () => nested(15)) })), [])
})

function twiceWrong(count: number): object {
  return { rules: Array.from({ length: count }, () => ({ allow: { usr: 'a', port: 'x' } })) }
}

function limitsOf(count: number): object {
  return Object.fromEntries(Array.from({ length: count }, (_, number) => [number, { per: 'all', sessions: 1 }]))
}

test('more than anybody can have is refused', () => {
  assert.deepEqual(told({ limits: limitsOf(1_000) }), [])
  assert.deepEqual(told({ limits: limitsOf(1_001) }), ['limits: expected at most 1000 limits'])
  const rules = Array.from({ length: 100_001 }, () => ({ allow: 'everything' }))
  assert.deepEqual(told({ rules }), ['rules: expected at most 100000 rules'])
  assert.deepEqual(told({ rules: rules.slice(1) }), [])
  const names = { sets: { a: { file: 'a.txt' } } }
  assert.deepEqual(told(names, { 'a.txt': 'a\n'.repeat(1_000_000) }), [])
  assert.deepEqual(told(names, { 'a.txt': 'a\n'.repeat(1_000_001) }), ['sets.a: expected at most 1000000 entries'])
})

test('what is wrong is told by what would be right, with the word that is none', () => {
  assert.deepEqual(told(rule({ from: 'here' })), [
    'rules.0.allow.from: expected a network such as 10.0.0.0/8 or 2001:db8::/32, without bits behind the prefix, or unix; "here" is none',
  ])
  const keys = 'name, allow, deny, reply, via, limits, log, redirect, note, mode'
  assert.deepEqual(told(rule('everything', { colour: 1 })), [
    `rules.0.colour: unknown key "colour"; the keys here are ${keys}`,
  ])
  assert.deepEqual(told(rule('everything', { via: 'nowhere' })), [
    'rules.0.via: there is no way out "nowhere"; there is direct, default, block, tor',
  ])
  assert.deepEqual(told(rule('everything', { limit: 1 })), ['rules.0.limit: unknown key "limit"'])
})

test('every problem is told, up to a hundred', () => {
  assert.equal(problemsOf(twiceWrong(3)).length, 6)
  assert.equal(problemsOf(twiceWrong(200)).length, 100)
})

test('names that are not known are taken, where nobody says which there are', () => {
  const raw = rule({ listener: 'any' }, { via: 'anything' })
  assert.deepEqual(problemsOf(raw, {}, {}), [])
  assert.equal(problemsOf(raw).length, 2)
  assert.match(problemsOf(rule('everything', { via: 'x' }), {}, { routes: [] })[0]?.message ?? '', /there is direct/)
})

test('a set that is wrong is told once, however often it is used', () => {
  const raw = { sets: { a: { file: 'no.txt' } }, rules: [{ allow: { to: '$a' } }, { deny: { to: '$a' } }] }
  assert.deepEqual(told(raw), ['sets.a.file: cannot read no.txt: there is no such file'])
})

test('the circle of sets that stand for themselves is told', () => {
  const sets = { first: ['a.example'], a: ['$first', '$b'], b: ['$c'], c: ['$b'] }
  const [problem] = told({ sets, rules: [{ allow: { to: '$a' } }] })
  assert.match(problem ?? '', /^sets\.b: the set "b" stands for itself: a → b → c → b/)
})

test('a file of a set holds a word a line, and comments behind a blank', () => {
  const files = { 'a.txt': '# all\r\na#b.example\n one.example # two.example\n\n\tthree.example\n' }
  const read = readPolicy({ sets: { a: { file: 'a.txt' } }, groups: { g: { file: 'a.txt' } } }, sourceOf(files))
  assert.ok(read.ok)
  assert.deepEqual(read.files, ['a.txt'])
  assert.deepEqual(
    read.policy.sets.map(({ kind, name, size, isUsed }) => [kind, name, size, isUsed]),
    [
      ['set', 'a', 3, false],
      ['group', 'g', 3, false],
    ],
  )
})

test('groups know sets, and sets know no groups', () => {
  const raw = { sets: { s: ['alice'] }, groups: { g: ['$s', 'bob'] }, rules: [{ allow: { group: 'g' } }] }
  const { sets } = policyOf(raw)
  assert.deepEqual(
    sets.map(one => [one.name, one.size, one.isUsed]),
    [
      ['s', 1, true],
      ['g', 2, true],
    ],
  )
  assert.match(told({ groups: { g: ['$g'] } }).join(' '), /no set "g"/)
  assert.match(told(rule({ group: 'inside' })).join(' '), /no group "inside"/)
})

test('without anything a policy enforces nothing', () => {
  for (const raw of [undefined, null, {}]) {
    const read = readPolicy(raw, sourceOf())
    assert.ok(read.ok)
    assert.deepEqual(read.policy, { mode: 'enforce', rules: [], limits: [], cases: [], sets: [] })
    assert.deepEqual(read.files, [])
  }
})

function textOf(condition: unknown): string | undefined {
  return policyOf(rule(condition)).rules[0]?.text
}

test('the text of a rule is what was written, long lists by their beginning', () => {
  assert.equal(textOf({ user: ['a', 'b'], port: 443 }), 'user a, b, port 443')
  assert.equal(textOf({ port: [1, 2, 3, 4, 5, 6] }), 'port 1, 2, 3, 4, 5, 6')
  assert.equal(textOf({ port: [1, 2, 3, 4, 5, 6, 7, 8] }), 'port 1, 2, 3, 4, 5, 6, and 2 more')
})
