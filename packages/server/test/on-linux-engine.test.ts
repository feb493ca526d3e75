/** Every test of the server once more, on the Linux engine. Where it cannot run, one skipped test says why. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createLinuxEngine } from '@socksmith/engine'
import { useEngine } from './engine.ts'

const first = createLinuxEngine()
if ('reason' in first) {
  test('the server on the Linux engine', { skip: first.reason }, () => {})
} else {
  useEngine(clock => {
    const made = createLinuxEngine(clock)
    assert.ok('engine' in made)
    return made.engine
  })
  // They register their tests when they are loaded.
  await import('./admission.test.ts')
  await import('./authentication.test.ts')
  await import('./bind.test.ts')
  await import('./connect.test.ts')
  await import('./hostile.test.ts')
  await import('./limits.test.ts')
  await import('./limits-octets.test.ts')
  await import('./login.test.ts')
  await import('./policy.test.ts')
  await import('./policy-udp.test.ts')
  await import('./route.test.ts')
  await import('./route-udp-bind.test.ts')
  await import('./server.test.ts')
  await import('./udp-associate.test.ts')
  await import('./ways.test.ts')
  await import('./http/forward.test.ts')
  await import('./dns/exchange.test.ts')
}
