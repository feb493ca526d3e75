/** Which lines of a log are asked about, as what, and which change. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type ServerSetting, compile, refusalOf, replay } from '../src/index.ts'
import { policyOf } from './policy-text.ts'

const RECORD = {
  time: '2026-11-18T12:00:00.000Z',
  client: '192.0.2.7:50000',
  listener: '0.0.0.0:1080',
  protocol: 'socks5',
  command: 'connect',
  user: 'alice',
  method: 'password',
  target: 'host.example:443',
  dialled: '93.184.216.34:443',
  end: 'client-finished',
}

/** What becomes of one record under one rule, or several: `same`, `changed`, `unclear` or `skipped`. */
function told(rule: object | readonly object[], record: object | string, setting: ServerSetting = {}): string {
  const decider = compile(policyOf({ rules: Array.isArray(rule) ? rule : [rule] }))
  const line = typeof record === 'string' ? record : JSON.stringify({ ...RECORD, ...record })
  const { sessions, skipped, changed, unclear } = replay([line], decider, setting)
  if (skipped === 1) return 'skipped'
  if (unclear === 1) return 'unclear'
  assert.equal(sessions, 1)
  return changed.length === 1 ? 'changed' : 'same'
}

test('what is written in a record is what the rules are asked', () => {
  for (const condition of [
    { user: 'alice' },
    { from: '192.0.2.7' },
    { listener: '0.0.0.0:1080' },
    { protocol: 'socks5' },
    { method: 'password' },
    { command: 'connect' },
    { to: 'host.example' },
    { to: '93.184.216.34' },
    { port: 443 },
    { when: 'Wed 12:00-12:01' },
  ]) {
    assert.equal(told({ allow: condition }, {}), 'same', JSON.stringify(condition))
    assert.equal(told({ allow: { not: condition } }, {}), 'changed', JSON.stringify(condition))
  }
})

test('a listener has its name, a Unix socket is no address, nobody has shown nothing', () => {
  assert.equal(told({ allow: { listener: 'office' } }, { listener_name: 'office' }), 'same')
  assert.equal(told({ allow: { from: 'unix' } }, { client: 'unix:/run/s' }), 'same')
  assert.equal(told({ allow: { method: 'none' } }, { user: null, method: undefined }), 'same')
  for (const user of [undefined, null, 7])
    assert.equal(told({ allow: { not: { user: ['alice', '7'] } } }, { user }), 'same', String(user))
  assert.equal(told({ allow: { method: 'none' } }, { method: undefined }), 'unclear')
  assert.equal(told({ allow: { from: '2001:db8::/32' } }, { client: '[2001:db8::1]:5' }), 'same')
})

test('an address as target has no name, also one that is written as a name', () => {
  assert.equal(told({ allow: { to: '8.8.8.8' } }, { target: '8.8.8.8:443', dialled: undefined }), 'same')
  assert.equal(told({ allow: { to: '8.8.8.8' } }, { dialled: undefined }), 'unclear')
  assert.equal(told({ allow: { to: 'host.example' } }, { target: '8.8.8.8:443' }), 'changed')
})

test('an association is granted as long as some datagram may pass, and its target is not where it went', () => {
  const association = { command: 'udp-associate', target: '9.9.9.9:9', dialled: undefined }
  assert.equal(told({ allow: { port: 53 } }, association), 'same')
  assert.equal(told({ allow: { user: 'bob' } }, association), 'changed')
  const anyPeer = { command: 'bind', target: '0.0.0.0:0', dialled: undefined }
  assert.equal(told({ allow: { port: 53 } }, anyPeer), 'same')
  assert.equal(told({ allow: { user: 'bob' } }, anyPeer), 'changed')
  assert.equal(told({ allow: { port: 53 } }, { target: 'nonsense', dialled: undefined }), 'unclear')
})

test('a refusal by the rules was a deny; one for another reason says nothing about them', () => {
  const refused = { end: 'refused', failure: 'not_allowed' }
  assert.equal(told({ allow: 'everything' }, refused), 'changed')
  assert.equal(told({ deny: 'everything' }, refused), 'same')
  assert.equal(
    told({ deny: 'everything' }, { end: 'refused', failure: 'host_unreachable', rule: { number: 1 } }),
    'same',
  )
  assert.equal(told({ deny: 'everything' }, { end: 'refused', failure: 'auth_rejected' }), 'skipped')
})

test('what a limit has refused was allowed by the rules, and by the same ones is still', () => {
  for (const refused of [
    { failure: 'too_busy', rule: 'rule 1', limit: 'one', refused_by: 'limit' },
    { failure: 'not_allowed', rule: 'rule 1', limit: 'octets', refused_by: 'limit' },
    { failure: 'too_busy', limit: 'one' },
  ]) {
    assert.equal(told({ allow: 'everything' }, { ...refused, end: 'refused' }), 'same')
    assert.equal(told({ deny: 'everything' }, { ...refused, end: 'refused' }), 'changed')
  }
})

test('what the server has refused for its own reasons no rule changes', () => {
  for (const failure of ['not_allowed', 'network_unreachable'])
    for (const rule of [{ allow: 'everything' }, { deny: 'everything' }]) {
      const refused = { end: 'refused', failure, refused_by: 'server', rule: 'rule 1' }
      assert.equal(told(rule, refused), 'same')
    }
  const refused = { end: 'refused', failure: 'not_allowed', refused_by: 'server' }
  assert.equal(told({ allow: 'everything' }, refused), 'same')
  assert.equal(told({ allow: 'everything' }, { ...refused, refused_by: 'rules' }), 'changed')
})

test('what is allowed to go a way that is blocked is denied, before and now', () => {
  const refused = { end: 'refused', failure: 'not_allowed', rule: 'rule 1', refused_by: 'rules' }
  const blocked = { allow: 'everything', via: 'block' }
  assert.equal(told(blocked, refused), 'same')
  assert.equal(told(blocked, {}), 'changed')
  assert.equal(told({ allow: 'everything' }, refused), 'changed')
  const nowhere = { allow: 'everything', via: 'nowhere' }
  assert.equal(told(nowhere, {}), 'same')
  assert.equal(told(nowhere, {}, { blockedWays: ['nowhere'] }), 'changed')
  assert.equal(told({ allow: 'everything' }, {}, { blockedWays: ['default'] }), 'changed')
  const { changed } = replay([JSON.stringify(RECORD)], compile(policyOf({ rules: [blocked] })))
  const [now] = changed.map(one => one.now)
  assert.deepEqual([now?.verdict, now?.cause], ['deny', 'server'])
  assert.equal(now && refusalOf(now).detail, 'the way block is blocked')
})

test('where a rule has sent a name is no address of it', () => {
  const served = { dialled: '127.0.0.1:8080', rule: 'rule 2' }
  const list = [{ deny: { to: '127.0.0.0/8' } }, { allow: { to: 'host.example' }, redirect: '127.0.0.1:8080' }]
  assert.equal(told(list, served), 'changed')
  assert.equal(told(list, { ...served, redirected: true }), 'unclear')
  assert.equal(told(list.slice(1), { ...served, redirected: true }), 'same')
})

test('lines that are no session are skipped, empty ones not even counted', () => {
  for (const line of ['x', '7', 'null', '"a"', '[]', '{}'])
    assert.equal(told({ allow: 'everything' }, line), 'skipped', line)
  for (const wrong of [
    { time: 'x' },
    { time: undefined },
    { client: 7 },
    { client: 'host:1' },
    { client: '8.8.8.8' },
    { command: 'ping' },
  ])
    assert.equal(told({ allow: 'everything' }, wrong), 'skipped', JSON.stringify(wrong))
  const { sessions, skipped } = replay(['', '  ', '\n'], compile(policyOf({})))
  assert.deepEqual([sessions, skipped], [0, 0])
})

test('a session that changes is told with its line, in words', () => {
  const lines = [{}, { user: null, method: 'none', client: 'unix:/s', target: undefined }].map(differs =>
    JSON.stringify({ ...RECORD, ...differs }),
  )
  const { changed } = replay(['', ...lines], compile(policyOf({ rules: [{ deny: 'everything' }] })))
  assert.deepEqual(
    changed.map(({ line, what, before, now }) => [line, what, before, now.verdict]),
    [
      [2, 'alice from 192.0.2.7 connect host.example:443', 'allow', 'deny'],
      [3, 'nobody from unix connect', 'allow', 'deny'],
    ],
  )
})
