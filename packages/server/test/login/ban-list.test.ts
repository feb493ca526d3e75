/** Bans are found by whom they concern, pass by themselves, and are never too many. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Place } from '@socksmith/engine'
import { type Ban, BanList, type BanSubject, subjectText } from '@socksmith/server'
import { BANS_MAX, networkOfClient } from '../../src/login/ban-list.ts'
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
  assert.deepEqual([list.hasUser('alice', 999), list.hasUser('alice', 1_000)], [true, false])
  assert.deepEqual([list.hasLogin('192.0.2.7', 'bob', 1_999), list.hasLogin('192.0.2.8', 'bob', 1)], [true, false])
  assert.deepEqual([list.hasUser('bob', 1), list.hasClient(at('192.0.2.7'), 1)], [false, false])
  assert.deepEqual(list.prune(1_500), ['user alice'])
  assert.deepEqual(
    list.all(1_500).map(({ subject }) => subjectText(subject)),
    ['bob from 192.0.2.7'],
  )
})

test('the oldest ban of failed logins gives way, one of a person does not', () => {
  const list = new BanList([ban({ kind: 'user', user: 'kept' })])
  for (let i = 0; i < BANS_MAX; i++) list.add(ban({ kind: 'user', user: `user ${i}` }, 1_000, 'login'))
  assert.equal(list.size, BANS_MAX)
  assert.deepEqual([list.hasUser('kept', 1), list.hasUser('user 0', 1), list.hasUser('user 1', 1)], [true, false, true])
})

test('clients are known by their address, and in IPv6 by their /64', () => {
  assert.equal(networkOfClient(at('::ffff:192.0.2.7')), '192.0.2.7/32')
  assert.equal(networkOfClient(at('2001:db8::1:2:3:4')), '2001:db8::/64')
  assert.equal(networkOfClient(UNIX), undefined)
})
