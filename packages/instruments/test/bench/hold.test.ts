/** Tunnels that are held, on an engine that the test decides for. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Connection, Engine } from '@socksmith/engine'
import { hold } from '../../src/bench/hold.ts'
import type { Stage } from '../../src/bench/load.ts'
import { DEFAULT_SETTINGS } from '../../src/bench/mode.ts'

test('a reader stalls as soon as its tunnel is open, so that its stream keeps no other from opening', async () => {
  const { promise: paused, resolve: onPause } = Promise.withResolvers<void>()
  const connection = { read() {}, pause: onPause, reset() {} } as unknown as Connection
  let dials = 0
  const engine = {
    descriptorsMax: Infinity,
    dial: () => ({ result: dials++ === 0 ? Promise.resolve(connection) : paused.then(() => connection) }),
  } as unknown as Engine
  const stage = {
    engine,
    target: { pouredOctets: () => 0 },
    ways: { source: { place: { kind: 'unix', path: 'nowhere' }, steps: [] } },
    settings: { ...DEFAULT_SETTINGS, streams: 2 },
    onProgress() {},
  } as unknown as Stage
  const report = await hold(stage, { mode: 'stall', pids: [], holdMs: 0, busy: 0, lookEveryMs: 1 })
  assert.deepEqual(report, { mode: 'stall', tunnels: 2, source: { octetsPerTunnel: 0, isPaused: true } })
})
