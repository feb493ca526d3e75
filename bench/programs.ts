/** The servers that can be measured: ours on both engines, and those of others. Each writes its log to a file, or none. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { OPENSSH } from './openssh.ts'
import type { Program, Terms } from './program.ts'
import { policyOfManyRules } from './rules.ts'

const LAUNCHER = join(import.meta.dirname, '../packages/cli/bin/socksmith.js')

/** The limits stay on; all clients of a benchmark come from one address, so that one has room for all. */
const LIMITS = ['--limit', 'connections=20000', '--limit', 'connections-per-client=20000']

function socksmith(key: string, name: string, flags: readonly string[], policy?: string): Program {
  return {
    key,
    name,
    needs: [],
    // Its rules are not about the user of the benchmark.
    can: { password: policy === undefined, udp: true },
    shown: ['socksmith serve', ...flags, '--log-file FILE', ...LIMITS, ...(policy ? ['--policy FILE'] : [])].join(' '),
    async commands({ port, folder, credentials }) {
      const rules = policy === undefined ? [] : ['--policy', join(folder, 'policy.yaml')]
      if (policy !== undefined) await writeFile(join(folder, 'policy.yaml'), policy)
      const user = credentials === undefined ? [] : ['--user', `${credentials.user}:${credentials.password}`]
      const listen = ['--listen', `127.0.0.1:${port}`, '--log-file', join(folder, 'log')]
      const args = [LAUNCHER, 'serve', ...flags, ...listen, ...user, ...rules, ...LIMITS]
      return [{ command: process.execPath, args }]
    },
  }
}

const MICROSOCKS: Program = {
  key: 'microsocks',
  name: 'microsocks',
  needs: ['microsocks'],
  can: { password: true, udp: false },
  shown: 'microsocks -i 127.0.0.1 -p PORT',
  commands: ({ port, credentials }) => {
    const user = credentials === undefined ? [] : ['-u', credentials.user, '-P', credentials.password]
    return Promise.resolve([{ command: 'microsocks', args: ['-i', '127.0.0.1', '-p', String(port), ...user] }])
  },
}

/** Its passwords are those of the system's accounts, and none is made for a benchmark. */
const DANTE: Program = {
  key: 'dante',
  name: 'Dante',
  needs: ['danted'],
  can: { password: false, udp: true },
  shown: 'danted (socksmethod none, logoutput to a file, log: connect disconnect)',
  async commands(terms) {
    const path = join(terms.folder, 'danted.conf')
    await writeFile(path, danteConfiguration(terms))
    return [{ command: 'danted', args: ['-f', path, '-p', join(terms.folder, 'danted.pid')] }]
  },
}

function danteConfiguration({ port, folder }: Terms): string {
  return `logoutput: ${join(folder, 'log')}
internal: 127.0.0.1 port = ${port}
external: 127.0.0.1
clientmethod: none
socksmethod: none
client pass { from: 127.0.0.0/8 to: 0.0.0.0/0 }
socks pass {
  from: 127.0.0.0/8 to: 0.0.0.0/0
  command: connect udpassociate
  log: connect disconnect
}
socks pass {
  from: 0.0.0.0/0 to: 127.0.0.0/8
  command: udpreply
}
`
}

const V2RAY: Program = {
  key: 'v2ray',
  name: 'v2ray',
  needs: ['v2ray'],
  can: { password: true, udp: true },
  shown: 'v2ray (inbound socks with udp, access log to a file; outbound freedom)',
  async commands(terms) {
    const path = join(terms.folder, 'config.json')
    await writeFile(path, JSON.stringify(v2rayConfiguration(terms)))
    return [{ command: 'v2ray', args: ['-config', path] }]
  },
}

function v2rayConfiguration({ port, folder, credentials }: Terms): object {
  const login =
    credentials === undefined
      ? { auth: 'noauth' }
      : { auth: 'password', accounts: [{ user: credentials.user, pass: credentials.password }] }
  const settings = { ...login, udp: true, ip: '127.0.0.1' }
  return {
    log: { access: join(folder, 'access.log'), error: join(folder, 'error.log'), loglevel: 'warning' },
    inbounds: [{ listen: '127.0.0.1', port, protocol: 'socks', settings }],
    outbounds: [{ protocol: 'freedom', settings: {} }],
  }
}

const TWO_WORKERS = ['--engine', 'linux', '--workers', '2']

/** Ours, the one that is judged, comes first. */
export const PROGRAMS: readonly Program[] = [
  socksmith('socksmith', 'socksmith, 2 workers', TWO_WORKERS),
  socksmith('socksmith-rules', 'socksmith, 2 workers, 1,000 rules', TWO_WORKERS, policyOfManyRules()),
  socksmith('socksmith-0', 'socksmith, no worker', ['--engine', 'linux', '--workers', '0']),
  socksmith('socksmith-node', 'socksmith, portable engine', ['--engine', 'node']),
  DANTE,
  MICROSOCKS,
  V2RAY,
  OPENSSH,
]
