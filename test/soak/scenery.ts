/** Sets the stage: the files, the targets and the server of one soak, and takes them down again. */
import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, globSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Random } from '../simulation/world/random.ts'
import { Criteria } from './criteria.ts'
import { CONNECTIONS_MAX, HANDSHAKE_MS } from './faults/crowds.ts'
import { DIAL_MS } from './faults/network.ts'
import { Honest } from './honest.ts'
import { isInside } from './room.ts'
import { Served } from './served.ts'
import type { Size, Stage, StageFiles } from './stage.ts'
import { Targets } from './targets.ts'

const LAUNCHER = fileURLToPath(new URL('../../packages/cli/bin/socksmith.js', import.meta.url))
const LOGIN = { name: 'alice', password: 'correct horse battery staple' }
/** Memory is taken only for what is written. */
const LOG_DISK = 'size=1g'

export interface StageOptions {
  readonly engine: 'linux' | 'node'
  readonly workers: number
  readonly seed: number
  readonly size: Size
}

export async function setStage({ engine, workers, seed, size }: StageOptions): Promise<Stage> {
  const targets = await Targets.start()
  const files = makeFiles(targets.ports.names)
  const engineArgs = ['--engine', engine, '--workers', String(workers)]
  const served = await Served.start(['--config', join(files.folder, 'soak.yaml'), ...engineArgs], workers, {
    ...(files.clock !== undefined && clockEnvironment(files.clock)),
  })
  const random = new Random(seed)
  const honest = new Honest({ ports: served.ports, targets: targets.ports, login: LOGIN }, new Random(seed + 1))
  const common = { login: LOGIN, criteria: new Criteria(), ownNetwork: isInside() }
  return { served, targets, honest, random, size, files, engine, workers, engineArgs, ...common }
}

/** Answers where the server's log is kept, which it is when something failed: without it nobody finds out why. */
export async function strikeStage({ served, targets, files, criteria }: Stage): Promise<string | undefined> {
  await served.end('SIGKILL')
  await targets.kill()
  // A server that never came up has written none.
  const kept = criteria.failed > 0 && existsSync(files.log) ? `${files.folder}.log` : undefined
  if (kept !== undefined) copyFileSync(files.log, kept)
  if (files.logMount !== undefined) spawnSync('umount', ['-l', files.logMount])
  rmSync(files.folder, { recursive: true, force: true })
  return kept
}

function makeFiles(namesPort: number): StageFiles {
  const folder = mkdtempSync(join(tmpdir(), 'socksmith-soak-'))
  const logFolder = join(folder, 'log')
  mkdirSync(logFolder)
  const isMounted = isInside() && spawnSync('mount', ['-t', 'tmpfs', '-o', LOG_DISK, 'tmpfs', logFolder]).status === 0
  const clock = libfaketime() === undefined ? undefined : join(folder, 'clock')
  if (clock !== undefined) writeFileSync(clock, '+0\n')
  const files: StageFiles = {
    folder,
    users: join(folder, 'users.txt'),
    policy: join(folder, 'policy.yaml'),
    log: join(logFolder, 'sessions.log'),
    control: join(folder, 'control.sock'),
    ...(clock !== undefined && { clock }),
    ...(isMounted && { logMount: logFolder }),
  }
  const added = spawnSync(process.execPath, [LAUNCHER, 'user', 'add', LOGIN.name, '--users', files.users], {
    input: `${LOGIN.password}\n`,
  })
  if (added.status !== 0) throw new Error(added.stderr.toString())
  writeFileSync(files.policy, 'rules:\n  - allow: everything\n')
  writeFileSync(join(folder, 'soak.yaml'), configuration(files, namesPort))
  return files
}

function configuration(files: StageFiles, namesPort: number): string {
  return `
listen:
  - { address: '127.0.0.1:0', auth: none }
  - { address: '127.0.0.1:0', auth: password }
  - { address: '127.0.0.1:0', auth: none, proxy-protocol-from: [127.0.0.0/8] }
users: { file: ${files.users} }
policy: ${files.policy}
control: ${files.control}
dns: { servers: ['127.0.0.1:${namesPort}'] }
limits:
  connections: ${CONNECTIONS_MAX}
  connections-per-client: ${CONNECTIONS_MAX}
  handshake: ${HANDSHAKE_MS}ms
  dial: ${DIAL_MS}ms
log: { file: ${files.log}, format: json }
drain: 20s
# The answer to a wrong login is late, and later each time: hundreds of guesses would take an hour.
login: { delay-after: 1000000 }
`
}

/** Only the wall clock jumps; and the file is read once a second, not at every call. */
function clockEnvironment(file: string): NodeJS.ProcessEnv {
  return {
    LD_PRELOAD: libfaketime(),
    FAKETIME_TIMESTAMP_FILE: file,
    FAKETIME_CACHE_DURATION: '1',
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
    NO_FAKE_STAT: '1',
  }
}

function libfaketime(): string | undefined {
  return globSync('/usr/lib/*/faketime/libfaketimeMT.so.1')[0]
}
