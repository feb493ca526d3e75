import assert from 'node:assert/strict'
import { test } from 'node:test'
import { failure } from '@socksmith/protocol'
import { Latencies } from '../../src/bench/latencies.ts'
import type { Sample } from '../../src/bench/load.ts'
import { benchText } from '../../src/bench/report-text.ts'
import { figureOf } from '../../src/bench/report.ts'

const LATENCIES = { p50: 0.21, p90: 0.34, p99: 0.5, p999: 1.8, max: 6 }

test('a report is a table, with a line for what was held and for what could not be had', () => {
  const text = benchText({
    proxy: 'socks5://127.0.0.1:1080',
    engine: 'linux',
    rounds: 3,
    seconds: 2,
    warmUpSeconds: 5,
    modes: [
      {
        kind: 'rate',
        mode: 'download',
        unit: 'MiB',
        streams: 1,
        direct: { perSecond: 5_290.4 },
        proxy: { perSecond: 4_358.2, cpuSecondsPerUnit: 0.12 / 1_024 },
        ratio: 0.8238,
      },
      {
        kind: 'rate',
        mode: 'roundtrip',
        unit: 'trips',
        streams: 16,
        direct: { perSecond: 150_580 },
        proxy: { perSecond: 62_467, latencies: LATENCIES },
        ratio: 0.4148,
      },
      {
        kind: 'hold',
        mode: 'idle',
        tunnels: 4_000,
        memory: {
          freshOctets: 50 * 2 ** 20,
          beforeOctets: 60 * 2 ** 20,
          warmUps: 3,
          withOctets: 61 * 2 ** 20,
          octetsPerTunnel: 262.144,
          octetsPerTunnelFromFresh: 2_883.584,
        },
        answered: 4_000,
      },
      { kind: 'hold', mode: 'stall', tunnels: 64, source: { octetsPerTunnel: 4_194_304, isPaused: true } },
      { kind: 'failed', mode: 'udp', failure: failure('request_failed', 'server', 'command not supported') },
    ],
  })
  assert.equal(
    text,
    `socks5://127.0.0.1:1080

                  streams  a second  ratio  p50 ms   p90  p99  p99.9  max         CPU s
download, MiB           1     4,358   0.82                                 0.12 per GiB
  no proxy                    5,290
roundtrip, trips       16    62,467   0.41    0.21  0.34  0.5    1.8    6
  no proxy                  150,580

medians of 3 rounds of 2 s each way after 5 s that do not count; ratio: to no proxy; load on the linux engine

idle: 4,000 tunnels, 262 octets of memory each (50 MiB at first, 60 MiB after 3 rounds of opening and closing, 61 MiB with them), 4,000 of them answered at the end
stall: 64 tunnels, memory not known (say --pid; it must be a process that you may look into), 4,096 KiB left each source, which then rested
udp: command not supported
`,
  )
})

function sample(amount: number, ms: number): Sample {
  const latencies = new Latencies()
  latencies.record(ms)
  return { amount, seconds: 2, latencies, lost: amount / 4, cpuSeconds: amount / 10 }
}

test('a figure is the median of its rounds, and of the longest times the longest', () => {
  const figure = figureOf([sample(100, 1), sample(900, 2), sample(200, 30)])
  assert.equal(figure.perSecond, 100)
  assert.equal(figure.lostShare, 0.2)
  assert.equal(figure.cpuSecondsPerUnit, 0.1)
  assert.equal(figure.latencies?.p50, 2)
  assert.equal(figure.latencies?.max, 30)
})
