/** The addresses of this host, also where the system does not tell them (it opens a descriptor for that). */
import assert from 'node:assert/strict'
import { syncBuiltinESMExports } from 'node:module'
import os from 'node:os'
import { type TestContext, test } from 'node:test'
import { VirtualClock } from '../../engine/test/virtual-clock.ts'
import { interfaceAddresses } from '../src/interfaces.ts'
import { leavingBy } from '../src/leaving.ts'
import { createLocalAddresses } from '../src/local-addresses.ts'
import { createEngine } from './engine.ts'
import { ip } from './scene.ts'

function answers(t: TestContext, answer: () => NodeJS.Dict<os.NetworkInterfaceInfo[]>): void {
  t.mock.method(os, 'networkInterfaces', answer)
  syncBuiltinESMExports()
}

function silent(): never {
  throw new Error('uv_interface_addresses returned Unknown system error 24')
}

function having(address: string): () => NodeJS.Dict<os.NetworkInterfaceInfo[]> {
  const family = address.includes(':') ? 'IPv6' : 'IPv4'
  return () => ({ eth0: [{ address, family } as os.NetworkInterfaceInfo] })
}

test('addresses that come and go are known after some seconds; what was known last holds where the system is silent', async t => {
  t.after(() => {
    t.mock.restoreAll()
    syncBuiltinESMExports()
  })
  const clock = new VirtualClock()
  answers(t, having('192.0.2.7'))
  const local = createLocalAddresses(clock)
  assert.deepEqual(
    [local.has(ip('192.0.2.7')), local.has(ip('127.9.9.9')), local.has(ip('192.0.2.8'))],
    [true, true, false],
  )
  t.mock.restoreAll()
  answers(t, silent)
  await clock.advance(6_000)
  assert.equal(local.has(ip('192.0.2.7')), true)
  t.mock.restoreAll()
  answers(t, having('fe80::8%eth0'))
  assert.equal(local.has(ip('192.0.2.7')), true, 'not yet')
  await clock.advance(6_000)
  assert.deepEqual([local.has(ip('192.0.2.7')), local.has(ip('fe80::8'))], [false, true])
})

test('a way by an interface is refused where the system is silent', async t => {
  t.after(() => {
    t.mock.restoreAll()
    syncBuiltinESMExports()
  })
  answers(t, silent)
  const told = interfaceAddresses()
  assert.ok('code' in told && told.code === 'too_busy' && told.blame === 'us')
  const engine = leavingBy(createEngine(), { options: { interface: 'eth0' } })
  assert.deepEqual(await engine.facing(ip('192.0.2.9')), told)
  t.mock.restoreAll()
  answers(t, having('192.0.2.7'))
  assert.deepEqual(await engine.facing(ip('192.0.2.9')), ip('192.0.2.7'))
  assert.deepEqual(await engine.facing(ip('2001:db8::9')), ip('::'))
})
