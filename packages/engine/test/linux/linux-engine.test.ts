/** The Linux engine keeps every contract. Where it cannot run, the tests say why and are skipped. */
import assert from 'node:assert/strict'
import { networkInterfaces } from 'node:os'
import { test } from 'node:test'
import { connectionContract } from '../contract/connection.ts'
import { datagramContract } from '../contract/datagrams.ts'
import { descriptorContract } from '../contract/descriptors.ts'
import { dialContract } from '../contract/dial.ts'
import { listenerContract } from '../contract/listener.ts'
import { relayContract } from '../contract/relay.ts'
import type { Cannot } from '../contract/scene.ts'
import { secureContract } from '../contract/secure.ts'
import { secureClientContract } from '../contract/secure-client.ts'
import { createLinuxEngine } from '../../src/linux/linux-engine.ts'
import type { Clock, Engine } from '../../src/ports.ts'

const first = createLinuxEngine()
if ('reason' in first) {
  test('the Linux engine', { skip: first.reason }, () => {})
} else {
  const hasIpv6 = Object.values(networkInterfaces()).some(all => all?.some(one => one.address === '::1'))
  const cannot: Cannot = hasIpv6 ? {} : { ipv6: 'this machine has no ::1' }
  connectionContract(make)
  listenerContract(make, cannot)
  dialContract(make)
  secureContract(make, cannot)
  secureClientContract(make, cannot)
  datagramContract(make, cannot)
  relayContract(make, cannot)
  descriptorContract('linux', 'waiting')
}

function make(clock?: Clock): Engine {
  const made = createLinuxEngine(clock)
  assert.ok('engine' in made)
  return made.engine
}
