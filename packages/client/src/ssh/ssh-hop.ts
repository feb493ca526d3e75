/**
 * A proxy that is an ssh server: what `ssh -D` does, without the command. One ssh connection carries one tunnel. Needs
 * the package `ssh2`, which is loaded when the first such proxy is used.
 */
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { homedir, userInfo } from 'node:os'
import { join } from 'node:path'
import { ConnectionDuplex, type Connection } from '@socksmith/engine'
import { type Failure, NO_ENDPOINT, NO_OCTETS, failure, formatAddress } from '@socksmith/protocol'
import type { Client, ClientChannel, ConnectConfig } from 'ssh2'
import type { Asking } from '../dial/asking.ts'
import type { Granted } from '../dial/handshake-run.ts'
import { credentialsOf } from '../dial/login.ts'
import { type Spot, handshakeFailure, routeFailure } from '../dial/route-failure.ts'
import { type Scope, type Step, uncancellable } from '../dial/scope.ts'
import { hostNameOf } from '../route/hop.ts'
import { type RouteFailure, invalidRoute } from '../socks-error.ts'
import { DuplexConnection } from './duplex-connection.ts'
import type { Traits } from '../route/route.ts'
import { isKnownHostKey } from './known-hosts.ts'

/** Logs in over `connection` and opens a channel (RFC 4254 section 7.2) to the destination. */
export async function openSshChannel(
  connection: Connection,
  early: Uint8Array,
  asking: Asking,
  spot: Spot,
  scope: Scope,
): Promise<Granted | RouteFailure> {
  scope.enter('greeting', spot)
  const config = await configOf(spot, asking.traits ?? {}, scope)
  const ssh2 = 'code' in config ? config : await scope.during(uncancellable(loadSsh2()))
  if ('code' in config || 'code' in ssh2) {
    connection.destroy()
    return 'code' in config ? config : (ssh2 as RouteFailure)
  }
  const session = new SshSession(new ssh2.Client(), connection, early, asking)
  const granted = await scope.during(session.start(config, phase => scope.enter(phase, spot)))
  if ('kind' in granted) {
    if (asking.earlyData !== undefined) granted.connection.write(asking.earlyData)
    return granted
  }
  if ('failure' in granted) return granted
  if (session.phase === 'request') {
    const code = granted.code === 'connection_refused' ? 'SOCKS_CONNECTION_REFUSED' : 'SOCKS_NOT_ALLOWED'
    return routeFailure(granted.code === 'truncated' ? 'SOCKS_PROXY_CLOSED' : code, granted, 'request', spot)
  }
  return handshakeFailure(granted, session.phase, spot)
}

type SshPhase = 'greeting' | 'authentication' | 'request'

/** One ssh connection and its one channel. */
class SshSession implements Step<Granted | Failure> {
  readonly result: Promise<Granted | Failure>
  phase: SshPhase = 'greeting'
  readonly #resolve: (result: Granted | Failure) => void
  readonly #client: Client
  readonly #connection: Connection
  readonly #stream: ConnectionDuplex
  readonly #asking: Asking

  constructor(client: Client, connection: Connection, early: Uint8Array, asking: Asking) {
    const { promise, resolve } = Promise.withResolvers<Granted | Failure>()
    this.result = promise
    this.#resolve = resolve
    this.#client = client
    this.#connection = connection
    this.#asking = asking
    this.#stream = new ConnectionDuplex(connection, early)
  }

  start(config: ConnectConfig, onPhase: (phase: SshPhase) => void): this {
    const client = this.#client
    const enter = (phase: SshPhase): void => {
      this.phase = phase
      onPhase(phase)
    }
    client.on('handshake', () => enter('authentication'))
    client.on('ready', () => {
      enter('request')
      this.#openChannel()
    })
    client.on('error', (error: SshError) => {
      // An agent that is not there is one way of logging in less; the others are still tried.
      if (error.level !== 'agent') this.#fail(sshFailure(error))
    })
    client.on('close', () => this.#fail(failure('truncated', 'server')))
    try {
      client.connect({ ...config, sock: this.#stream })
    } catch {
      // ssh2 throws for a key that it cannot read; its text may quote the key.
      this.#fail(failure('bad_parameters', 'us', 'the private key or the agent for ssh cannot be used'))
    }
    return this
  }

  cancel(): void {
    this.#fail(failure('aborted', 'us'))
  }

  #openChannel(): void {
    const { address, port } = this.#asking.destination
    this.#client.forwardOut('127.0.0.1', 0, formatAddress(address), port, (error, channel) => {
      if (error === undefined) this.#grant(channel)
      else this.#fail(channelFailure(error))
    })
  }

  #grant(channel: ClientChannel): void {
    const { local, remote } = this.#connection
    channel.allowHalfOpen = true
    channel.on('close', () => this.#client.end())
    this.#client.on('close', () => channel.destroy())
    const connection = new DuplexConnection(channel, local, remote)
    this.#resolve({ kind: 'granted', connection, early: NO_OCTETS, bound: NO_ENDPOINT })
  }

  #fail(why: Failure): void {
    this.#resolve(why)
    void this.result.then(result => 'code' in result && this.#close())
  }

  #close(): void {
    this.#client.on('error', () => {})
    this.#client.destroy()
    this.#stream.destroy()
    this.#connection.destroy()
  }
}

async function configOf(spot: Spot, traits: Traits, scope: Scope): Promise<ConnectConfig | RouteFailure> {
  const { proxy } = spot
  const credentials = await credentialsOf(proxy, traits, scope)
  if (credentials !== undefined && 'code' in credentials) return credentials
  const [username, password] = ['username', 'password'].map(name => {
    const octets = credentials?.reveal()[name as 'username' | 'password']
    return octets === undefined || octets.length === 0 ? undefined : Buffer.from(octets).toString()
  })
  const { ssh = {}, place } = proxy
  const port = place.kind === 'host' ? place.destination.port : 22
  const verifier = await verifierFor(hostNameOf(place), port, ssh)
  const agent = ssh.agent ?? process.env['SSH_AUTH_SOCK']
  return {
    username: username ?? userInfo().username,
    ...(password !== undefined && { password, tryKeyboard: false }),
    ...(ssh.privateKey !== undefined && { privateKey: ssh.privateKey }),
    ...(ssh.passphrase !== undefined && { passphrase: ssh.passphrase }),
    ...(agent !== undefined && { agent }),
    hostVerifier: verifier,
    // The scope has the limits.
    readyTimeout: 0,
  }
}

async function verifierFor(
  host: string,
  port: number,
  ssh: { readonly hostKeySha256?: string; readonly dangerAcceptAnyHostKey?: boolean },
): Promise<(key: Buffer) => boolean> {
  if (ssh.dangerAcceptAnyHostKey === true) return () => true
  const { hostKeySha256 } = ssh
  if (hostKeySha256 !== undefined) {
    const wanted = hostKeySha256.replace(/^SHA256:/, '').replace(/=+$/, '')
    return key => createHash('sha256').update(key).digest('base64').replace(/=+$/, '') === wanted
  }
  const known = await readFile(join(homedir(), '.ssh', 'known_hosts'), 'utf8').catch(() => '')
  return key => isKnownHostKey(known, host, port, key)
}

async function loadSsh2(): Promise<typeof import('ssh2') | RouteFailure> {
  try {
    const loaded = await import('ssh2')
    // It is CommonJS; what Node finds by name depends on how it was written.
    return 'Client' in loaded ? loaded : (loaded as { readonly default: typeof import('ssh2') }).default
  } catch {
    return invalidRoute('ssh:// needs the package "ssh2": npm install ssh2')
  }
}

type SshError = Error & { readonly level?: string }

function sshFailure(error: SshError): Failure {
  switch (error.level) {
    case 'client-authentication':
      return failure('auth_rejected', 'server', 'no way of logging in was accepted')
    case 'handshake':
      return failure('not_allowed', 'server', 'the handshake failed, or the host key is not the expected one')
    case 'client-socket':
      return failure('truncated', 'server')
    default:
      return failure('bad_syntax', 'server', 'not ssh')
  }
}

/** RFC 4254 section 5.1: 1 is prohibited, 2 is connect failed. */
function channelFailure(error: Error & { readonly reason?: number | string }): Failure {
  const isRefused = error.reason === 2 || error.reason === 'CONNECT_FAILED'
  return failure(isRefused ? 'connection_refused' : 'not_allowed', 'server')
}
