/** Processes that are killed with -9 at either end, and the proxy in front. */
import { readFileSync } from 'node:fs'
import { Crowd } from '../crowd.ts'
import { Served } from '../served.ts'
import { until, wait } from '../stage.ts'
import { Targets } from '../targets.ts'
import { type Setting, type Stand, type Trial, openMs } from './trial.ts'

const STREAMS = 500
const TOLD_MS_MAX = 1_000
/** A second, in all: 50 MB. */
const RATE_MIB_MIN = 48
const CLIENTS = 1_000
const GONE_MS_MAX = 2_000
const WATCHED_MS = 2_000
/** For any of it to come at all. */
const WAIT_MS_MAX = 30_000

export const killedTargetTrial: Trial = {
  rows: ['R-11'],
  name: 'a target with 500 streams is killed, and the proxy in front',
  async run(setting) {
    const { note, serve, engine } = setting
    await serve({}, async stand => {
      const victim = await Targets.start()
      const octets = await killUnderStreams(setting, stand, 'a target', victim.ports.steady, () => victim.kill())
      const recorded = (): number => recordedOctets(stand, victim.ports.steady)
      await until(() => recorded() >= octets, WAIT_MS_MAX)
      note('a target is killed: octets that came and are in no record', Math.max(0, octets - recorded()), { atMost: 0 })
    })
    const args = ['--engine', engine, '--workers', '0', '--log-file', '/dev/null']
    const upstream = (at: number): Promise<Served> =>
      Served.start(['--listen', `127.0.0.1:${at}`, ...args, '--limit', `connections-per-client=${2 * STREAMS}`], 0)
    let gate = await upstream(0)
    const port = gate.ports.open
    await serve({ via: [`socks5h://127.0.0.1:${port}`] }, async stand => {
      await killUnderStreams(setting, stand, 'the proxy in front', setting.targets.ports.steady, () =>
        gate.end('SIGKILL'),
      )
      gate = await upstream(port)
      const backMs = await openMs(stand.served.ports, setting.targets.ports.echo)
      note('the proxy in front is back: time of the next tunnel', backMs, {
        atMost: TOLD_MS_MAX,
        unit: 'ms',
      })
    })
    await gate.end('SIGKILL')
  },
}

/** Octets that have come to the clients by the time all know that nothing more will. */
async function killUnderStreams(
  { note }: Setting,
  { served }: Stand,
  who: string,
  source: number,
  kill: () => Promise<unknown>,
): Promise<number> {
  const crowd = new Crowd()
  await crowd.start({ do: 'streams', ports: served.ports, source, count: STREAMS, restMs: 0 })
  const [before, startedAt] = [await crowd.tell(), performance.now()]
  await wait(WATCHED_MS)
  const now = await crowd.tell()
  const rate = (now.octets - before.octets) / 1_048_576 / ((performance.now() - startedAt) / 1_000)
  await kill()
  const toldMs = await until(async () => (await crowd.tell()).open === 0, WAIT_MS_MAX)
  const { octets, wrong } = await crowd.tell()
  await crowd.kill()
  note(`${who} is killed: streams that were open`, now.open, { atLeast: STREAMS })
  note(`${who} is killed: their rate together`, rate, { atLeast: RATE_MIB_MIN, unit: 'MiB/s' })
  note(`${who} is killed: time until all clients know`, toldMs, { atMost: TOLD_MS_MAX, unit: 'ms' })
  note(`${who} is killed: wrong pieces before`, wrong, { atMost: 0 })
  return octets
}

function recordedOctets({ files }: Stand, port: number): number {
  const record = new RegExp(`"target":"127\\.0\\.0\\.1:${port}".*"down_octets":(\\d+)`, 'g')
  const all = readFileSync(files.log, 'latin1').matchAll(record)
  return all.reduce((sum, [, octets]) => sum + Number(octets), 0)
}

export const killedClientTrial: Trial = {
  rows: ['R-12'],
  name: 'a process of 1,000 clients is killed',
  async run({ note, serve, targets }) {
    await serve({}, async ({ served }) => {
      const before = sockets(served)
      const crowd = new Crowd()
      await crowd.start({ do: 'streams', ports: served.ports, source: targets.ports.steady, count: CLIENTS, restMs: 0 })
      const { open } = await crowd.tell()
      await crowd.kill()
      const goneMs = await until(() => sockets(served) <= before, WAIT_MS_MAX)
      note('clients killed', open, { atLeast: CLIENTS })
      note('time until all their descriptors are given back', goneMs, {
        atMost: GONE_MS_MAX,
        unit: 'ms',
      })
    })
  },
}

function sockets(served: Served): number {
  return served.descriptorKinds.get('socket:') ?? 0
}
