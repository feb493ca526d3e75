import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Facts, compile, refusalOf, routeOf } from '../../src/index.ts'
import { deciderOf, factsOf, ip, policyOf } from '../policy-text.ts'

const ARRIVAL: Partial<Facts> = {
  protocol: undefined,
  method: undefined,
  user: undefined,
  command: undefined,
  host: undefined,
  address: undefined,
  port: undefined,
}

test('without rules everything outside is allowed, and inside addresses to clients of this host', () => {
  const decider = deciderOf({})
  assert.equal(decider.decide(factsOf()).verdict, 'allow')
  assert.equal(decider.decide(factsOf({ address: ip('10.0.0.1') })).cause, 'inside')
  assert.equal(decider.decide(factsOf({ address: ip('10.0.0.1'), client: ip('127.0.0.1') })).verdict, 'allow')
  assert.equal(decider.decide(factsOf({ address: ip('10.0.0.1'), client: 'unix' })).verdict, 'allow')
})

test('one moment stands for all, unless a rule looks at the time: then each time at which it decides otherwise is among them', () => {
  const nowMs = Date.UTC(2026, 10, 21)
  assert.deepEqual(deciderOf({ rules: [{ allow: { port: 443 } }] }).moments(nowMs), [nowMs])
  const decider = deciderOf({
    rules: [{ deny: { any: [{ port: 25 }, { not: { when: 'Sun 03:00-03:05' } }] } }, { allow: 'everything' }],
  })
  const verdicts = decider.moments(nowMs).map(at => decider.decide(factsOf({ nowMs: at })).verdict)
  assert.deepEqual([...new Set(verdicts)].toSorted(), ['allow', 'deny'])
})

test('whoever decides says before it is asked whether there are rules, and to whom the inside is closed', () => {
  assert.deepEqual(
    [{}, { rules: [{ allow: 'everything' }] }].map(raw => deciderOf(raw).hasRules),
    [false, true],
  )
  const clients = [ip('192.0.2.7'), ip('127.0.0.1'), 'unix'] as const
  assert.deepEqual(
    clients.map(client => deciderOf({}).closesInside(client)),
    [true, false, false],
  )
})

test('a redirect opens nothing inside to a peer that is heard', () => {
  const decider = deciderOf({ rules: [{ allow: 'everything', redirect: '127.0.0.1:80' }] })
  const facts = { address: ip('10.0.0.1'), client: ip('192.0.2.7') }
  const commands = ['connect', 'udp-associate', 'bind-peer', 'udp-sender'] as const
  assert.deepEqual(
    commands.map(command => decider.decide(factsOf({ ...facts, command })).verdict),
    ['allow', 'allow', 'deny', 'deny'],
  )
})

test('with one rule, what no rule allows is denied', () => {
  const decider = deciderOf({ rules: [{ deny: { port: 25 } }] })
  assert.equal(decider.decide(factsOf()).cause, 'no-match')
})

test('a client is refused before it speaks only when nothing that it could say would be allowed', () => {
  const decider = deciderOf({
    rules: [{ deny: { from: '192.0.2.0/24', not: { user: 'alice' } } }, { allow: { from: '192.0.0.0/16' } }],
  })
  assert.equal(decider.decide(factsOf({ ...ARRIVAL, client: ip('198.18.0.1') })).verdict, 'deny')
  assert.equal(decider.decide(factsOf({ ...ARRIVAL, client: ip('192.0.2.7') })).verdict, 'open')
  assert.equal(decider.decide(factsOf({ ...ARRIVAL, client: ip('192.0.9.1') })).verdict, 'allow')
})

test('a method is offered only where it may lead to something', () => {
  const decider = deciderOf({
    rules: [{ allow: { from: '10.0.0.0/8', method: 'none', port: 443 } }, { allow: { method: 'password' } }],
  })
  const may = (client: string, method: 'none' | 'password'): boolean =>
    decider.decide(factsOf({ ...ARRIVAL, client: ip(client), method })).verdict !== 'deny'
  assert.deepEqual([may('10.0.0.1', 'none'), may('10.0.0.1', 'password')], [true, true])
  assert.deepEqual([may('192.0.2.7', 'none'), may('192.0.2.7', 'password')], [false, true])
})

test('a name is refused before it is resolved where its address cannot matter, and only there', () => {
  const decider = deciderOf({
    rules: [{ deny: { to: ['.bad.example', '93.184.0.0/16'] } }, { allow: { to: '.example' } }],
  })
  const verdict = (host: string): string => decider.decide(factsOf({ host, address: undefined })).verdict
  assert.equal(verdict('x.bad.example'), 'deny')
  assert.equal(verdict('good.example'), 'open')
  assert.equal(verdict('elsewhere.test'), 'deny')
  assert.equal(decider.decide(factsOf({ host: 'good.example' })).verdict, 'deny')
  assert.equal(decider.decide(factsOf({ host: 'good.example', address: ip('1.1.1.1') })).verdict, 'allow')
})

function open(to: string | undefined, address: string): string {
  const allow = to === undefined ? 'everything' : { to }
  return deciderOf({ rules: [{ allow }] }).decide(factsOf({ host: 'host.example', address: ip(address) })).verdict
}

test('an inside address is opened by a rule that names it, not by one that allows everything', () => {
  assert.equal(open(undefined, '10.1.2.3'), 'deny')
  assert.equal(open('0.0.0.0/0', '10.1.2.3'), 'deny')
  assert.equal(open('.example', '10.1.2.3'), 'deny')
  assert.equal(open('10.1.0.0/16', '10.1.2.3'), 'allow')
  assert.equal(open('$inside', '169.254.169.254'), 'allow')
})

test('a network that a rule leaves out opens none of the others', () => {
  const decider = deciderOf({ rules: [{ allow: { not: { to: '10.0.0.0/8' } } }] })
  assert.equal(decider.decide(factsOf({ address: ip('192.168.1.1') })).cause, 'inside')
  assert.equal(decider.decide(factsOf({ address: ip('10.0.0.1') })).cause, 'no-match')
  assert.equal(decider.decide(factsOf()).verdict, 'allow')
})

test('a rule that names ::1 opens it', () => {
  const decider = deciderOf({ rules: [{ allow: { to: '::1' } }] })
  assert.equal(decider.decide(factsOf({ address: ip('::1') })).verdict, 'allow')
  assert.equal(decider.decide(factsOf({ address: ip('::2') })).verdict, 'deny')
})

test('every disguise of an inside address is seen through', () => {
  const decider = deciderOf({ rules: [{ allow: 'everything' }] })
  for (const address of [
    '::ffff:10.0.0.1',
    '64:ff9b::10.0.0.1',
    '64:ff9b:1::10.0.0.1',
    '2002:a00:1::',
    '2001::f5ff:fffe',
    '::10.0.0.1',
  ]) {
    assert.equal(decider.decide(factsOf({ address: ip(address) })).cause, 'inside', address)
  }
  const denied = deciderOf({ rules: [{ deny: { to: '8.8.8.8' } }, { allow: 'everything' }] })
  for (const address of ['::ffff:8.8.8.8', '64:ff9b::8.8.8.8', '2002:808:808::1']) {
    assert.equal(denied.decide(factsOf({ address: ip(address) })).cause, 'rule', address)
  }
})

test('what a rule says reaches the decision', () => {
  const decider = deciderOf({
    limits: { small: { per: 'user', sessions: 1 } },
    rules: [
      { deny: { port: 25 }, reply: 'connection-refused', name: 'no mail' },
      { allow: { port: 443 }, via: 'tor', limits: 'small' },
    ],
  })
  const denied = refusalOf(decider.decide(factsOf({ port: 25 })))
  assert.deepEqual(
    [denied.code, denied.blame, denied.detail],
    ['connection_refused', 'policy', 'refused by rule 1 (no mail)'],
  )
  assert.equal(routeOf(decider.decide(factsOf())), 'tor')
})

test('a rule that reports is written down and not enforced, and so is a whole policy', () => {
  const rules = [{ deny: { port: 443 }, mode: 'report' }, { allow: { user: 'alice' } }]
  const decision = deciderOf({ rules }).decide(factsOf())
  assert.equal(decision.verdict, 'allow')
  assert.deepEqual(
    decision.reported.map(one => [one.verdict, one.rule?.number]),
    [['deny', 1]],
  )
  const whole = deciderOf({ mode: 'report', rules }).decide(factsOf({ user: 'bob' }))
  assert.deepEqual([whole.verdict, whole.cause], ['allow', 'report-mode'])
  assert.deepEqual(
    whole.reported.map(one => one.rule?.number),
    [1, undefined],
  )
})

test('countries and networks come from the look-up that is handed in', () => {
  const policy = policyOf({
    rules: [{ deny: { country: 'xx' } }, { deny: { asn: 'AS64496' } }, { allow: 'everything' }],
  })
  const verdict = (place: { country?: string; asn?: string }): string =>
    compile(policy, { geo: () => place }).decide(factsOf()).verdict
  assert.deepEqual([verdict({}), verdict({ country: 'XX' }), verdict({ asn: '64496' })], ['allow', 'deny', 'deny'])
})

test('a time follows the clock of its zone through the change to summer time', () => {
  const decider = deciderOf({ zone: 'Europe/Berlin', rules: [{ allow: { when: '08:00-09:00' } }] })
  const verdict = (day: number, hour: number): string =>
    decider.decide(factsOf({ nowMs: Date.UTC(2026, 2, day, hour) })).verdict
  // Summer time begins on 29 March 2026.
  assert.deepEqual([verdict(28, 7), verdict(28, 6)], ['allow', 'deny'])
  assert.deepEqual([verdict(29, 7), verdict(29, 6)], ['deny', 'allow'])
})
