/** Every load against its own target, without a proxy: what it counts was really carried. */
import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { selectEngine } from '@socksmith/engine'
import { failure } from '@socksmith/protocol'
import { type Stage, Fault, during } from '../../src/bench/load.ts'
import { DEFAULT_SETTINGS, MODES, RATE_MODES } from '../../src/bench/mode.ts'
import { PatternReader, CHUNK } from '../../src/bench/pattern.ts'
import { type Target, startTarget } from '../../src/bench/target.ts'
import { directWays } from '../../src/bench/ways.ts'

const LOOPBACK = { type: 'ipv4', octets: Uint8Array.of(127, 0, 0, 1) } as const

for (const kind of ['auto', 'node'] as const) {
  suite(`the load and a target on the engine "${kind}"`, () => {
    let target: Target

    before(async () => {
      const started = await startTarget(LOOPBACK, kind)
      assert.ok(!('code' in started))
      target = started
    })

    after(() => target.close())

    const stage = (streams: number): Stage => ({
      engine: selectEngine(kind).engine,
      target,
      ways: directWays(target),
      settings: { ...DEFAULT_SETTINGS, streams, seconds: 0.1 },
      onProgress() {},
    })

    for (const mode of RATE_MODES) {
      test(`${mode} counts what was done`, async () => {
        const sample = await MODES[mode].load(stage(3))
        assert.ok(!('code' in sample), JSON.stringify(sample))
        assert.ok(sample.amount > 0)
        assert.ok(sample.seconds > 0)
        const timed = mode === 'open' || mode === 'roundtrip'
        assert.equal(sample.latencies !== undefined && sample.latencies.count > 0, timed)
        assert.equal(sample.lost !== undefined, mode === 'udp')
      })
    }

    test('the processor time is that between the start and the end of the counting', async () => {
      let asked = 0
      const sample = await MODES.download.load({ ...stage(1), cpuSeconds: () => ++asked })
      assert.ok(!('code' in sample))
      assert.equal(sample.cpuSeconds, 1)
    })

    test('nobody at the other end is a failure, not a figure', async () => {
      const nobody = { place: { kind: 'ip', endpoint: { address: LOOPBACK, port: 1 } }, steps: [] } as const
      const ways = { source: nobody, sink: nobody, echo: nobody, datagrams: failure('command_not_supported', 'us') }
      for (const mode of RATE_MODES) {
        const sample = await MODES[mode].load({ ...stage(2), ways })
        assert.ok('code' in sample)
        assert.equal(sample.code, mode === 'udp' ? 'command_not_supported' : 'connection_refused')
      }
    })
  })
}

test('a lost, doubled or changed part of a stream is seen', () => {
  const half = CHUNK.length / 2
  const whole = new PatternReader()
  assert.ok(whole.take(CHUNK.subarray(0, 1_000)) && whole.take(CHUNK.subarray(1_000)) && whole.take(CHUNK))
  assert.equal(new PatternReader().take(CHUNK.subarray(half)), false)
  const doubled = new PatternReader()
  assert.ok(doubled.take(CHUNK.subarray(0, half)))
  assert.equal(doubled.take(CHUNK.subarray(0, half)), false)
  assert.equal(new PatternReader().take(CHUNK.with(0, 0xff)), false)
})

test('the first fault ends the counting at once and is told', async () => {
  const fault = new Fault()
  const cause = failure('aborted', 'server')
  const terms = { settings: { ...DEFAULT_SETTINGS, streams: 1, seconds: 3_600 }, onProgress() {} }
  const counting = during(terms, () => 0, fault)
  fault.set(cause)
  fault.set(failure('truncated', 'server'))
  assert.equal(await counting, cause)
})
