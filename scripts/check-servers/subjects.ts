/** The SOCKS servers that Debian ships, and ours: how each is configured and started. */
import { copyFile, writeFile } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { fileURLToPath } from 'node:url'
import { type Setting, type Stage, type Subject, freePort } from './subject.ts'
import { startTor } from './tor.ts'

const USER = 'checker'
const PASSWORD = 'Check-me-7'

const url = (port: number): string => `socks5://127.0.0.1:${port}`
const urlWithLogin = (port: number): string => `socks5://${USER}:${PASSWORD}@127.0.0.1:${port}`

/** A setting that is one program with arguments; its files are written before. */
function setting(
  name: 'no password' | 'password',
  start: (stage: Stage, port: number) => Promise<readonly [program: string, args: readonly string[]]>,
): Setting {
  return {
    name,
    async start(stage) {
      const port = await freePort()
      const [program, args] = await start(stage, port)
      await stage.serve(program, args, port)
      return { url: name === 'password' ? urlWithLogin(port) : url(port) }
    },
  }
}

const COMMAND = fileURLToPath(new URL('../../packages/cli/bin/socksmith.js', import.meta.url))

const socksmith: Subject = {
  name: 'socksmith',
  debianPackage: '',
  configured: '`socksmith serve`, and with `--user`',
  settings: [
    setting('no password', async (_stage, port) => [
      process.execPath,
      [COMMAND, 'serve', '--listen', `127.0.0.1:${port}`],
    ]),
    setting('password', async (_stage, port) => [
      process.execPath,
      [COMMAND, 'serve', '--listen', `127.0.0.1:${port}`, '--user', `${USER}:${PASSWORD}`],
    ]),
  ],
}

const microsocks: Subject = {
  name: 'microsocks',
  debianPackage: 'microsocks',
  configured: 'its defaults, and with `-u` and `-P`',
  settings: [
    setting('no password', async (_stage, port) => ['microsocks', ['-i', '127.0.0.1', '-p', `${port}`]]),
    setting('password', async (_stage, port) => [
      'microsocks',
      ['-i', '127.0.0.1', '-p', `${port}`, '-u', USER, '-P', PASSWORD],
    ]),
  ],
}

function danteConfig(port: number, method: 'none' | 'username'): string {
  return `logoutput: /dev/null
internal: 127.0.0.1 port = ${port}
external: lo
clientmethod: none
socksmethod: ${method}
user.privileged: root
user.unprivileged: nobody
client pass { from: 127.0.0.0/8 to: 0.0.0.0/0 }
socks pass { from: 0/0 to: 0/0 command: bind connect udpassociate bindreply udpreply }
`
}

// Dante asks the system for users: it gets a passwd and a shadow of its own, in a mount namespace of its own.
const WITH_USERS = `mount --bind passwd /etc/passwd && mount --bind shadow /etc/shadow && exec danted -f danted.conf`

const dante: Subject = {
  name: 'Dante',
  debianPackage: 'dante-server',
  configured: 'clients of loopback may do everything; with a password: `socksmethod: username`',
  settings: [
    setting('no password', async (stage, port) => {
      await writeFile(stage.path('danted.conf'), danteConfig(port, 'none'))
      return ['danted', ['-f', 'danted.conf']]
    }),
    setting('password', async (stage, port) => {
      await writeFile(stage.path('danted.conf'), danteConfig(port, 'username'))
      const hash = stage.run('openssl', ['passwd', '-6', '-stdin'], PASSWORD).trim()
      await copyFile('/etc/passwd', stage.path('passwd'))
      await copyFile('/etc/shadow', stage.path('shadow'))
      await writeFile(stage.path('passwd'), `${USER}:x:65000:65000::/nonexistent:/usr/sbin/nologin\n`, { flag: 'a' })
      await writeFile(stage.path('shadow'), `${USER}:${hash}:19000:0:99999:7:::\n`, { flag: 'a' })
      return ['unshare', ['--mount', 'sh', '-c', WITH_USERS]]
    }),
  ],
}

function v2rayConfig(port: number, auth: 'noauth' | 'password'): string {
  const accounts = auth === 'password' ? { accounts: [{ user: USER, pass: PASSWORD }] } : {}
  return JSON.stringify({
    log: { loglevel: 'none' },
    inbounds: [
      { listen: '127.0.0.1', port, protocol: 'socks', settings: { auth, ...accounts, udp: true, ip: '127.0.0.1' } },
    ],
    outbounds: [{ protocol: 'freedom' }],
  })
}

function v2raySetting(name: 'no password' | 'password'): Setting {
  return setting(name, async (stage, port) => {
    await writeFile(stage.path('config.json'), v2rayConfig(port, name === 'password' ? 'password' : 'noauth'))
    return ['v2ray', ['-config', 'config.json']]
  })
}

const v2ray: Subject = {
  name: 'v2ray',
  debianPackage: 'v2ray',
  configured: 'a `socks` inbound with `udp: true`, a `freedom` outbound; with a password: `accounts`',
  settings: [v2raySetting('no password'), v2raySetting('password')],
}

const openssh: Subject = {
  name: 'OpenSSH -D',
  debianPackage: 'openssh-client',
  configured:
    '`ssh -N -D` to an sshd of the same version on loopback, which is the end that dials; it knows no password for SOCKS',
  settings: [
    setting('no password', async (stage, port) => {
      const sshPort = await startSshd(stage)
      const options = [
        'UserKnownHostsFile=/dev/null',
        'StrictHostKeyChecking=no',
        'IdentitiesOnly=yes',
        'IdentityAgent=none',
      ]
      const login = ['-p', `${sshPort}`, '-i', stage.path('user_key'), `${userInfo().username}@127.0.0.1`]
      return ['ssh', ['-F', 'none', '-N', '-D', `127.0.0.1:${port}`, ...options.flatMap(one => ['-o', one]), ...login]]
    }),
  ],
}

async function startSshd(stage: Stage): Promise<number> {
  const port = await freePort()
  for (const key of ['host_key', 'user_key']) {
    stage.run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', stage.path(key)])
  }
  const config = `ListenAddress 127.0.0.1:${port}
HostKey ${stage.path('host_key')}
AuthorizedKeysFile ${stage.path('user_key.pub')}
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin prohibit-password
`
  await writeFile(stage.path('sshd_config'), config)
  await stage.serve('/usr/sbin/sshd', ['-D', '-e', '-f', stage.path('sshd_config')], port)
  return port
}

const tor: Subject = {
  name: 'tor',
  debianPackage: 'tor',
  configured:
    'the client of a private Tor network of three relays on loopback, which dial over both families, reach inside addresses and resolve no names (so S5-NAM-01 fails here)',
  settings: [{ name: 'no password', start: async stage => ({ url: url(await startTor(stage)) }) }],
}

export const SUBJECTS: readonly Subject[] = [socksmith, dante, microsocks, v2ray, openssh, tor]
