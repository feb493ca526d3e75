/** What a login at an ssh server needs: the package `ssh2`, loaded when it is first used, and its configuration. */
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { homedir, userInfo } from 'node:os'
import { join } from 'node:path'
import { type Failure, failure } from '@socksmith/protocol'
import type { ConnectConfig } from 'ssh2'
import { credentialsOf } from '../dial/login.ts'
import type { Spot } from '../dial/route-failure.ts'
import type { Scope } from '../dial/scope.ts'
import { hostNameOf } from '../route/hop.ts'
import type { Traits } from '../route/route.ts'
import { type RouteFailure, invalidRoute } from '../socks-error.ts'
import { isKnownHostKey } from './known-hosts.ts'

/** As the options and the environment of `ssh` have it. `onDoubt` hears why the host key is not believed. */
export async function configOf(
  { proxy, traits }: Spot & { readonly traits: Traits },
  scope: Scope,
  onDoubt: (why: Failure) => void,
): Promise<ConnectConfig | RouteFailure> {
  const credentials = await credentialsOf(proxy, traits, scope)
  if (credentials !== undefined && 'code' in credentials) return credentials
  const [given, password] = ['username', 'password'].map(name => {
    const octets = credentials?.reveal()[name as 'username' | 'password']
    return octets === undefined || octets.length === 0 ? undefined : Buffer.from(octets).toString()
  })
  const username = given ?? ownName()
  if (username === undefined) return invalidRoute('nobody knows the name of this user here: ssh://NAME@HOST says it')
  const { ssh = {}, place } = proxy
  const port = place.kind === 'host' ? place.destination.port : 22
  const doubtOf = await verifierFor(hostNameOf(place), port, ssh)
  const agent = ssh.agent ?? process.env['SSH_AUTH_SOCK']
  return {
    username,
    ...(password !== undefined && { password, tryKeyboard: false }),
    ...(ssh.privateKey !== undefined && { privateKey: ssh.privateKey }),
    ...(ssh.passphrase !== undefined && { passphrase: ssh.passphrase }),
    ...(agent !== undefined && { agent }),
    hostVerifier: (key: Buffer) => {
      const doubt = doubtOf(key)
      if (doubt !== undefined) onDoubt(failure('not_allowed', 'server', doubt))
      return doubt === undefined
    },
    // The scope has the limits.
    readyTimeout: 0,
  }
}

/** In a container a user may have a number and no name: then Node throws. */
function ownName(): string | undefined {
  try {
    return userInfo().username
  } catch {
    return process.env['LOGNAME'] || process.env['USER'] || undefined
  }
}

async function knownHosts(): Promise<string> {
  try {
    return await readFile(join(homedir(), '.ssh', 'known_hosts'), 'utf8')
  } catch {
    return ''
  }
}

async function verifierFor(
  host: string,
  port: number,
  ssh: { readonly hostKeySha256?: string; readonly dangerAcceptAnyHostKey?: boolean },
): Promise<(key: Buffer) => string | undefined> {
  if (ssh.dangerAcceptAnyHostKey === true) return () => undefined
  const { hostKeySha256 } = ssh
  if (hostKeySha256 !== undefined) {
    const wanted = hostKeySha256.replace(/^SHA256:/, '').replace(/=+$/, '')
    return key => (sha256(key) === wanted ? undefined : `its host key is SHA256:${sha256(key)}`)
  }
  const known = await knownHosts()
  return key =>
    isKnownHostKey(known, host, port, key)
      ? undefined
      : `its host key SHA256:${sha256(key)} is not in ~/.ssh/known_hosts for ${host}`
}

/** As OpenSSH writes it. */
function sha256(key: Buffer): string {
  return createHash('sha256').update(key).digest('base64').replace(/=+$/, '')
}

/** Says what to install when it is missing. */
export async function loadSsh2(): Promise<typeof import('ssh2') | RouteFailure> {
  try {
    const loaded = await import('ssh2')
    // It is CommonJS; what Node finds by name depends on how it was written.
    return 'Client' in loaded ? loaded : (loaded as { readonly default: typeof import('ssh2') }).default
  } catch {
    return invalidRoute('ssh:// needs the package "ssh2": npm install ssh2')
  }
}

/** An error of `ssh2`; `level` is the part of it that failed. */
export type SshError = Error & { readonly level?: string }

/** Why there is no session. */
export function sshFailure(error: SshError): Failure {
  switch (error.level) {
    case 'client-authentication':
      return failure('auth_rejected', 'server', 'no way of logging in was accepted')
    case 'handshake':
      return failure('bad_syntax', 'server', 'the handshake of ssh failed')
    case 'client-socket':
      return failure('truncated', 'server')
    default:
      return failure('bad_syntax', 'server', 'not ssh')
  }
}

/** RFC 4254 section 5.1: 1 is prohibited, 2 is connect failed. */
export function channelFailure(error: Error & { readonly reason?: number | string }): Failure {
  const isRefused = error.reason === 2 || error.reason === 'CONNECT_FAILED'
  return failure(isRefused ? 'connection_refused' : 'not_allowed', 'server')
}
