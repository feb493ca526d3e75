/**
 * One login at an ssh server, and the channels in it (RFC 4254 section 7.2): what `ssh -D` does, without the command.
 * Everybody who goes the same way shares it. It ends when it was unused for a while, and never keeps the process alive
 * by itself.
 */
import { ConnectionDuplex, type Clock, type Connection, type Timer } from '@socksmith/engine'
import { type Destination, type Failure, NO_ENDPOINT, NO_OCTETS, failure, formatAddress } from '@socksmith/protocol'
import type { Client, ClientChannel } from 'ssh2'
import type { Granted } from '../dial/handshake-run.ts'
import { UNLIMITED } from '../dial/limits.ts'
import { type Spot, handshakeFailure, routeFailure } from '../dial/route-failure.ts'
import { type PhaseTime, Scope, type Step, uncancellable } from '../dial/scope.ts'
import type { HopTrace } from '../dial/trace.ts'
import type { Traits } from '../route/route.ts'
import type { Phase, RouteFailure } from '../socks-error.ts'
import { DuplexConnection } from './duplex-connection.ts'
import { type SshError, channelFailure, configOf, loadSsh2, sshFailure } from './ssh-login.ts'

/** Long enough for the pauses of a person or a job; short enough that the server's administrator does not wonder. */
export const SSH_IDLE_MS = 10_000
/** Channels in one session; with more, a further one is opened. OpenSSH lets one connection have some hundred. */
export const SSH_CHANNELS_MAX = 100

/** A connection to the ssh server, and the proxies before it. */
export interface Carried {
  readonly connection: Connection
  /** Octets of the server that were read already. */
  readonly early: Uint8Array
  readonly traces: readonly HopTrace[]
}

/** How the session comes to its connection; phases and the end of the attempt are the scope's. */
export type Carry = (scope: Scope) => Promise<Carried | RouteFailure>

/** Told of each phase until the session stands. */
export type PhaseObserver = (phase: Phase, spot: Spot | undefined) => void

export class SshSession {
  /** `undefined` when it stands; otherwise why it does not. */
  readonly opened: Promise<RouteFailure | undefined>
  /** The proxies before the server, and how long the login took: known when it stands. */
  traces: readonly HopTrace[] = []
  loginTimes: readonly PhaseTime[] = []
  readonly #spot: Spot & { readonly traits: Traits }
  readonly #clock: Clock
  readonly #scope: Scope
  readonly #onGone: () => void
  readonly #observers = new Set<PhaseObserver>()
  readonly #channels = new Set<DuplexConnection>()
  /** Channels that were asked for: how each is told that there is none. */
  readonly #asking = new Set<(why: Failure) => void>()
  #connection: Connection | undefined
  #stream: ConnectionDuplex | undefined
  #client: Client | undefined
  /** Places taken: by those who wait for it, and by channels. Those of channels that hold the process count again. */
  #taken = 0
  #holding = 0
  #idle: Timer | undefined
  #isOpen = false
  #isRetired = false
  #isClosed = false

  /** Begins at once. `onGone` is called when it is of no use to newcomers any more. */
  constructor(clock: Clock, spot: Spot & { readonly traits: Traits }, carry: Carry, onGone: () => void) {
    this.#clock = clock
    this.#spot = spot
    this.#onGone = onGone
    this.#scope = new Scope(clock, Infinity, UNLIMITED, (phase, at) => {
      for (const observer of this.#observers) observer(phase, at)
    })
    this.opened = this.#open(carry)
  }

  /** True once it stands and until it is closed. */
  get isOpen(): boolean {
    return this.#isOpen
  }

  /** The address of the first connection's other end. */
  get remote(): Connection['remote'] | undefined {
    return this.#connection?.remote
  }

  /** Takes a place for one channel. False when none is free. */
  take(): boolean {
    if (this.#isRetired || this.#isClosed || this.#taken >= SSH_CHANNELS_MAX) return false
    this.#taken++
    this.#idle?.cancel()
    this.#hold(1)
    return true
  }

  /** Gives a place back that no channel was opened with. */
  giveBack(): void {
    this.#taken--
    this.#hold(-1)
    if (this.#taken > 0 || this.#isClosed) return
    if (!this.#isOpen || this.#isRetired) this.close()
    else this.#idle = this.#clock.after(SSH_IDLE_MS, () => this.close())
  }

  /** Waits until it stands; `observer` is told of the phase that runs and of each that follows. */
  whenOpen(observer: PhaseObserver): Step<RouteFailure | undefined> {
    if (this.#isOpen) return uncancellable(Promise.resolve(undefined))
    this.#observers.add(observer)
    observer(this.#scope.phase, this.#scope.spot)
    const leave = (): void => void this.#observers.delete(observer)
    return { result: this.opened.finally(leave), cancel: leave }
  }

  /** Opens a channel at a place that was taken; the place is given back when the channel ends. */
  openChannel({ address, port }: Destination): Step<Granted | Failure> {
    const { promise, resolve } = Promise.withResolvers<Granted | Failure>()
    const fail = (why: Failure): void => {
      // A place is not kept for an answer that nobody waits for; it may never come.
      if (this.#asking.delete(fail)) this.giveBack()
      resolve(why)
    }
    this.#asking.add(fail)
    const onAnswer = (error: Error | undefined, channel: ClientChannel): void => {
      if (error !== undefined) fail(channelFailure(error))
      else if (this.#asking.delete(fail)) resolve(this.#granted(channel))
      else channel.on('error', () => {}).destroy()
    }
    if (this.#isClosed || this.#client === undefined) fail(failure('truncated', 'server'))
    else this.#client.forwardOut('127.0.0.1', 0, formatAddress(address), port, onAnswer)
    return { result: promise, cancel: () => fail(failure('aborted', 'us')) }
  }

  /** Takes no newcomers any more; ends with its last channel. */
  retire(): void {
    if (this.#isRetired) return
    this.#isRetired = true
    this.#onGone()
    if (this.#taken === 0) this.close()
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#isOpen = false
    this.#idle?.cancel()
    this.#onGone()
    this.#scope.cancel()
    // A session that breaks answers no requests any more.
    for (const fail of this.#asking) fail(failure('truncated', 'server'))
    for (const channel of this.#channels) channel.breakOff()
    this.#client?.on('error', () => {}).destroy()
    this.#stream?.destroy()
    this.#connection?.destroy()
  }

  async #open(carry: Carry): Promise<RouteFailure | undefined> {
    const why = await this.#logIn(carry)
    this.#scope.finish()
    if (why === undefined && !this.#isClosed) {
      this.#isOpen = true
      return undefined
    }
    this.close()
    return why ?? handshakeFailure(failure('truncated', 'server'), 'authentication', this.#spot)
  }

  async #logIn(carry: Carry): Promise<RouteFailure | undefined> {
    const scope = this.#scope
    const carried = await carry(scope)
    if ('code' in carried) return carried
    const { connection, early } = carried
    this.#connection = connection
    this.traces = carried.traces
    connection.holdProcess?.(this.#holding > 0)
    scope.enter('greeting', this.#spot)
    let doubt: Failure | undefined
    const config = await configOf(this.#spot, scope, why => (doubt = why))
    if ('code' in config) return config
    const ssh2 = await scope.during(uncancellable(loadSsh2()))
    if ('code' in ssh2) return ssh2
    const client = new ssh2.Client()
    this.#client = client
    this.#stream = new ConnectionDuplex(connection, early)
    const { promise: result, resolve } = Promise.withResolvers<Failure | undefined>()
    let phase: Phase = 'greeting'
    client.on('handshake', () => scope.enter((phase = 'authentication'), this.#spot))
    client.on('ready', () => resolve(undefined))
    client.on('error', (error: SshError) => {
      // An agent that is not there is one way of logging in less; the others are still tried.
      if (error.level !== 'agent') resolve(sshFailure(error))
    })
    const onLost = (): void => {
      resolve(failure('truncated', 'server'))
      // Before a channel takes it for its own end.
      if (this.#isOpen) this.close()
    }
    client.on('close', onLost)
    this.#stream.on('end', onLost)
    try {
      client.connect({ ...config, sock: this.#stream })
    } catch {
      // ssh2 throws for a key that it cannot read; its text may quote the key.
      resolve(failure('bad_parameters', 'us', 'the private key or the agent for ssh cannot be used'))
    }
    const why = await scope.during({ result, cancel: () => {} })
    this.loginTimes = scope.takeTimes()
    if (why === undefined) return undefined
    if (doubt !== undefined) return routeFailure('SOCKS_HOST_KEY_REJECTED', doubt, phase, this.#spot)
    return 'failure' in why ? why : handshakeFailure(why, phase, this.#spot)
  }

  #granted(channel: ClientChannel): Granted {
    const { local, remote } = this.#connection as Connection
    channel.allowHalfOpen = true
    let isHeld = true
    const holdProcess = (holds: boolean): void => {
      if (holds !== isHeld) this.#hold(holds ? 1 : -1)
      isHeld = holds
    }
    const onClose = (): void => {
      this.#channels.delete(connection)
      // So that it is given back once.
      holdProcess(true)
      this.giveBack()
    }
    const connection: DuplexConnection = new DuplexConnection(channel, { local, remote, holdProcess, onClose })
    this.#channels.add(connection)
    return { kind: 'granted', connection, early: NO_OCTETS, bound: NO_ENDPOINT }
  }

  #hold(change: 1 | -1): void {
    const before = this.#holding
    this.#holding += change
    if (before === 0 || this.#holding === 0) this.#connection?.holdProcess?.(this.#holding > 0)
  }
}
