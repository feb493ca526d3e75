/** Where the datagrams of an association are counted, destination by destination. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { IdleWheel } from '@socksmith/engine'
import type { Facts } from '@socksmith/policy'
import { type Endpoint, parseIp } from '@socksmith/protocol'
import { VirtualClock } from '../../../engine/test/virtual-clock.ts'
import { Gate } from '../../src/decide.ts'
import { Counting } from '../../src/limit/counting.ts'
import { SessionLimits } from '../../src/limit/session-limits.ts'
import { UdpLimits } from '../../src/limit/udp-limits.ts'
import { policy } from '../rules.ts'

const POLICY = {
  limits: { slow: { per: 'user', bandwidth: '1Mbit/s' }, few: { per: 'user', sessions: 5 } },
  rules: [{ allow: { port: 1 }, limits: ['slow'] }, { allow: { port: 2 }, limits: ['few'] }, { allow: { port: 3 } }],
}

test('a destination is counted where octets are bounded for it, whatever else is on its host', () => {
  const clock = new VirtualClock()
  const gate = new Gate(
    policy(POLICY),
    () => [],
    { has: () => false },
    () => undefined,
  )
  const counting = new Counting(clock, new IdleWheel(clock), 10, undefined)
  const limits = new SessionLimits(gate, counting, () => {})
  const shares = new UdpLimits(limits)
  const counted = [1, 2, 3].map(port => {
    const address = parseIp('93.184.216.34')
    assert.ok(address)
    const destination: Endpoint = { address, port }
    const facts: Facts = {
      nowMs: 0,
      client: address,
      listener: '',
      user: 'alice',
      command: 'udp-associate',
      ...destination,
    }
    assert.equal(shares.admit({ ...gate.ask(facts), facts }, destination), undefined)
    return shares.shareOf(destination)?.held.map(({ limit }) => limit.name)
  })
  assert.deepEqual(counted, [['slow'], undefined, undefined])
  limits.release()
})
