/** Proxies that are not ours, as child processes on loopback: how each is started, and what it can do. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { type AddressInfo, connect, createServer } from 'node:net'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { needProgram, runProgram, startProgram } from './program.ts'
import { startProxy, temporaryFolder } from './server.ts'
import { SSHD, sshTarget } from './ssh-target.ts'

/** One kind of proxy. */
export interface Foreign {
  readonly name: string
  /** `user:password` that it wants, as a URL has it. */
  readonly login?: string
  /** What it speaks. */
  readonly schemes: readonly string[]
  /** Schemes by which it answers 91 to `localhost`, which has an IPv6 address too. */
  readonly refusesLocalhost?: readonly string[]
  /** Carries what comes back after our FIN. */
  readonly halfClose: boolean
  /** Keeps octets that come behind the request, before its reply. */
  readonly earlyData: boolean
  readonly bind: boolean
  readonly udp: boolean
  /** Tells apart that nobody listens at the target. */
  readonly tellsRefused: boolean
  /** Starts it; its port, or `undefined` when it is not here and the test is skipped. */
  start(t: TestContext): Promise<number | undefined>
}

/** Our own server, on the engine that the whole run uses or on a given one. */
export function ours(name: string, flags: readonly string[] = []): Foreign {
  return {
    name,
    schemes: ['socks4', 'socks4a', 'socks5', 'socks5h', 'http'],
    halfClose: true,
    earlyData: true,
    bind: true,
    udp: true,
    tellsRefused: true,
    start: async t => (await startProxy(t, flags)).port,
  }
}

/** How long a program may take until it listens. */
const START_MS = 20_000

export const FOREIGN_PROXIES: readonly Foreign[] = [
  ours('ours'),
  {
    name: 'Dante',
    schemes: ['socks4', 'socks4a', 'socks5', 'socks5h'],
    refusesLocalhost: ['socks4a'],
    halfClose: true,
    earlyData: true,
    bind: true,
    udp: true,
    tellsRefused: true,
    start: t => dante(t, 'none'),
  },
  {
    name: 'Dante with a password',
    login: 'proxyuser:open%20sesame',
    schemes: ['socks5h'],
    halfClose: true,
    earlyData: true,
    bind: true,
    udp: true,
    tellsRefused: true,
    start: t => dante(t, 'username'),
  },
  {
    name: 'microsocks',
    schemes: ['socks5', 'socks5h'],
    halfClose: false,
    earlyData: false,
    bind: false,
    udp: false,
    tellsRefused: true,
    start: t => microsocks(t, []),
  },
  {
    name: 'microsocks with a password',
    login: 'alice:open%20sesame',
    schemes: ['socks5h'],
    halfClose: false,
    earlyData: false,
    bind: false,
    udp: false,
    tellsRefused: true,
    start: t => microsocks(t, ['-u', 'alice', '-P', 'open sesame']),
  },
  {
    name: 'OpenSSH -D',
    schemes: ['socks4', 'socks4a', 'socks5', 'socks5h'],
    halfClose: true,
    earlyData: true,
    bind: false,
    udp: false,
    tellsRefused: false,
    start: sshD,
  },
  {
    name: 'v2ray',
    schemes: ['socks5', 'socks5h'],
    halfClose: false,
    earlyData: true,
    bind: false,
    udp: true,
    tellsRefused: false,
    start: v2ray,
  },
]

async function dante(t: TestContext, method: 'none' | 'username'): Promise<number | undefined> {
  if (!needProgram(t, 'danted', 'dante-server')) return undefined
  const folder = await temporaryFolder(t)
  const port = await freePort()
  const config = join(folder, 'danted.conf')
  await writeFile(
    config,
    `logoutput: stderr
internal: 127.0.0.1 port = ${port}
external: lo
external.rotation: same-same
clientmethod: none
socksmethod: ${method}
user.privileged: root
user.unprivileged: ${userInfo().username}
client pass { from: 127.0.0.0/8 to: 0.0.0.0/0 }
socks pass { from: 127.0.0.0/8 to: 0.0.0.0/0 command: connect bind udpassociate }
socks pass { from: 0.0.0.0/0 to: 127.0.0.0/8 command: bindreply udpreply }
`,
  )
  if (method === 'none') return started(port, startProgram(t, 'danted', ['-f', config]))
  // Its passwords are those of the system: in a mount namespace of its own it sees a system with one user more.
  if (spawnSync('unshare', ['-m', 'true']).status !== 0) {
    t.skip('this user may not make a mount namespace, which Dante needs for a password of its own')
    return undefined
  }
  const { stdout: hash } = await runProgram(t, 'openssl', ['passwd', '-6', 'open sesame'])
  await writeFile(join(folder, 'shadow'), `proxyuser:${hash.trim()}:19000:0:99999:7:::\n`)
  const script = `cat /etc/passwd >passwd && echo 'proxyuser:x:1999:65534::/:/bin/false' >>passwd
    mount --bind passwd /etc/passwd && mount --bind shadow /etc/shadow && exec danted -f danted.conf`
  return started(port, startProgram(t, 'unshare', ['-m', 'sh', '-c', script], { cwd: folder }))
}

async function microsocks(t: TestContext, flags: readonly string[]): Promise<number | undefined> {
  if (!needProgram(t, 'microsocks', 'microsocks')) return undefined
  const port = await freePort()
  return started(port, startProgram(t, 'microsocks', ['-i', '127.0.0.1', '-p', String(port), ...flags]))
}

async function sshD(t: TestContext): Promise<number | undefined> {
  if (!needProgram(t, 'ssh', 'openssh-client') || !needProgram(t, SSHD, 'openssh-server')) return undefined
  const { port: sshPort, folder } = await sshTarget(t)
  const port = await freePort()
  const options = [
    `UserKnownHostsFile=${join(folder, 'known_hosts')}`,
    'StrictHostKeyChecking=yes',
    'IdentitiesOnly=yes',
    'IdentityAgent=none',
    'ExitOnForwardFailure=yes',
  ].flatMap(option => ['-o', option])
  const login = ['-p', String(sshPort), '-i', join(folder, 'user_key'), `${userInfo().username}@127.0.0.1`]
  return started(port, startProgram(t, 'ssh', ['-F', 'none', '-N', '-D', `127.0.0.1:${port}`, ...options, ...login]))
}

async function v2ray(t: TestContext): Promise<number | undefined> {
  if (!needProgram(t, 'v2ray', 'v2ray')) return undefined
  const port = await freePort()
  const config = join(await temporaryFolder(t), 'config.json')
  const inbound = {
    port,
    listen: '127.0.0.1',
    protocol: 'socks',
    settings: { auth: 'noauth', udp: true, ip: '127.0.0.1' },
  }
  await writeFile(
    config,
    JSON.stringify({ log: { loglevel: 'warning' }, inbounds: [inbound], outbounds: [{ protocol: 'freedom' }] }),
  )
  return started(port, startProgram(t, 'v2ray', [...v2rayRun(), '-config', config]))
}

// Version 5 has commands; version 4, which Debian 12 has, only flags.
function v2rayRun(): readonly string[] {
  return spawnSync('v2ray', ['version']).stdout.toString().startsWith('V2Ray 5') ? ['run'] : []
}

/** Tor's SocksPort, which reaches nothing: it may connect nowhere. */
export async function tor(t: TestContext): Promise<number | undefined> {
  if (!needProgram(t, 'tor', 'tor')) return undefined
  const folder = await temporaryFolder(t)
  const port = await freePort()
  await writeFile(
    join(folder, 'torrc'),
    `SocksPort 127.0.0.1:${port} ExtendedErrors
DataDirectory ${join(folder, 'data')}
ClientOnly 1
ReachableAddresses reject *:*
UseDefaultFallbackDirs 0
Log warn stdout
`,
  )
  return started(port, startProgram(t, 'tor', ['-f', join(folder, 'torrc')]))
}

/** The port, once the program accepts there. */
async function started(port: number, child: ChildProcess): Promise<number> {
  const said: Buffer[] = []
  child.stdout?.on('data', (octets: Buffer) => said.push(octets))
  child.stderr?.on('data', (octets: Buffer) => said.push(octets))
  const deadline = Date.now() + START_MS
  while (!(await accepts(port))) {
    assert.ok(child.exitCode === null && Date.now() < deadline, `it does not listen: ${Buffer.concat(said).toString()}`)
    await delay(20)
  }
  return port
}

function accepts(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const probe = connect(port, '127.0.0.1')
    probe.once('connect', () => resolve(true)).once('error', () => resolve(false))
    probe.once('connect', () => probe.destroy())
  })
}

// These programs cannot choose a port themselves and tell it.
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
