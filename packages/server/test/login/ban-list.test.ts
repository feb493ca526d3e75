/** Bans are found by whom they concern, pass by themselves, and are never too many. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Place } from '@socksmith/engine'
import { type Ban, BanList, type BanSubject, parseNetwork, subjectText } from '@socksmith/server'
import { BANS_MAX, clientOfNetwork, networkOfClient } from '../../src/login/ban-list.ts'
import { ip } from '../scene.ts'

const at = (text: string): Place => ({ kind: 'ip', endpoint: { address: ip(text), port: 1 } })
const UNIX: Place = { kind: 'unix', path: '' }

function ban(subject: BanSubject, untilMs?: number, by: Ban['by'] = 'operator'): Ban {
  return { subject, sinceMs: 0, by, ...(untilMs !== undefined && { untilMs }) }
}

test('a network is banned with every address in it, in whatever form, and no other', () => {
  const list = new BanList([
    ban({ kind: 'network', network: '192.0.2.7/32' }),
    ban({ kind: 'network', network: '10.32.0.0/11' }),
    ban({ kind: 'network', network: '2001:db8:1::/48' }),
  ])
  for (const banned of ['192.0.2.7', '::ffff:192.0.2.7', '10.32.0.1', '10.63.255.255', '2001:db8:1:ffff::1']) {
    assert.equal(list.hasClient(at(banned), 1), true, banned)
  }
  for (const other of ['192.0.2.8', '10.64.0.0', '10.31.255.255', '2001:db8:2::1', '::1']) {
    assert.equal(list.hasClient(at(other), 1), false, other)
  }
  assert.equal(list.hasClient(UNIX, 1), false)
  assert.equal(list.remove('10.32.0.0/11'), true)
  assert.equal(list.remove('10.32.0.0/11'), false)
  assert.equal(list.hasClient(at('10.32.0.1'), 1), false)
})

test('a ban passes at its time, and a pair bans neither the name nor the address', () => {
  const list = new BanList([
    ban({ kind: 'user', user: 'alice' }, 1_000),
    ban({ kind: 'login', client: '192.0.2.7', user: 'bob' }, 2_000),
  ])
  const [here, there] = [at('192.0.2.7'), at('192.0.2.8')]
  assert.deepEqual([list.hasUser(UNIX, 'alice', 999), list.hasUser(UNIX, 'alice', 1_000)], [true, false])
  assert.deepEqual([list.hasLogin(here, 'bob', 1_999), list.hasLogin(there, 'bob', 1)], [true, false])
  assert.deepEqual([list.hasUser(there, 'bob', 1), list.hasClient(here, 1)], [false, false])
  assert.deepEqual(list.prune(1_500), ['user alice'])
  assert.deepEqual(
    list.all(1_500).map(({ subject }) => subjectText(subject)),
    ['bob from 192.0.2.7'],
  )
})

test('the oldest ban of failed logins gives way, one of a person does not', () => {
  const list = new BanList([ban({ kind: 'user', user: 'kept' })])
  for (let i = 0; i <= BANS_MAX.login; i++) list.add(ban({ kind: 'user', user: `user ${i}` }, 1_000, 'login'))
  assert.equal(list.size, 1 + BANS_MAX.login)
  const has = (user: string): boolean => list.hasUser(UNIX, user, 1)
  assert.deepEqual([has('kept'), has('user 0'), has('user 1')], [true, false, true])
})

test('failed logins neither shorten nor lift what a person has banned, and follow when that has passed', () => {
  const network: BanSubject = { kind: 'network', network: '192.0.2.7/32' }
  const failed = (sinceMs: number): Ban => ({ subject: network, by: 'login', sinceMs, untilMs: sinceMs + 1_000 })
  const list = new BanList([ban(network)])
  assert.equal(list.add(failed(10)), false)
  assert.equal(list.hasClient(at('192.0.2.7'), 5_000), true)
  // A person may say it anew.
  assert.equal(list.add(ban(network, 2_000)), true)
  assert.equal(list.add(failed(1_999)), false)
  assert.equal(list.hasClient(at('192.0.2.7'), 2_000), false)
  assert.equal(list.add(failed(2_000)), true)
  assert.equal(list.hasClient(at('192.0.2.7'), 2_999), true)
  assert.equal(list.add(failed(2_500)), true)
  assert.equal(list.hasClient(at('192.0.2.7'), 3_499), true)
})

test('a person bans a user from one place whatever he is doing there, failed logins only further logins', () => {
  const elsewhere: readonly Place[] = [at('2001:db8:0:1::7'), at('192.0.2.7'), UNIX]
  const pair: BanSubject = { kind: 'login', client: '2001:db8::/64', user: 'bob' }
  for (const [by, isBanned] of [
    ['operator', true],
    ['login', false],
  ] as const) {
    const list = new BanList([ban(pair, 1_000, by)])
    assert.equal(list.hasLogin(at('2001:db8::7'), 'bob', 1), true, by)
    assert.equal(list.hasUser(at('2001:db8::7'), 'bob', 1), isBanned, by)
    assert.equal(list.hasUser(at('2001:db8::7'), 'bob', 1_000), false, by)
    for (const place of elsewhere) {
      assert.equal(list.hasUser(place, 'bob', 1) || list.hasLogin(place, 'bob', 1), false, by)
    }
  }
})

test('a ban of a login holds one address, and in IPv6 its /64', () => {
  for (const [text, client] of [
    ['192.0.2.7', '192.0.2.7'],
    ['192.0.2.7/32', '192.0.2.7'],
    ['::ffff:192.0.2.7', '192.0.2.7'],
    ['2001:db8::1', '2001:db8::/64'],
    ['2001:db8::/64', '2001:db8::/64'],
    ['192.0.2.0/24', undefined],
    ['2001:db8::/48', undefined],
    ['2001:db8::/65', undefined],
    ['0.0.0.0/0', undefined],
  ] as const) {
    const network = parseNetwork(text)
    assert.ok(network)
    assert.equal(clientOfNetwork(network), client, text)
  }
})

test('clients are known by their address, and in IPv6 by their /64', () => {
  assert.equal(networkOfClient(at('::ffff:192.0.2.7')), '192.0.2.7/32')
  assert.equal(networkOfClient(at('2001:db8::1:2:3:4')), '2001:db8::/64')
  assert.equal(networkOfClient(UNIX), undefined)
})
