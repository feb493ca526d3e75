import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { type Problem, readPolicy } from '../../src/index.ts'
import { deciderOf, factsOf, ip, policyOf, sourceOf } from '../policy-text.ts'

function problemsOf(raw: unknown, files: Readonly<Record<string, string>> = {}): readonly Problem[] {
  const read = readPolicy(raw, sourceOf(files, { routes: ['tor'], listeners: ['public'] }))
  return read.ok ? [] : read.problems
}

const SMALL = { small: { per: 'user', sessions: 1 } }

const MATCHES: readonly (readonly [condition: object, matching: object, other: object])[] = [
  [{ from: '192.0.2.0/24' }, {}, { client: ip('192.0.3.1') }],
  [{ from: ['2001:db8::/32', 'unix'] }, { client: 'unix' }, { client: ip('2001:db9::1') }],
  [{ listener: 'public' }, {}, { listener: 'other' }],
  [{ user: ['alice', 'bob'] }, { user: 'bob' }, { user: null }],
  [{ group: 'staff' }, {}, { user: 'mallory' }],
  [{ method: 'password' }, {}, { method: 'none' }],
  [{ protocol: 'socks4' }, { protocol: 'socks4a' }, { protocol: 'socks5' }],
  [{ protocol: 'socks4a' }, { protocol: 'socks4a' }, { protocol: 'socks4' }],
  [{ command: 'connect' }, { command: 'forward' }, { command: 'bind' }],
  [{ command: 'bind' }, { command: 'bind-peer' }, { command: 'udp-associate' }],
  [{ command: 'udp-sender' }, { command: 'udp-sender' }, { command: 'udp-associate' }],
  [{ to: 'host.example' }, { host: 'HOST.example.' }, { host: 'a.host.example' }],
  [{ to: '*.example' }, { host: 'a.b.example' }, { host: 'example' }],
  [{ to: '.example' }, { host: 'example' }, { host: 'anexample' }],
  [{ to: '93.184.0.0/16' }, {}, { address: ip('93.185.0.1') }],
  [{ from: '::ffff:10.0.0.0/104' }, { client: ip('10.1.1.1') }, { client: ip('11.1.1.1') }],
  // A client has the address that it comes from.
  [{ from: '64:ff9b::/96' }, { client: ip('64:ff9b::8.8.8.8') }, { client: ip('8.8.8.8') }],
  [{ to: '93.184.0.0/16' }, { address: ip('64:ff9b::93.184.1.1') }, { address: ip('64:ff9b::93.185.1.1') }],
  [{ to: ['host.example:80', '93.184.0.0/16:443'] }, { host: 'host.example', port: 80 }, { port: 80 }],
  [{ to: '[2606:2800::/32]:443' }, { address: ip('2606:2800::1') }, { address: ip('2606:2801::1') }],
  [{ port: [80, '440-450'] }, {}, { port: 451 }],
  [{ when: 'Mon-Fri 08:00-18:00' }, {}, { nowMs: Date.UTC(2026, 10, 21, 12) }],
  [{ when: '22:00-06:00' }, { nowMs: Date.UTC(2026, 10, 18, 3) }, {}],
  [{ when: '..2026-11-18' }, {}, { nowMs: Date.UTC(2026, 10, 19) }],
  [{ when: 'Wed 13:00-14:00 Europe/Berlin' }, {}, { nowMs: Date.UTC(2026, 10, 18, 13) }],
  [{ any: [{ user: 'bob' }, { port: 443 }] }, {}, { port: 80 }],
  [{ all: [{ user: 'alice' }, { port: 443 }] }, {}, { port: 80 }],
  [{ not: { user: 'bob' } }, { user: null }, { user: 'bob' }],
  [{ user: 'alice', not: { to: '93.184.216.0/24' } }, { address: ip('1.1.1.1') }, {}],
]

for (const [condition, matching, other] of MATCHES) {
  test(`${JSON.stringify(condition)} matches what it says, and nothing else`, () => {
    const decider = deciderOf({ groups: { staff: ['alice'] }, rules: [{ allow: condition }] })
    assert.equal(decider.decide(factsOf(matching)).verdict, 'allow')
    assert.equal(decider.decide(factsOf(other)).verdict, 'deny')
  })
}

test('a rule keeps its place, its name and everything that it says', () => {
  const { rules } = policyOf({
    limits: { small: { per: 'user', sessions: 1 }, slow: { per: 'all', bandwidth: '1Mbit/s' } },
    rules: [
      { deny: { port: 25 }, reply: 'host-unreachable', note: 'spam' },
      {
        name: 'web',
        allow: { port: 443 },
        via: 'tor',
        limits: ['small', 'slow'],
        log: 'no-targets',
        redirect: 'proxy.example:8080',
        mode: 'report',
      },
    ],
  })
  const [deny, allow] = rules
  assert.ok(deny?.verdict === 'deny' && allow?.verdict === 'allow')
  assert.deepEqual(
    [deny.number, deny.place, deny.reply, deny.note],
    [1, { file: 'policy.yaml', line: 1 }, 'host_unreachable', 'spam'],
  )
  assert.deepEqual(
    [allow.name, allow.place.line, allow.via, allow.limits, allow.log, allow.mode, allow.text],
    ['web', 2, 'tor', ['small', 'slow'], 'no-targets', 'report', 'port 443'],
  )
  assert.deepEqual(allow.redirect, { address: { type: 'domain', name: 'proxy.example' }, port: 8080 })
})

test('sets stand for each other, come from files, and are told where they are wrong', () => {
  const files = { 'bad.txt': '# names\n.ads.example\n\n  tracker.example  # one\n', 'wrong.txt': 'ok.example\n-no-\n' }
  const raw = {
    sets: { bad: { file: 'bad.txt' }, all: ['$bad', 'other.example'] },
    rules: [{ deny: { to: '$all' } }, { allow: 'everything' }],
  }
  const decider = deciderOf(raw, files)
  for (const host of ['x.ads.example', 'tracker.example', 'other.example']) {
    assert.equal(decider.decide(factsOf({ host })).verdict, 'deny', host)
  }
  assert.equal(decider.decide(factsOf({ host: 'x.tracker.example' })).verdict, 'allow')
  const [problem] = problemsOf({ sets: { bad: { file: 'wrong.txt' } }, rules: [{ deny: { to: '$bad' } }] }, files)
  assert.match(problem?.message ?? '', /^wrong\.txt:2: expected a host/)
})

test('what is inside and what is loopback is known by name', () => {
  const verdicts = ['127.0.0.9', '10.0.0.1', '93.184.216.34'].map(from =>
    ['$loopback', '$inside'].map(set => {
      const decider = deciderOf({ rules: [{ allow: { from: set } }] })
      return decider.decide(factsOf({ client: ip(from) })).verdict
    }),
  )
  assert.deepEqual(verdicts, [
    ['allow', 'allow'],
    ['deny', 'allow'],
    ['deny', 'deny'],
  ])
})

test('a command stands for what follows from it', () => {
  for (const [word, also] of [
    ['connect', 'forward'],
    ['bind', 'bind-peer'],
    ['udp-associate', 'udp-sender'],
  ] as const) {
    const decider = deciderOf({ rules: [{ allow: { command: word } }] })
    for (const command of [word, also]) assert.equal(decider.decide(factsOf({ command })).verdict, 'allow', command)
    const narrow = deciderOf({ rules: [{ allow: { command: also } }] })
    assert.equal(narrow.decide(factsOf({ command: word })).verdict, 'deny', word)
  }
})

test('each target has its own ports', () => {
  const decider = deciderOf({ rules: [{ allow: { to: ['a.example:1-123', 'b.example:11-23', 'c.example'] } }] })
  const allows = (host: string, port: number): boolean => decider.decide(factsOf({ host, port })).verdict === 'allow'
  assert.deepEqual(
    [allows('a.example', 100), allows('b.example', 100), allows('b.example', 12), allows('c.example', 9_999)],
    [true, false, true, true],
  )
})

const WRONG: readonly (readonly [what: string, raw: unknown, path: readonly (string | number)[], says: RegExp])[] = [
  ['an unknown key', { ruls: [] }, ['ruls'], /unknown key/],
  ['a rule without a verdict', { rules: [{ name: 'x' }] }, ['rules', 0], /allow or deny/],
  ['both verdicts', { rules: [{ allow: 'everything', deny: 'everything' }] }, ['rules', 0], /not both/],
  ['an empty condition', { rules: [{ allow: {} }] }, ['rules', 0, 'allow'], /everything/],
  ['an unknown condition', { rules: [{ allow: { usr: 'a' } }] }, ['rules', 0, 'allow', 'usr'], /unknown key/],
  ['an unknown set', { rules: [{ allow: { to: '$nothing' } }] }, ['rules', 0, 'allow', 'to'], /no set/],
  ['an unknown group', { rules: [{ allow: { group: 'nobody' } }] }, ['rules', 0, 'allow', 'group'], /no group/],
  [
    'a set that holds itself',
    { sets: { a: ['$b'], b: ['$a'] }, rules: [{ allow: { to: '$a' } }] },
    ['sets', 'a'],
    /itself/,
  ],
  [
    'a missing file',
    { sets: { a: { file: 'no.txt' } }, rules: [{ allow: { to: '$a' } }] },
    ['sets', 'a', 'file'],
    /no such/,
  ],
  ['a port too high', { rules: [{ allow: { port: 65536 } }] }, ['rules', 0, 'allow', 'port'], /port/],
  [
    'a network with host bits',
    { rules: [{ allow: { from: '10.0.0.1/8' } }] },
    ['rules', 0, 'allow', 'from'],
    /network/,
  ],
  ['an address mistyped', { rules: [{ allow: { to: '10.0.0.256' } }] }, ['rules', 0, 'allow', 'to'], /expected a host/],
  ['a day that is none', { rules: [{ allow: { when: 'Mon-Fry' } }] }, ['rules', 0, 'allow', 'when'], /time/],
  ['a date that is none', { rules: [{ allow: { when: '..2026-02-30' } }] }, ['rules', 0, 'allow', 'when'], /time/],
  ['an unknown zone', { zone: 'Mars/Olympus' }, ['zone'], /zone/],
  ['an unknown way out', { rules: [{ allow: 'everything', via: 'tro' }] }, ['rules', 0, 'via'], /no way out "tro"/],
  [
    'an unknown limit',
    { limits: SMALL, rules: [{ allow: 'everything', limits: 'smal' }] },
    ['rules', 0, 'limits'],
    /no limit "smal"; there is small/,
  ],
  [
    'an unknown listener',
    { rules: [{ allow: { listener: 'pubic' } }] },
    ['rules', 0, 'allow', 'listener'],
    /expected public/,
  ],
  ['a reply of an allow', { rules: [{ allow: 'everything', reply: 'timed-out' }] }, ['rules', 0, 'reply'], /denies/],
  ['a way out of a deny', { rules: [{ deny: 'everything', via: 'tor' }] }, ['rules', 0, 'via'], /allows/],
  ['a case without a port', { cases: [{ allow: { to: 'host.example' } }] }, ['cases', 0, 'allow', 'to'], /HOST:PORT/],
  [
    'a time without a zone',
    { cases: [{ allow: { at: '2026-01-01T10:00' } }] },
    ['cases', 0, 'allow', 'at'],
    /time such as/,
  ],
]

for (const [what, raw, path, says] of WRONG) {
  test(`${what} is told where it stands`, () => {
    const [problem] = problemsOf(raw)
    assert.deepEqual(problem?.path, path)
    assert.match(problem.message, says)
  })
}

test('the word that was probably meant is told', () => {
  const words = [
    [{ ruls: [] }, 'rules'],
    [{ rules: [{ allow: { method: 'pasword' } }] }, 'password'],
    [{ rules: [{ allow: 'everything', via: 'tro' }] }, 'tor'],
    [{ sets: { office: [] }, rules: [{ allow: { from: '$ofice' } }] }, 'office'],
    [{ rules: [{ allow: { from: '$loopbak' } }] }, 'loopback'],
    [{ rules: [{ allow: { group: 'loopbak' } }] }, undefined],
  ] as const
  for (const [raw, suggestion] of words) assert.equal(problemsOf(raw)[0]?.suggestion, suggestion)
})

test('a rule of too many combinations is refused instead of taking all memory', () => {
  const pair = { any: [{ user: 'a' }, { user: 'b' }] }
  const [problem] = problemsOf({ rules: [{ allow: { all: Array.from({ length: 30 }, () => pair) } }] })
  assert.match(problem?.message ?? '', /combinations/)
  assert.deepEqual(problem?.path, ['rules', 0, 'allow'])
})

test('reading never throws, whatever the file holds', () => {
  const word = fc.oneof(
    fc.constantFrom(
      'everything',
      '$a',
      '.example',
      '10.0.0.0/8',
      'host:80',
      'alice',
      'Mon 10:00-11:00',
      '*',
      '[',
      '::',
    ),
    fc.string(),
    fc.integer(),
    fc.constant(null),
  )
  const key = fc.constantFrom(
    'rules',
    'sets',
    'limits',
    'per',
    'bandwidth',
    'octets',
    'every',
    'of',
    'groups',
    'cases',
    'zone',
    'mode',
    'allow',
    'deny',
    'to',
    'from',
    'user',
  )
  const more = fc.constantFrom(
    'group',
    'port',
    'when',
    'any',
    'all',
    'not',
    'via',
    'limits',
    'redirect',
    'reply',
    'file',
  )
  const { tree } = fc.letrec(tie => ({
    tree: fc.oneof(
      { maxDepth: 7 },
      word,
      fc.array(tie('tree'), { maxLength: 4 }),
      fc.dictionary(fc.oneof(key, more, fc.string()), tie('tree'), { maxKeys: 5 }),
    ),
  }))
  fc.assert(
    fc.property(fc.oneof(tree, fc.anything(), fc.dictionary(key, tree)), raw => {
      const read = readPolicy(raw, sourceOf({ a: 'x' }))
      assert.equal(typeof read.ok, 'boolean')
    }),
    { numRuns: 3_000 },
  )
})
