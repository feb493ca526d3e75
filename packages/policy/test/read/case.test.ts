/** Cases and questions: what each word means, what is taken where nothing is said, and where a wrong one is told. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Problem, readPolicy, readQuestion } from '../../src/index.ts'
import { ip, policyOf, sourceOf } from '../policy-text.ts'

const USUAL = {
  client: ip('127.0.0.1'),
  listener: '',
  protocol: 'socks5',
  method: 'none',
  user: null,
  command: 'connect',
  resolves: [],
}

function asked(words: object): unknown {
  const read = readQuestion(words as Readonly<Record<string, unknown>>)
  return read.ok ? read.request : read.problems.map(({ path, message }) => `${path.join('.')} ${message}`)
}

const WORDS: readonly (readonly [words: object, differs: object])[] = [
  [{}, {}],
  [{ from: 'unix' }, { client: 'unix' }],
  [{ from: '192.0.2.7' }, { client: ip('192.0.2.7') }],
  [{ listener: 'public' }, { listener: 'public' }],
  [{ protocol: 'socks4a' }, { protocol: 'socks4a' }],
  [{ command: 'bind' }, { command: 'bind' }],
  [{ user: 'alice' }, { user: 'alice', method: 'password' }],
  [
    { user: 'alice', method: 'certificate' },
    { user: 'alice', method: 'certificate' },
  ],
  [{ user: ' 7 ' }, { user: '7', method: 'password' }],
  [{ user: 7 }, { user: '7', method: 'password' }],
  [{ to: 'a.example:443' }, { to: { address: { type: 'domain', name: 'a.example' }, port: 443 } }],
  [{ to: '192.0.2.1:0' }, { to: { address: ip('192.0.2.1'), port: 0 } }],
  [{ to: '[2001:db8::1]:65535' }, { to: { address: ip('2001:db8::1'), port: 65_535 } }],
  [{ resolves: '192.0.2.1' }, { resolves: [ip('192.0.2.1')] }],
  [{ resolves: ['192.0.2.1', '::1'] }, { resolves: [ip('192.0.2.1'), ip('::1')] }],
  [{ country: 'de' }, { country: 'DE' }],
  [{ asn: 'as64496' }, { asn: '64496' }],
  [{ asn: 64_496 }, { asn: '64496' }],
  [{ at: '2026-11-22T10:00:00Z' }, { atMs: Date.UTC(2026, 10, 22, 10) }],
  [{ at: '2026-11-22T10:00+01:00' }, { atMs: Date.UTC(2026, 10, 22, 9) }],
  [{ at: '2026-11-22T10:00:01.500-00:30' }, { atMs: Date.UTC(2026, 10, 22, 10, 30, 1, 500) }],
]

for (const [words, differs] of WORDS) {
  test(`${JSON.stringify(words)} is asked as it is said`, () =>
    assert.deepEqual(asked(words), { ...USUAL, ...differs }))
}

test('a moment has a date, a time and a zone, and nothing around them', () => {
  for (const at of [
    '2026-11-22T10:00:00',
    '2026-11-22',
    '10:00Z',
    'x2026-11-22T10:00Z',
    '2026-11-22T10:00Zx',
    '2026-11-22T10:00:0Z',
    '2026-11-22T10:0Z',
    '2026-11-22T1:00Z',
    '2026-11-2T10:00Z',
    '2026-1-22T10:00Z',
    '226-11-22T10:00Z',
    '2026-11-22T10:00:00.Z',
    '2026-11-22T10:00+1:00',
    '2026-11-22T10:00+01:0',
    '2026-11-22T10:00+0100',
    '2026-13-22T10:00Z',
    '2026/11/22T10:00Z',
    '2026-11-22 10:00Z',
  ])
    assert.deepEqual(asked({ at }), ['at expected a time such as 2026-11-22T10:00:00Z'], at)
})

test('a listener is one of those that are known, where they are', () => {
  const read = readQuestion({ listener: 'pubic' }, ['public', 'office'])
  assert.deepEqual(read.ok ? [] : read.problems, [
    { path: ['listener'], at: 'value', message: 'expected public or office; "pubic" is none', suggestion: 'public' },
  ])
  assert.ok(readQuestion({ listener: 'office' }, ['public', 'office']).ok)
  assert.ok(readQuestion({}, ['public', 'office']).ok)
  const cases = [{ deny: { listener: 'pubic' } }]
  assert.ok(readPolicy({ cases }, sourceOf()).ok)
  assert.ok(!readPolicy({ cases }, sourceOf({}, { listeners: ['public'] })).ok)
})

test('a target is HOST:PORT, and an IPv6 address stands in brackets', () => {
  for (const to of [
    'a.example',
    'a.example:',
    'a.example:65536',
    'a.example:99999',
    'a.example:080',
    'a.example:x',
    ':80',
    '.example:80',
    '*.example:80',
    '-a-:80',
    '[192.0.2.1]:80',
    '[a.example]:80',
    '2001:db8::1:80',
    'x[2001:db8::1]:80',
    '[2001:db8::1]:80x',
    '10.0.0.256:80',
  ]) {
    const said = asked({ to })
    assert.ok(Array.isArray(said) && String(said[0]).startsWith('to expected HOST:PORT'), to)
  }
})

const WRONG: readonly (readonly [raw: unknown, path: readonly (string | number)[], says: RegExp])[] = [
  [7, [], /a map of keys/],
  [{}, [], /allow or deny/],
  [{ allow: 7 }, ['allow'], /a map of keys/],
  [{ allow: {}, deny: {} }, [], /not both/],
  [{ allow: {}, rul: 1 }, ['rul'], /unknown key/],
  [{ allow: { usr: 'a' } }, ['allow', 'usr'], /unknown key "usr"/],
  [{ allow: {}, rule: '' }, ['rule'], /name or number of a rule/],
  [{ allow: {}, via: [] }, ['via'], /name of a way out/],
  [{ deny: {}, via: 'tor' }, ['via'], /no way out/],
  [{ allow: {}, reply: 'timed-out' }, ['reply'], /no reply/],
  [{ deny: {}, reply: 'timedout' }, ['reply'], /expected not-allowed/],
  [{ deny: { from: '192.0.2' } }, ['deny', 'from'], /an address such as 192\.0\.2\.7, or unix/],
  [{ deny: { from: '' } }, ['deny', 'from'], /a text/],
  [{ deny: { protocol: 'socks6' } }, ['deny', 'protocol'], /expected socks4/],
  [{ deny: { command: 'ping' } }, ['deny', 'command'], /expected connect/],
  [{ deny: { method: 'magic' } }, ['deny', 'method'], /expected none/],
  [{ deny: { resolves: ['192.0.2.1', 'x'] } }, ['deny', 'resolves', 1], /an address such as/],
  [{ deny: { resolves: [''] } }, ['deny', 'resolves', 0], /an address/],
  [{ deny: { resolves: [] } }, ['deny', 'resolves'], /at least one/],
  [{ deny: { country: 'Germany' } }, ['deny', 'country'], /two letters such as DE/],
  [{ deny: { country: 'D1' } }, ['deny', 'country'], /two letters such as DE/],
  [{ deny: { country: '' } }, ['deny', 'country'], /a text/],
  [{ deny: { asn: 'ASxx' } }, ['deny', 'asn'], /autonomous systems such as 64496/],
  [{ deny: { asn: '007' } }, ['deny', 'asn'], /autonomous systems such as 64496/],
  [{ deny: { asn: '64496x' } }, ['deny', 'asn'], /autonomous systems such as 64496/],
]

for (const [raw, path, says] of WRONG) {
  test(`a case ${JSON.stringify(raw)} is told where it is wrong`, () => {
    const read = readPolicy({ cases: [raw] }, sourceOf())
    const problems: readonly Problem[] = read.ok ? [] : read.problems
    assert.deepEqual(problems[0]?.path, ['cases', 0, ...path])
    assert.match(problems[0].message, says)
    assert.equal(problems.length, 1)
  })
}

test('a case keeps what it expects, and its place', () => {
  const { cases } = policyOf({
    cases: [
      { allow: { user: 'alice' }, via: 'tor', rule: 7 },
      { deny: { from: 'unix' }, reply: 'timed-out' },
      { deny: {} },
    ],
  })
  assert.deepEqual(cases, [
    {
      place: { file: 'policy.yaml', line: 1 },
      expect: 'allow',
      via: 'tor',
      rule: '7',
      asked: { ...USUAL, user: 'alice', method: 'password' },
    },
    {
      place: { file: 'policy.yaml', line: 2 },
      expect: 'deny',
      reply: 'timed_out',
      asked: { ...USUAL, client: 'unix' },
    },
    { place: { file: 'policy.yaml', line: 3 }, expect: 'deny', asked: USUAL },
  ])
})
