/** Tunnels that are held, and some of them that are used; the large crowd of the row is in the soak in full size. */
import { Crowd } from '../crowd.ts'
import { until, wait } from '../stage.ts'
import type { Trial } from './trial.ts'

const IDLE = 1_000
const ACTIVE = 200
const EVERY_MS = 1_000
const HOLD_MS = 30_000
const MEMORY_MIB_MAX = 160
const TRIP_MS_MAX = 250
const DELAY_MS_MAX = 100
const ANSWER_MS_MAX = 10_000

export const tunnelTrial: Trial = {
  rows: ['R-01'],
  name: '1,000 idle tunnels and 200 active ones',
  async run({ note, serve, targets }) {
    await serve({}, async ({ served }) => {
      const crowd = new Crowd()
      const { echo } = targets.ports
      await crowd.start({ do: 'hold', ports: served.ports, echo, idle: IDLE, active: ACTIVE, everyMs: EVERY_MS })
      await served.look()
      await wait(HOLD_MS)
      const { pssOctets, delayP99Ms } = await served.look()
      const { open, tripP99Ms } = await crowd.tell()
      crowd.ask()
      await until(async () => (await crowd.tell()).unanswered === 0, ANSWER_MS_MAX)
      const { unanswered, wrong } = await crowd.tell()
      await crowd.kill()
      note('tunnels of 1,200 that were lost, or did not answer at the end', IDLE + ACTIVE - open + unanswered, {
        atMost: 0,
      })
      note('wrong pieces', wrong, { atMost: 0 })
      note('memory of the process (PSS)', pssOctets / 1_048_576, { atMost: MEMORY_MIB_MAX, unit: 'MiB' })
      note('time until a KiB came back, p99', tripP99Ms, { atMost: TRIP_MS_MAX, unit: 'ms' })
      note("event loop's delay, p99", delayP99Ms, { atMost: DELAY_MS_MAX, unit: 'ms' })
    })
  },
}
