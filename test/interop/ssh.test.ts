/** OpenSSH through the command, by nc as its ProxyCommand. */
import assert from 'node:assert/strict'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { needProgram, runProgram } from './program.ts'
import { startProxy } from './server.ts'
import { SSHD, sshTarget } from './ssh-target.ts'

for (const [version, protocol] of [
  ['4', 'socks4'],
  ['5', 'socks5'],
  ['connect', 'http'],
] as const) {
  test(`ssh runs a command on the far side of nc -X ${version}, input and output whole`, async t => {
    if (!needProgram(t, 'ssh', 'openssh-client') || !needProgram(t, SSHD, 'openssh-server')) return
    if (!needProgram(t, 'nc.openbsd', 'netcat-openbsd')) return
    const proxy = await startProxy(t)
    const { port, folder } = await sshTarget(t)
    const options = [
      `ProxyCommand=nc.openbsd -X ${version} -x ${proxy.at} %h %p`,
      `UserKnownHostsFile=${join(folder, 'known_hosts')}`,
      'StrictHostKeyChecking=yes',
      'IdentitiesOnly=yes',
      'IdentityAgent=none',
    ].flatMap(option => ['-o', option])
    const login = ['-p', String(port), '-i', join(folder, 'user_key'), `${userInfo().username}@127.0.0.1`]
    const input = 'a line that goes there and back\n'.repeat(20_000)
    const command = 'cat; echo over; exit 7'
    const got = await runProgram(t, 'ssh', ['-F', 'none', ...options, ...login, command], { input })
    // ssh's own exit code is the command's.
    assert.equal(got.code, 7, got.stderr)
    assert.equal(got.stdout, `${input}over\n`)
    const [session] = await proxy.sessions()
    assert.equal(session?.protocol, protocol)
    assert.equal(session?.target, `127.0.0.1:${port}`)
  })
}
