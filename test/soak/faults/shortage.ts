/** Too little of what the system gives: descriptors, room for the log, a reader of the log. */
import { spawnSync } from 'node:child_process'
import { constants, openSync, closeSync, statfsSync } from 'node:fs'
import { join } from 'node:path'
import { openTunnel } from '../client.ts'
import { Served } from '../served.ts'
import { LATE_MS_MAX, type Fault, type Stage, amount, notices, times, until, wait } from '../stage.ts'

/** Descriptors left to a server that is about to run out of them. */
const FEW = 40
/** As many as it had before; the hard limit stays. */
const ENOUGH = 20_000
async function opens({ served, targets }: Pick<Stage, 'served' | 'targets'>): Promise<boolean> {
  try {
    const socket = await openTunnel(served.ports, 'socks5', { port: targets.ports.echo })
    socket.destroy()
    return true
  } catch {
    return false
  }
}

export const fewDescriptors: Fault = {
  rows: ['R-13'],
  name: 'the server runs out of descriptors',
  isAlone: true,
  async run(stage) {
    const { served, targets, criteria, honest } = stage
    const held = await openTunnel(served.ports, 'socks5', { port: targets.ports.echo })
    await honest.expecting(['newcomers', 'names', 'tunnels'], async () => {
      if (!served.limitDescriptors(served.descriptors + FEW)) throw new Error('prlimit (util-linux) is needed')
      const [cpuMs, atMs] = [served.cpuMs, performance.now()]
      // Who waits in the kernel's queue is served later; nobody is waited for here.
      const late = times(300, 300, () => opens(stage))
      await wait(amount(stage, 1_500, 5_000, 30_000))
      criteria.note(
        'R-13',
        'processor while descriptors are short',
        (served.cpuMs - cpuMs) / (performance.now() - atMs),
        {
          unit: 'cores',
        },
      )
      held.write('still here')
      const goesOnMs = await until(() => held.readableLength > 0, LATE_MS_MAX)
      criteria.note('R-13', 'time for an echo in a held tunnel', goesOnMs, { atMost: LATE_MS_MAX, unit: 'ms' })
      served.limitDescriptors(ENOUGH)
      const backMs = await until(() => opens(stage), LATE_MS_MAX)
      criteria.note('R-13', 'time until newcomers are served again', backMs, { atMost: LATE_MS_MAX, unit: 'ms' })
      await late
    })
    held.destroy()
  },
}

/** Octets that the log may still take when its disk is made small. */
const ROOM_KIB = 8

export const fullDisk: Fault = {
  rows: ['R-21'],
  name: 'the disk of the log is full',
  cannot: ({ files }) => (files.logMount === undefined ? 'no file system can be mounted here' : undefined),
  async run(stage) {
    const { served, files, criteria } = stage
    const path = files.logMount as string
    const before = notices(stage, 'log-dropped')
    const { blocks, bsize } = statfsSync(path)
    // What is logged in between does not fit: then it is measured anew.
    while (!resize(path, usedKib(path) + ROOM_KIB));
    const served200 = (await times(200, 20, () => opens(stage))).filter(Boolean).length
    await wait(amount(stage, 300, 3_000, 30_000))
    resize(path, (blocks * bsize) / 1_024)
    const toldMs = await until(async () => {
      await opens(stage)
      return notices(stage, 'log-dropped') > before
    }, LATE_MS_MAX)
    criteria.note('R-21', 'tunnels served while the disk is full, of 200', served200, { atLeast: 200 })
    criteria.note('R-21', 'time until the lost lines are counted in the log', toldMs, {
      atMost: LATE_MS_MAX,
      unit: 'ms',
    })
    criteria.note('R-21', 'memory of the server', served.pssOctets / 1_048_576, { unit: 'MiB' })
  },
}

export function usedKib(path: string): number {
  const { blocks, bfree, bsize } = statfsSync(path)
  return Math.ceil(((blocks - bfree) * bsize) / 1_024)
}

/** False when more than that is used already. */
export function resize(path: string, kib: number): boolean {
  return spawnSync('mount', ['-o', `remount,size=${kib}k`, path]).status === 0
}

export const stuckPipe: Fault = {
  rows: ['R-21'],
  name: 'the log is a pipe that nobody reads',
  async run(stage) {
    const { criteria, files, engineArgs, workers, targets } = stage
    const pipe = join(files.folder, `pipe-${stage.random.between(0, 1e9)}`)
    spawnSync('mkfifo', [pipe])
    const reader = openSync(pipe, constants.O_RDONLY | constants.O_NONBLOCK)
    const served = await Served.start(
      ['--listen', '127.0.0.1:0', '--log-file', pipe, '--log-format', 'json', ...engineArgs],
      workers,
    )
    const count = amount(stage, 500, 5_000, 30_000)
    const good = (await times(count, 32, () => opens({ served, targets }))).filter(Boolean).length
    criteria.note('R-21', 'tunnels not served while the pipe of the log is stuck', count - good, { atMost: 0 })
    const code = await served.end()
    closeSync(reader)
    criteria.note('R-21', 'exit code of a server whose log is stuck', code ?? Number.NaN, { atMost: 0 })
  },
}
