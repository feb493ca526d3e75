/** No fault at all, but much at once: thousands of tunnels that are held, and gigabytes. */
import { readFileSync, statSync } from 'node:fs'
import { Crowd } from '../crowd.ts'
import { LATE_MS_MAX, type Fault, amount, until, wait } from '../stage.ts'

/** One active tunnel says something so often. */
const EVERY_MS = 1_000
const MEBIBYTE = 1_048_576
/** For the process, with 8,000 idle tunnels and 1,000 active ones. */
const MEMORY_MIB_MAX = 600
/** Of what is said and comes back, where nothing else goes on. */
const TRIP_P99_MS_MAX = 250

export const manyTunnels: Fault = {
  rows: ['R-01'],
  name: 'thousands of idle tunnels, and active ones among them',
  // Nearly all descriptors that there are.
  isAlone: true,
  async run(stage) {
    const { served, targets, criteria, size } = stage
    const crowd = new Crowd()
    const [idle, active] = [amount(stage, 1_000, 4_000, 8_000), amount(stage, 200, 500, 1_000)]
    await crowd.start({ do: 'hold', ports: served.ports, echo: targets.ports.echo, idle, active, everyMs: EVERY_MS })
    await wait(amount(stage, 3_000, 20_000, 300_000))
    const { pssOctets } = await served.look()
    const { open, trips, tripP99Ms } = await crowd.tell()
    // The idle ones too: each must answer after all that time.
    crowd.ask()
    await until(async () => (await crowd.tell()).unanswered === 0, LATE_MS_MAX)
    const { unanswered, wrong } = await crowd.tell()
    await crowd.kill()
    const isFull = size === 'full'
    criteria.note('R-01', 'tunnels held at once', open, { atLeast: idle + active })
    criteria.note('R-01', 'tunnels that did not answer at the end', unanswered, { atMost: 0 })
    criteria.note('R-01', 'messages that came back from active ones', trips, { atLeast: active })
    criteria.note('R-01', 'wrong pieces in them', wrong, { atMost: 0 })
    criteria.note('R-01', 'time until one came back, p99', tripP99Ms, {
      unit: 'ms',
      ...(isFull && { atMost: TRIP_P99_MS_MAX }),
    })
    criteria.note('R-01', 'memory of the process (PSS)', pssOctets / MEBIBYTE, { unit: 'MiB', atMost: MEMORY_MIB_MAX })
  },
}

export const largeTransfers: Fault = {
  rows: ['R-31'],
  name: 'one large stream, and others each way at the same time',
  // A disk that is full would lose its record.
  isAlone: true,
  async run(stage) {
    const { served, targets, criteria, files } = stage
    const { echo, measured } = targets.ports
    // One more than a counter of 32 bits can tell apart.
    const octets = amount(stage, 64, 1_024, 16_384) * MEBIBYTE + 1
    const [echoes, echoOctets] = [amount(stage, 2, 4, 8), amount(stage, 8, 64, 256) * MEBIBYTE]
    const crowd = new Crowd()
    const startedMs = performance.now()
    const logged = statSync(files.log).size
    await crowd.start({ do: 'carry', ports: served.ports, measured, octets, echo, echoes, echoOctets })
    const told = await crowd.tell()
    await crowd.kill()
    const record = new RegExp(`"target":"127\\.0\\.0\\.1:${measured}".*"down_octets":${octets},`)
    const countedMs = await until(() => record.test(readFileSync(files.log).toString('latin1', logged)), LATE_MS_MAX)
    criteria.note('R-31', 'octets of the largest stream', octets)
    criteria.note('R-31', 'octets that did not come', octets + echoes * echoOctets - told.octets, { atMost: 0 })
    criteria.note('R-31', 'wrong pieces', told.wrong, { atMost: 0 })
    criteria.note('R-31', 'time until its record tells them all', countedMs, { atMost: LATE_MS_MAX, unit: 'ms' })
    criteria.note('R-31', 'time for all of them', performance.now() - startedMs, { unit: 'ms' })
  },
}
