/** What a server refuses by itself: the same in an explanation, in a case and in a log that is asked again. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  type Explanation,
  type ServerSetting,
  compile,
  explain,
  isOwnEndpoint,
  readQuestion,
  replay,
  runCases,
} from '../src/index.ts'
import { ip, policyOf } from './policy-text.ts'

const NOW = Date.UTC(2026, 10, 18, 12)
const ALL = { allow: 'everything' }
/** Inside addresses are open to whoever asks here. */
const HERE = '127.0.0.1'
const CLOSED = {
  blockedWays: ['nowhere'],
  listeners: [
    { address: ip('192.0.2.1'), port: 1080 },
    { address: ip('0.0.0.0'), port: 1081 },
    { address: ip('127.0.0.1'), port: 1082 },
  ],
  local: { has: address => ['192.0.2.9', '127.0.0.7'].some(one => ip(one).octets.join() === address.octets.join()) },
  commandsOff: ['bind', 'bind-peer'],
  anyPeer: false,
} satisfies ServerSetting

function answer(words: object, setting: ServerSetting = CLOSED, rules: readonly object[] = [ALL]): Explanation {
  const question = readQuestion({ from: HERE, ...words })
  assert.ok(question.ok)
  return explain(policyOf({ rules }), question.request, NOW, {}, setting)
}

/** The verdict, and why the server refuses. */
function told(...asked: Parameters<typeof answer>): string {
  const { verdict, decisive } = answer(...asked)
  return decisive.decision.cause === 'server' ? `${verdict}: ${decisive.decision.refusal.detail}` : verdict
}

const OWN = "deny: this is one of the server's own listeners"
const NOWHERE = 'deny: this is the unspecified address'

for (const [to, expected] of [
  ['192.0.2.1:1080', OWN],
  ['[::ffff:192.0.2.1]:1080', OWN],
  ['192.0.2.1:1081', 'allow'],
  ['192.0.2.9:1081', OWN],
  ['127.0.0.7:1081', OWN],
  ['192.0.2.8:1081', 'allow'],
  ['127.0.0.1:1082', OWN],
  ['192.0.2.1:1083', 'allow'],
  ['0.0.0.0:80', NOWHERE],
  ['[::]:80', NOWHERE],
  ['[::ffff:0.0.0.0]:80', NOWHERE],
] as const) {
  test(`${to} of a server that listens itself: ${expected}`, () => {
    assert.equal(told({ to }), expected)
    assert.equal(
      told({ to: 'a.example:1', resolves: to.replace(/:[0-9]+$/, '').replaceAll(/[[\]]/g, '') }, {}),
      expected === NOWHERE ? NOWHERE : 'allow',
    )
  })
}

test('a server of which nothing is known refuses the unspecified address, and what goes by block', () => {
  assert.equal(told({ to: '0.0.0.0:80' }, {}), NOWHERE)
  assert.equal(told({ to: '127.0.0.1:1082' }, {}), 'allow')
  const rules = [{ allow: { port: 25 }, via: 'block' }, { allow: { port: 26 }, via: 'nowhere' }, ALL]
  const way = 'deny: the way block is blocked'
  assert.deepEqual(
    ['9.9.9.9:25', '9.9.9.9:26', 'a.example:25', '9.9.9.9:80'].map(to => told({ to }, {}, rules)),
    [way, 'allow', way, 'allow'],
  )
  assert.equal(told({ to: '9.9.9.9:26' }, CLOSED, rules), 'deny: the way nowhere is blocked')
  assert.equal(told({ to: '9.9.9.9:80' }, { blockedWays: ['default'] }, rules), 'deny: the way default is blocked')
  const { decision } = answer({ to: '9.9.9.9:25' }, {}, rules).decisive
  assert.equal(decision.verdict === 'deny' && decision.rule?.number, 1)
})

function at(address: string, port = 1080): { readonly address: ReturnType<typeof ip>; readonly port: number } {
  return { address: ip(address), port }
}

test('whoever connects to any address of a host comes to what listens on all of them, and 0.0.0.0 is loopback', () => {
  for (const [own, to, expected] of [
    [at('192.0.2.1'), at('192.0.2.1'), true],
    [at('192.0.2.1'), at('192.0.2.1', 1081), false],
    [at('192.0.2.1'), at('192.0.2.2'), false],
    [at('::ffff:192.0.2.1'), at('192.0.2.1'), true],
    [at('0.0.0.0'), at('192.0.2.9'), true],
    [at('::'), at('192.0.2.9'), true],
    [at('0.0.0.0'), at('192.0.2.2'), false],
    [at('0.0.0.0'), at('::'), true],
    [at('127.0.0.1'), at('0.0.0.0'), true],
    [at('::1'), at('::'), true],
    [at('127.0.0.1'), at('127.0.0.2'), false],
    [at('192.0.2.1'), at('0.0.0.0'), false],
  ] as const) {
    assert.equal(isOwnEndpoint(own, to, CLOSED.local), expected, JSON.stringify([own, to]))
  }
})

test('whoever is heard and not reached, the rules alone decide about', () => {
  for (const command of ['bind-peer', 'udp-sender']) {
    assert.equal(told({ command, to: '192.0.2.1:1080' }, { ...CLOSED, commandsOff: [] }), 'allow')
    assert.equal(told({ command, to: '9.9.9.9:25' }, {}, [{ ...ALL, via: 'block' }]), 'allow')
  }
})

test('a redirect leads neither to the server itself nor nowhere', () => {
  const to = 'a.example:1080'
  const by = (redirect: string, command = 'connect'): string => told({ to, command }, CLOSED, [{ ...ALL, redirect }])
  assert.deepEqual(
    ['192.0.2.1', '192.0.2.1:1083', '0.0.0.0', 'b.example'].map(one => by(one)),
    [OWN, 'allow', NOWHERE, 'allow'],
  )
  assert.equal(by('192.0.2.1', 'udp-associate'), OWN)
})

test('a command that is switched off is refused whatever the rules say, with its own reply', () => {
  const off = 'deny: the command bind is switched off'
  assert.equal(told({ command: 'bind', to: '9.9.9.9:1' }), off)
  assert.equal(told({ command: 'bind' }), off)
  const http = { command: 'forward', protocol: 'http', to: '9.9.9.9:80' }
  assert.equal(told(http), 'allow')
  assert.equal(told(http, { ...CLOSED, commandsOff: ['forward'] }), 'deny: the command forward is switched off')
  assert.equal(told({ to: '9.9.9.9:1' }), 'allow')
  const cases = [
    { deny: { command: 'bind', to: '9.9.9.9:1' } },
    { deny: { command: 'bind', to: '9.9.9.9:1' }, reply: 'not-allowed' },
  ]
  assert.deepEqual(
    runCases(policyOf({ rules: [ALL], cases }), NOW, {}, CLOSED).map(one => one.fault),
    [undefined, 'expected the reply not-allowed, but it is command-not-supported'],
  )
})

test('a BIND for any peer is asked about without a target', () => {
  const words = { command: 'bind', to: '0.0.0.0:0' }
  const open = { ...CLOSED, commandsOff: [] }
  assert.equal(told(words, open), 'deny: BIND for any peer is switched off')
  assert.equal(told(words, { ...open, anyPeer: true }), answer({ command: 'bind' }, {}).verdict)
  assert.equal(told(words, {}, [{ allow: { user: 'bob' } }]), 'deny')
  assert.equal(answer(words, {}).decisive.moment, 'request')
  assert.equal(told({ command: 'bind', to: '9.9.9.9:0' }, open), 'allow')
})

test('a case is held against what the server does, and told why', () => {
  const rules = [{ allow: { port: 25 }, via: 'block' }, ALL]
  const mail = { to: '9.9.9.9:25' }
  const own = { to: '192.0.2.1:1080' }
  const cases = [
    { deny: mail, rule: 1, reply: 'not-allowed' },
    { allow: mail },
    { allow: mail, via: 'block' },
    { deny: own },
    { allow: own },
    { deny: own, rule: 2 },
  ]
  assert.deepEqual(
    runCases(policyOf({ rules, cases }), NOW, {}, CLOSED).map(one => one.fault),
    [
      undefined,
      'expected allow, but it is denied by the server itself (the way block is blocked)',
      'expected allow, but it is denied by the server itself (the way block is blocked)',
      undefined,
      "expected allow, but it is denied by the server itself (this is one of the server's own listeners)",
      "expected rule 2, but it is decided by the server itself (this is one of the server's own listeners)",
    ],
  )
})

test('a log is asked of the server that would serve now', () => {
  const record = {
    time: '2026-11-18T12:00:00.000Z',
    client: '127.0.0.1:50000',
    protocol: 'socks5',
    command: 'connect',
    method: 'none',
    end: 'client-finished',
  }
  const changes = (differs: object, setting: ServerSetting = CLOSED): readonly number[] => {
    const { changed, unclear } = replay(
      [JSON.stringify({ ...record, ...differs })],
      compile(policyOf({ rules: [ALL] })),
      setting,
    )
    return [changed.length, unclear]
  }
  assert.deepEqual(changes({ target: '192.0.2.1:1080' }), [1, 0])
  assert.deepEqual(changes({ target: '192.0.2.1:1083' }), [0, 0])
  const bind = { command: 'bind', target: '0.0.0.0:0', dialled: '9.9.9.9:7' }
  assert.deepEqual(changes(bind), [1, 0])
  assert.deepEqual(changes(bind, {}), [0, 0])
})
