/** OpenSSH as a SOCKS server, `ssh -D`: a private sshd on loopback, its keys and its files in one folder. */
import { execFileSync } from 'node:child_process'
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { type Program, freePort } from './program.ts'

const SSHD = '/usr/sbin/sshd'

export const OPENSSH: Program = {
  key: 'openssh',
  name: 'OpenSSH -D',
  needs: ['ssh', 'ssh-keygen', SSHD],
  can: { password: false, udp: false },
  shown: 'ssh -N -D PORT to an sshd on loopback; the processes of both count',
  async commands({ port, folder }) {
    const sshPort = await freePort()
    const path = (name: string): string => join(folder, name)
    for (const key of ['host_key', 'user_key']) {
      execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', path(key)])
    }
    await copyFile(path('user_key.pub'), path('authorized_keys'))
    await writeFile(path('sshd_config'), serverConfiguration(path, sshPort))
    await writeFile(path('known_hosts'), `[127.0.0.1]:${sshPort} ${await readFile(path('host_key.pub'), 'utf8')}`)
    // sshd wants this empty folder for its unprivileged half; the system's own start script would make it.
    if (userInfo().uid === 0) await mkdir('/run/sshd', { recursive: true, mode: 0o755 })
    return [
      { command: SSHD, args: ['-D', '-f', path('sshd_config'), '-E', path('sshd.log')] },
      { command: 'ssh', args: clientArguments(path, port, sshPort) },
    ]
  },
}

function serverConfiguration(path: (name: string) => string, port: number): string {
  return `ListenAddress 127.0.0.1:${port}
HostKey ${path('host_key')}
AuthorizedKeysFile ${path('authorized_keys')}
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin prohibit-password
`
}

function clientArguments(path: (name: string) => string, port: number, sshPort: number): readonly string[] {
  const options = [
    `UserKnownHostsFile=${path('known_hosts')}`,
    'StrictHostKeyChecking=yes',
    'IdentitiesOnly=yes',
    'IdentityAgent=none',
    'ExitOnForwardFailure=yes',
    // The server may need a moment to listen.
    'ConnectionAttempts=10',
  ].flatMap(option => ['-o', option])
  const login = ['-p', String(sshPort), '-i', path('user_key'), `${userInfo().username}@127.0.0.1`]
  return ['-F', 'none', '-N', '-D', `127.0.0.1:${port}`, ...options, ...login]
}
