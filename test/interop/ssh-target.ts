/** A private sshd on loopback, its keys and its files in one folder. Knows no proxy. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { runProgram } from './program.ts'
import { temporaryFolder } from './server.ts'

export const SSHD = '/usr/sbin/sshd'

/** An SSH server that lets this user in with `user_key`, and the folder with that key and with `known_hosts`. */
export async function sshTarget(t: TestContext): Promise<{ readonly port: number; readonly folder: string }> {
  const folder = await temporaryFolder(t)
  const path = (name: string): string => join(folder, name)
  for (const key of ['host_key', 'user_key']) {
    const made = await runProgram(t, 'ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', path(key)])
    assert.equal(made.code, 0, made.stderr)
  }
  await copyFile(path('user_key.pub'), path('authorized_keys'))
  await writeFile(
    path('sshd_config'),
    `HostKey ${path('host_key')}
AuthorizedKeysFile ${path('authorized_keys')}
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin prohibit-password
`,
  )
  // sshd wants this empty folder for its unprivileged half; the system's own start script would make it.
  if (userInfo().uid === 0) await mkdir('/run/sshd', { recursive: true, mode: 0o755 })
  const port = await listen(t, path('sshd_config'))
  await writeFile(path('known_hosts'), `[127.0.0.1]:${port} ${await readFile(path('host_key.pub'), 'utf8')}`)
  return { port, folder }
}

/** One sshd for each connection, as inetd does it: sshd itself cannot tell which port the system chose. */
async function listen(t: TestContext, config: string): Promise<number> {
  const server = createServer({ pauseOnConnect: true }, socket => {
    const sshd = spawn(SSHD, ['-i', '-e', '-f', config], { stdio: [socket, socket, 'ignore'] })
    t.after(() => sshd.kill('SIGKILL'))
    // The child has its own descriptor of the socket.
    sshd.on('spawn', () => socket.destroy())
  })
  server.listen(0, '127.0.0.1')
  t.after(() => server.close())
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}
