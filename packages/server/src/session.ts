/**
 * One client connection from its first octet to its record: drives the handshake, asks for the user, hands the request
 * to the file that serves its command. Knows no rule and no way out.
 */
import type { CloseCause, Connection, ConnectionReader, Place, RelayEnd, Timer } from '@socksmith/engine'
import {
  type Claim,
  type Destination,
  type Failure,
  type HandshakeRequest,
  ServerHandshake,
  type ServerHandshakeEvent,
  type ServerHandshakeOptions,
  failure,
} from '@socksmith/protocol'
import type { AuthenticationMethod, Command, Facts } from '@socksmith/policy'
import { HeldDescriptor } from './admission.ts'
import type { ServerContext } from './context.ts'
import { handshakeOptions } from './handshake-options.ts'
import { serveHttp } from './http/serve-http.ts'
import type { Ruling } from './decide.ts'
import { SessionLimits } from './limit/session-limits.ts'
import { type Login, judgeLogin, traitsOf } from './login/login.ts'
import type { Credentials, ListenerOptions } from './options.ts'
import type { LiveSession, SessionEnd } from './record.ts'
import { type Carried, type SessionFacts, endOfRelay, liveSession, sessionRecord } from './session-record.ts'
import { type Granted, SessionRules } from './session-rules.ts'
import { serveRequest } from './serve-request.ts'
import type { Errand, Going } from './way-out.ts'

/** What runs for a request that was accepted: it hears when the client is gone, and can be stopped. */
export interface Work {
  /** The client sent FIN. Absent: nothing to do, the relay will hear of it. */
  onClientEnd?(): void
  /** The client is gone, or the server stops: give everything up. */
  abandon(): void
  /** Octets carried so far; absent before there is something that carries. */
  readonly carried?: Carried | undefined
  /** The rules have changed, and still allow this request: ask again about its parts, and keep to the new limits. */
  reconsider?(granted: Granted): void
}

export interface SessionOrigin {
  readonly id: number
  readonly listener: ListenerOptions
  /** What rules call it. */
  readonly listenerName: string
  readonly place: Place
  /** Who the client is: the peer, or whom a trusted PROXY header names. */
  readonly client: Place
  readonly acceptedAtMs: number
}

export class Session implements ConnectionReader {
  readonly context: ServerContext
  readonly origin: SessionOrigin
  readonly connection: Connection
  readonly #options: ServerHandshakeOptions
  readonly #handshake: ServerHandshake
  readonly #startedAtMs: number
  readonly #onClosed: () => void
  #deadline: Timer | undefined
  #work: Work | undefined
  #request: HandshakeRequest | undefined
  #dialled: Destination | undefined
  #via: string | undefined
  #parameters: Login['parameters']
  #successor: Session | undefined
  readonly #user: string | undefined
  readonly #rules: SessionRules
  readonly limits: SessionLimits
  /** For what the client asks for. */
  readonly descriptor: HeldDescriptor
  #hasClientEnded = false
  #isRecorded = false
  #isClosed = false

  constructor(context: ServerContext, origin: SessionOrigin, connection: Connection, onClosed: () => void) {
    this.context = context
    this.origin = origin
    this.connection = connection
    this.#onClosed = onClosed
    this.#user = connection.certificateName
    this.#rules = new SessionRules(context.gate, context.engine.clock, origin, this.#user)
    this.limits = new SessionLimits(context.gate, context.counting, end => this.stop(end))
    this.descriptor = new HeldDescriptor(context.admission)
    this.#options = handshakeOptions(
      origin.listener,
      context.options,
      connection.certificateName !== undefined,
      this.#rules,
    )
    this.#handshake = new ServerHandshake(this.#options)
    this.#startedAtMs = context.engine.clock.wallMs()
  }

  /** Begins with the octets that were read already. */
  start(early: Uint8Array): void {
    const { clock } = this.context.engine
    const { listener } = this.origin
    const isNeeded = listener.authentication === 'certificate'
    const fault = this.context.loginGuard.certificateFault(this.client, this.#user, isNeeded)
    if (fault !== undefined) return this.#onFailed(fault)
    const { refusal } = this.#rules.arrive()
    if (refusal !== undefined) return this.#onFailed(refusal)
    const leftMs = this.origin.acceptedAtMs + this.context.limits.handshakeMs - clock.monotonicMs()
    this.#deadline = clock.after(Math.max(0, leftMs), () => this.#onDeadline())
    this.connection.read(this)
    if (early.length > 0) this.onOctets(early)
  }

  onOctets(octets: Uint8Array): void {
    if (this.#isRecorded) return
    // After the reply to UDP ASSOCIATE nothing on this connection means anything (digest section 7.3).
    if (this.#handshake.phase === 'established') return
    this.#take(this.#handshake.receive(octets))
    if (this.#handshake.bufferedOctets > this.context.limits.earlyOctets) this.connection.pause()
  }

  onEnd(): void {
    this.#hasClientEnded = true
    if (this.#isRecorded) this.connection.onceSent(() => this.connection.destroy())
    else if (this.#work?.onClientEnd !== undefined) this.#work.onClientEnd()
    else this.#take(this.#handshake.endOfStream())
  }

  onClose(cause: CloseCause): void {
    const carried = this.#work?.carried
    this.#work?.abandon()
    this.#record(cause === 'reset' ? 'client-reset' : 'client-left', undefined, carried)
    this.closed()
  }

  /** The user, once known. */
  get user(): string | undefined {
    return this.#user ?? this.#handshake.user
  }

  /** Who what is served now is served for: also who asks for a single HTTP request. */
  whose(): string | undefined {
    return this.#successor?.whose() ?? this.user ?? this.#rules.user
  }

  /** Who the client is. */
  get client(): Place {
    return this.origin.client
  }

  /** What runs for the request, from now on. */
  attach(work: Work): void {
    this.#work = work
  }

  /** Whether Basic credentials are judged here, and whether there must be some. */
  get takesPassword(): boolean {
    return this.#options.passwordAccepted === true
  }

  get needsPassword(): boolean {
    return this.#options.passwordRequired
  }

  /** How `user` has shown who it is: the client's own, or one of a single HTTP request. */
  methodOf(user: string | undefined): AuthenticationMethod {
    return this.#rules.methodOf(user)
  }

  /** What the rules are asked about this client's request; the target is for the caller to add. */
  facts(command: Command, user: string | undefined = this.user): Facts {
    const protocol = this.#request?.protocol ?? (this.#handshake.protocol === 'http' ? 'http' : undefined)
    return this.#rules.facts(command, { protocol, user })
  }

  /** By which ways this client's request may leave. */
  going(errand: Omit<Errand, 'traits'>, login?: Partial<Login>): Going {
    const [user, parameters] = [this.user, this.#parameters]
    const own = { ...(user !== undefined && { user }), parameters }
    return this.context.ways.going({ ...errand, traits: () => traitsOf(this.origin.client, login ?? own) })
  }

  /** Notes the way and its proxies. */
  noteVia(via: string | undefined): void {
    this.#via = via
  }

  /** Notes what was dialled, or the peer of a BIND, and what allowed it. */
  noteDialled(target: Destination, granted: Granted | undefined): void {
    this.#dialled = target
    if (granted !== undefined) this.noteGranted(granted)
  }

  /** Notes what is allowed from now on, to be asked about again when the rules change. */
  noteGranted(granted: Granted): void {
    this.#rules.grant(granted)
  }

  /** Whether the rules of now forbid what this session does. */
  isForbidden(): boolean {
    if (this.#successor !== undefined) return this.#successor.isForbidden()
    if (this.#rules.isForbidden()) return true
    const { granted } = this.#rules
    if (granted !== undefined) this.#work?.reconsider?.(granted)
    return false
  }

  /** Sends the reply that grants the request; see the handshake's `succeed`. */
  grant(bound: Destination): void {
    this.#take(this.#handshake.succeed(bound))
  }

  /** Sends the reply that refuses the request, and closes the connection as RFC 1928 section 6 demands. */
  refuse(cause: Failure, ruling?: Ruling): void {
    if (ruling !== undefined) this.#rules.refused(ruling)
    if (!this.#isRecorded) this.#take(this.#handshake.fail(cause))
  }

  takeRemainder(): Uint8Array {
    return this.#handshake.takeRemainder()
  }

  /** The relay is over, and so are both connections. */
  finish(end: RelayEnd): void {
    this.#record(endOfRelay(end), undefined, end)
    this.closed()
  }

  /** The work ended by itself; the client's connection is still to be closed. */
  finishWork(end: SessionEnd, carried: Carried): void {
    this.#work = undefined
    this.#record(end, undefined, carried)
    this.connection.end()
    this.closeSoon()
  }

  /** The connection is now read by `work` (HTTP), which makes its own records. */
  handOver(work: Work): void {
    this.#endDeadline()
    this.#work = work
    this.#isRecorded = true
  }

  /** The record of an HTTP connection that came to no request. */
  recordHttp(end: SessionEnd, cause: Failure): void {
    this.#isRecorded = false
    this.#record(end, cause)
  }

  /** Begins anew on the same connection with these octets: a client that asks for a tunnel after plain HTTP requests. */
  again(early: Uint8Array): void {
    const origin = { ...this.origin, acceptedAtMs: this.context.engine.clock.monotonicMs() }
    const successor = new Session(this.context, origin, this.connection, () => this.closed())
    this.handOver({ abandon: () => successor.stop() })
    this.#successor = successor
    this.descriptor.giveBack()
    successor.start(early)
  }

  /** Closes the connection once the client has got what was written, or when its time for that is over. */
  closeSoon(): void {
    if (this.#isClosed) return
    // What it still sends is read and thrown away: unread octets would make the kernel answer with RST, which loses the
    // reply.
    this.connection.read(this)
    this.connection.resume()
    this.#endDeadline()
    const { clock } = this.context.engine
    this.#deadline = clock.after(this.context.limits.failureCloseMs, () => this.connection.destroy())
  }

  /** The connection is gone: the place in the limits is free again. */
  closed(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#endDeadline()
    this.descriptor.giveBack()
    this.#onClosed()
  }

  /** The session as it is now; `undefined` when its record has been made. */
  live(): LiveSession | undefined {
    if (this.#successor !== undefined) return this.#successor.live()
    return this.#isRecorded ? undefined : liveSession(this.#facts(this.#work?.carried))
  }

  /** Ends the session now: the server stops, or the session is no longer allowed. */
  stop(end: 'stopped' | 'revoked' | 'quota' | 'session-length' = 'stopped'): void {
    if (this.#successor !== undefined) return this.#successor.stop(end)
    // First, so that the end of the work is not taken for the reason.
    this.#record(end, undefined, this.#work?.carried)
    this.#work?.abandon()
    this.connection.destroy()
    this.closed()
  }

  #take(events: readonly ServerHandshakeEvent[]): void {
    for (const event of events) this.#act(event)
  }

  #act(event: ServerHandshakeEvent): void {
    switch (event.kind) {
      case 'send':
        this.connection.write(event.octets)
        break
      case 'authenticate':
        void this.#judge(event.claim)
        break
      case 'request':
        this.#endDeadline()
        this.#request = event.request
        serveRequest(this, event.request)
        break
      case 'http':
        this.#endDeadline()
        serveHttp(this)
        break
      case 'failed':
        this.#onFailed(event.failure)
        break
      case 'established':
        break
    }
  }

  /** The user with these credentials; `undefined`, sooner or later, where they are wrong. */
  judge(credentials: Credentials): Promise<Login | undefined> {
    return judgeLogin(this.context, credentials, this.origin.client)
  }

  async #judge(claim: Claim): Promise<void> {
    const login = claim.kind === 'password' ? await this.judge(claim) : undefined
    if (this.#isRecorded) return
    this.#parameters = login?.parameters
    const verdict =
      login === undefined ? { kind: 'rejected' as const } : { kind: 'accepted' as const, user: login.user }
    this.#take(this.#handshake.verdict(verdict))
    // FIN may have come while the password was judged: whatever is missing now will never come.
    if (this.#hasClientEnded) this.#take(this.#handshake.endOfStream())
  }

  #onDeadline(): void {
    const events = this.#handshake.timeOut()
    if (events.length > 0) this.#take(events)
    else this.#onFailed(failure('timed_out', 'us', 'authentication took too long'))
  }

  #onFailed(cause: Failure): void {
    this.#endDeadline()
    const early = this.#request === undefined
    if (early && cause.code === 'truncated') this.#record('client-left')
    else if (early && cause.code === 'timed_out') this.#record('handshake-timeout', cause)
    else this.#record(cause.blame === 'policy' || cause.blame === 'client' ? 'refused' : 'failed', cause)
    this.connection.end()
    this.closeSoon()
  }

  // A timer is larger than all that an idle tunnel needs.
  #endDeadline(): void {
    this.#deadline?.cancel()
    this.#deadline = undefined
  }

  #record(end: SessionEnd, cause?: Failure, carried?: Carried): void {
    if (this.#isRecorded) return
    this.#isRecorded = true
    this.context.options.onSession?.(sessionRecord(this.#facts(carried), end, cause))
    this.limits.release()
  }

  #facts(carried: Carried | undefined): SessionFacts {
    const { id, client, place, acceptedAtMs } = this.origin
    const durationMs = Math.round(this.context.engine.clock.monotonicMs() - acceptedAtMs)
    return {
      base: { id, client, listener: place, startedAtMs: this.#startedAtMs, durationMs },
      listenerName: this.origin.listener.name,
      handshake: this.#handshake,
      request: this.#request,
      user: this.user,
      method: this.#request === undefined ? undefined : this.methodOf(this.user),
      ruling: this.#rules.ruling,
      limit: this.limits.limit,
      dialled: this.#dialled,
      via: this.#via,
      parameters: this.#parameters,
      carried,
    }
  }
}
