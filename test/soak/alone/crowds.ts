/** Connections that come and go by the hundred thousand, and handshakes that never come to their end. */
import { Crowd } from '../crowd.ts'
import { HANDSHAKE_MS, playChurn } from '../faults/crowds.ts'
import { wait } from '../stage.ts'
import { type Trial, othersP99Ms } from './trial.ts'

const CHURN_ROUNDS = 50_000
const CHURN_STEP = 2_500
const CHURN_OCTETS_MAX = 10

export const churnTrial: Trial = {
  rows: ['R-02'],
  name: '100,000 tunnels are opened and closed',
  async run({ note, serve, targets, random }) {
    await serve({}, async ({ served }) => {
      const rounds = (count: number): Promise<number> => playChurn({ served, targets, random }, count)
      let failed = await rounds(CHURN_ROUNDS)
      const memory: Point[] = []
      for (let round = 0; round < CHURN_ROUNDS; round += CHURN_STEP) {
        failed += await rounds(CHURN_STEP)
        memory.push({ x: round, y: (await served.look(true)).pssOctets })
      }
      note('clean rounds that failed, of 66,667', failed, { atMost: 0 })
      note('memory of the process more for each of the last 50,000 (PSS)', slopeOf(memory), {
        atMost: CHURN_OCTETS_MAX,
        unit: 'octets',
      })
    })
  },
}

interface Point {
  readonly x: number
  readonly y: number
}

/** Of the line with the least squares. */
function slopeOf(points: readonly Point[]): number {
  const mean = (of: (point: Point) => number): number => points.reduce((sum, one) => sum + of(one), 0) / points.length
  const [x0, y0] = [mean(({ x }) => x), mean(({ y }) => y)]
  return mean(({ x, y }) => (x - x0) * (y - y0)) / mean(({ x }) => (x - x0) ** 2)
}

/** Of each kind. */
const SLOW_CLIENTS = 2_000
const SLOW_EVERY_MS = 5_000

export const slowHandshakeTrial: Trial = {
  rows: ['R-06'],
  name: '2,000 clients that send an octet in five seconds, and 2,000 that say nothing',
  async run({ note, serve, targets }) {
    await serve({}, async ({ served }) => {
      const port = served.ports.open
      const kinds = { 'an octet in five seconds': SLOW_EVERY_MS, silence: 0 }
      const crowds = Object.entries(kinds).map(async ([kind, everyMs]) => {
        const crowd = new Crowd()
        await crowd.start({ do: 'trickle', port, count: SLOW_CLIENTS, everyMs, addresses: 50 })
        // Twice the limit: who is there then stays for ever.
        await wait(2 * HANDSHAKE_MS)
        const told = await crowd.tell()
        await crowd.kill()
        return { kind, ...told }
      })
      const others = await othersP99Ms(served.ports, targets.ports.echo, Promise.all(crowds))
      for (const { kind, open, firstClosedMs, lastClosedMs } of await Promise.all(crowds)) {
        note(`${kind}: never closed, of 2,000`, open, { atMost: 0 })
        note(`${kind}: the first is closed after`, firstClosedMs, { atLeast: 0.9 * HANDSHAKE_MS, unit: 'ms' })
        note(`${kind}: the last is closed after`, lastClosedMs, { atMost: 1.1 * HANDSHAKE_MS, unit: 'ms' })
      }
      note('time of a new tunnel meanwhile, p99', others, { atMost: 100, unit: 'ms' })
    })
  },
}
