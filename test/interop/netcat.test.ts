/** socat, ncat and OpenBSD's nc through the command: standard input to the target, half-close, the answer back. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { needProgram, runProgram } from './program.ts'
import { WITH_ALICE, startProxy } from './server.ts'
import { NAME, digestOf, digestTarget, dnsTarget } from './targets.ts'

interface Case {
  readonly name: string
  readonly program: string
  readonly debianPackage: string
  readonly protocol: string
  readonly host: string
  readonly password?: true
  readonly args: (proxyPort: number, targetPort: number) => readonly string[]
}

function socat(address: string, host: string, protocol: string, more = ''): Case {
  const portWord = address === 'PROXY' ? 'proxyport' : 'socksport'
  return {
    name: `socat ${address}${more} to ${host}`,
    program: 'socat',
    debianPackage: 'socat',
    protocol,
    host,
    ...(more !== '' && { password: true }),
    // -t: how long it waits for the answer after the end of its input.
    args: (proxyPort, targetPort) => [
      '-t60',
      '-',
      `${address}:127.0.0.1:${host}:${targetPort},${portWord}=${proxyPort}${more}`,
    ],
  }
}

function ncat(type: string, host: string, protocol: string, more: readonly string[] = []): Case {
  return {
    name: `${['ncat --proxy-type', type, ...more].join(' ')} to ${host}`,
    program: 'ncat',
    debianPackage: 'ncat',
    protocol,
    host,
    ...(more.includes('--proxy-auth') && { password: true }),
    args: (proxyPort, targetPort) =>
      ['--proxy', `127.0.0.1:${proxyPort}`, '--proxy-type', type, ...more].concat(host, String(targetPort)),
  }
}

function openBsd(version: string, host: string, protocol: string): Case {
  return {
    name: `nc -X ${version} to ${host}`,
    program: 'nc.openbsd',
    debianPackage: 'netcat-openbsd',
    protocol,
    host,
    // -N: shut the sending half down at the end of its input.
    args: (proxyPort, targetPort) => ['-N', '-X', version, '-x', `127.0.0.1:${proxyPort}`, host, String(targetPort)],
  }
}

const AUTH = ['--proxy-auth', 'alice:open sesame']
const REMOTE = ['--proxy-dns', 'remote']

const CASES: readonly Case[] = [
  socat('SOCKS4', '127.0.0.1', 'socks4'),
  socat('SOCKS4A', '127.0.0.1', 'socks4a'),
  socat('SOCKS4A', NAME, 'socks4a'),
  socat('PROXY', '127.0.0.1', 'http'),
  socat('PROXY', '[::1]', 'http'),
  socat('PROXY', NAME, 'http'),
  socat('PROXY', NAME, 'http', ',proxyauth=alice:open sesame'),
  ncat('socks4', '127.0.0.1', 'socks4'),
  ncat('socks4', NAME, 'socks4a', REMOTE),
  ncat('socks5', '127.0.0.1', 'socks5'),
  ncat('socks5', '::1', 'socks5'),
  ncat('socks5', NAME, 'socks5', REMOTE),
  ncat('socks5', '127.0.0.1', 'socks5', AUTH),
  ncat('http', '127.0.0.1', 'http'),
  ncat('http', '::1', 'http'),
  ncat('http', '127.0.0.1', 'http', AUTH),
  openBsd('4', '127.0.0.1', 'socks4'),
  openBsd('5', '127.0.0.1', 'socks5'),
  openBsd('5', '::1', 'socks5'),
  openBsd('5', NAME, 'socks5'),
  openBsd('connect', '127.0.0.1', 'http'),
  openBsd('connect', '::1', 'http'),
  openBsd('connect', NAME, 'http'),
]

// More than the buffers on the way hold.
const INPUT = 'half a line of text that is sent before the end\n'.repeat(40_000)

for (const { name, program, debianPackage, protocol, host, password, args } of CASES) {
  test(`${name}: the answer to the end of input arrives`, async t => {
    if (!needProgram(t, program, debianPackage)) return
    const dns = ['--dns-servers', `127.0.0.1:${await dnsTarget(t)}`]
    const proxy = await startProxy(t, [...(password ? WITH_ALICE : []), ...dns])
    const target = await digestTarget(t, host.includes('::1') ? '::1' : '127.0.0.1')
    const got = await runProgram(t, program, args(proxy.port, target), { input: INPUT })
    assert.deepEqual({ code: got.code, stdout: got.stdout }, { code: 0, stdout: digestOf(INPUT) }, got.stderr)
    const session = (await proxy.sessions()).find(one => one.command === 'connect')
    assert.equal(session?.protocol, protocol)
    assert.equal(session?.target, `${host === '::1' ? '[::1]' : host}:${target}`)
    assert.equal(session?.up_octets, INPUT.length)
    if (password) assert.equal(session?.user, 'alice')
  })
}

for (const [program, debianPackage, args] of [
  ['ncat', 'ncat', ['--proxy-type', 'socks5', '--proxy-auth', 'alice:open barley', '--proxy']],
  ['nc.openbsd', 'netcat-openbsd', ['-N', '-X', '5', '-x']],
] as const) {
  test(`${program} fails without the right password, and the target sees no connection`, async t => {
    if (!needProgram(t, program, debianPackage)) return
    const proxy = await startProxy(t, WITH_ALICE)
    const target = String(await digestTarget(t))
    const got = await runProgram(t, program, [...args, proxy.at, '127.0.0.1', target], { input: INPUT })
    assert.notEqual(got.code, 0)
    assert.equal(got.stdout, '')
    assert.deepEqual(
      (await proxy.sessions()).map(({ command, end }) => ({ command, end })),
      [{ command: undefined, end: 'refused' }],
    )
  })
}
