/** The files that a server of the soak is started with: its configuration, users, rules, and the place of its log. */
import { spawnSync } from 'node:child_process'
import { globSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { CONNECTIONS_MAX, HANDSHAKE_MS } from './faults/crowds.ts'
import { DIAL_MS } from './faults/network.ts'
import { isInside } from './room.ts'
import type { StageFiles } from './stage.ts'

const LAUNCHER = fileURLToPath(new URL('../../packages/cli/bin/socksmith.js', import.meta.url))
export const LOGIN = { name: 'alice', password: 'correct horse battery staple' } as const
/** Memory is taken only for what is written. */
const LOG_DISK = 'size=1g'

/** Keys of the configuration file; those of a section that has some already are added to it. */
export interface Keys {
  readonly [key: string]: unknown
}

/** A folder with all of them; `namesPort` is where names are asked for. */
export function makeFiles(namesPort: number, keys: Keys = {}): StageFiles {
  const folder = mkdtempSync(join(tmpdir(), 'socksmith-soak-'))
  const logFolder = join(folder, 'log')
  mkdirSync(logFolder)
  const isMounted = isInside() && spawnSync('mount', ['-t', 'tmpfs', '-o', LOG_DISK, 'tmpfs', logFolder]).status === 0
  const clock = libfaketime() === undefined ? undefined : join(folder, 'clock')
  if (clock !== undefined) writeFileSync(clock, '+0\n')
  const files: StageFiles = {
    folder,
    configuration: join(folder, 'soak.yaml'),
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
  // JSON is YAML too.
  writeFileSync(files.configuration, JSON.stringify(withKeys(configuration(files, namesPort), keys), undefined, 2))
  return files
}

export function removeFiles({ folder, logMount }: StageFiles): void {
  if (logMount !== undefined) spawnSync('umount', ['-l', logMount])
  rmSync(folder, { recursive: true, force: true })
}

function configuration(files: StageFiles, namesPort: number): Keys {
  return {
    listen: [
      { address: '127.0.0.1:0', auth: 'none' },
      { address: '127.0.0.1:0', auth: 'password' },
      { address: '127.0.0.1:0', auth: 'none', 'proxy-protocol-from': ['127.0.0.0/8'] },
    ],
    users: { file: files.users },
    policy: files.policy,
    control: files.control,
    dns: { servers: [`127.0.0.1:${namesPort}`] },
    limits: {
      connections: CONNECTIONS_MAX,
      'connections-per-client': CONNECTIONS_MAX,
      handshake: `${HANDSHAKE_MS}ms`,
      dial: `${DIAL_MS}ms`,
    },
    log: { file: files.log, format: 'json' },
    drain: '20s',
    // The answer to a wrong login is late, and later each time: hundreds of guesses would take an hour.
    login: { 'delay-after': 1_000_000 },
  }
}

function withKeys(base: Keys, keys: Keys): Keys {
  const merged = Object.entries(keys).map(([key, value]) => [
    key,
    isSection(base[key]) && isSection(value) ? { ...base[key], ...value } : value,
  ])
  return { ...base, ...Object.fromEntries(merged) }
}

function isSection(value: unknown): value is Keys {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Only the wall clock jumps; and the file is read once a second, not at every call. */
export function clockEnvironment(file: string): NodeJS.ProcessEnv {
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
