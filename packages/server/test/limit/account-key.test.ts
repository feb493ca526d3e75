/** Which sessions a limit counts together, and that nobody can give himself the account of another. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Facts, Limit } from '@socksmith/policy'
import { parseIp } from '@socksmith/protocol'
import { accountKey, accountName } from '../../src/limit/account-key.ts'

function facts(user: string | null, client = '192.0.2.7'): Facts {
  const address = parseIp(client)
  assert.ok(address)
  const target = { host: null, address, port: 443 }
  return {
    nowMs: 0,
    client: address,
    listener: 'lan',
    protocol: 'socks5',
    method: 'password',
    user,
    command: 'connect',
    ...target,
  }
}

function limit(per: Limit['per'], more: Partial<Limit> = {}): Limit {
  return { name: 'fair', place: { file: 'policy.yaml', line: 1 }, per, amounts: {}, text: 'fair', ...more }
}

const nameOf = (one: Limit, user: string | null, client?: string): string | undefined =>
  accountName(one, facts(user, client), undefined)

test('the same user at the same client is one account, whichever session it is', () => {
  const fair = limit(['user', 'client'])
  assert.equal(nameOf(fair, 'alice'), nameOf(fair, 'alice'))
  assert.deepEqual(accountKey(nameOf(fair, 'alice')), accountKey(nameOf(fair, 'alice')))
  assert.notEqual(nameOf(fair, 'alice'), nameOf(fair, 'bob'))
  assert.notEqual(nameOf(fair, 'alice'), nameOf(fair, 'alice', '192.0.2.8'))
  assert.notEqual(nameOf(fair, null), nameOf(fair, 'null'))
})

test('addresses of one IPv6 network are one client, and a mapped address is the IPv4 one', () => {
  const each = limit(['client'])
  assert.equal(nameOf(each, 'a', '2001:db8::1'), nameOf(each, 'a', '2001:db8::ffff:2'))
  assert.notEqual(nameOf(each, 'a', '2001:db8::1'), nameOf(each, 'a', '2001:db8:0:1::1'))
  assert.equal(nameOf(each, 'a', '::ffff:192.0.2.7'), nameOf(each, 'a', '192.0.2.7'))
})

test('no name of a user takes the account of another user and client', () => {
  const fair = limit(['user', 'client'])
  for (const between of ['', ',', '\0', '8:', '16:', '","', '}']) {
    const pretended = `alice${between}16:client 192.0.2.7`
    assert.notEqual(nameOf(fair, pretended), nameOf(fair, 'alice'), between)
  }
})

test('limits of another name or period count apart, and one of each session has no name', () => {
  const day = { every: 'day', zone: 'UTC', minute: 0 } as const
  const daily = limit(['user'], { amounts: { octets: { total: 1, period: day } } })
  assert.notEqual(nameOf(daily, 'alice'), nameOf(limit(['user']), 'alice'))
  assert.notEqual(nameOf(limit(['user'], { name: 'other' }), 'alice'), nameOf(limit(['user']), 'alice'))
  assert.equal(nameOf(limit(['user', 'session']), 'alice'), undefined)
  assert.notDeepEqual(accountKey(undefined), accountKey(undefined))
})
