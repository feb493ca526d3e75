/** The server as a whole: opens the listeners, admits connections, knows every live session, and stops in order. */
import { type Connection, IdleWheel, type Listener, type Place } from '@socksmith/engine'
import { type Decider, compile } from '@socksmith/policy'
import { type Failure, NO_OCTETS, formatDestination } from '@socksmith/protocol'
import { Admission } from './admission.ts'
import type { ServerContext } from './context.ts'
import { Gate } from './decide.ts'
import type { ServerEvent } from './event.ts'
import { Counting, lazily, ownLedger } from './limit/counting.ts'
import { HealthChecks } from './health.ts'
import { createLocalAddresses } from './local-addresses.ts'
import type { LiveSession } from './record.ts'
import { type Ban, BanList } from './login/ban-list.ts'
import { LoginGuard } from './login/login-guard.ts'
import { DEFAULT_LIMITS, DEFAULT_LOGIN, type ListenerOptions, type ServerOptions } from './options.ts'
import { isTrusted, readPreface } from './preface.ts'
import { Register } from './register.ts'
import { Session, type SessionOrigin } from './session.ts'
import { createTally } from './tally.ts'
import type { Ways } from './way.ts'
import { WayChooser } from './way-out.ts'

/** Connections that the kernel keeps for us while we are busy; Linux cuts it to somaxconn (4096). */
export const BACKLOG = 4_096

/** A SOCKS server. It does nothing before `start`. */
export interface Server {
  /** Opens every listener: the real places, in order, or why one could not be opened (then none stays open). */
  start(): Promise<readonly Place[] | Failure>
  /** Client connections that are not yet closed, whatever their phase. */
  readonly sessionCount: number
  /** Those of them that have begun their handshake, oldest first. */
  sessions(): readonly LiveSession[]
  /**
   * Stops accepting at once, waits for the sessions until the deadline, and ends the rest; answers how many it ended.
   * A second call with a shorter deadline hastens the first.
   */
  stop(options: { readonly deadlineMs: number }): Promise<number>
  /** From now on these rules decide, and these are the ways out (the same as before when not given). Live sessions that they forbid end, the rest do not notice; answers how many ended. */
  usePolicy(policy: Decider, ways?: Ways): number
  /** From now on these are kept out, and their live sessions end; answers how many ended. */
  ban(bans: readonly Ban[]): number
  /** Lets them in again, by `subjectText`. */
  unban(keys: readonly string[]): void
  /** Ends the sessions of users who are no more, and lets no such user in from now on; answers how many ended. */
  endUsers(isGone: (user: string) => boolean): number
}

/**
 * Makes a server.
 *
 * @example
 * const { engine } = selectEngine('auto')
 * const server = createServer({ engine, resolver, listeners: [{ place, protocols, authentication: 'none' }] })
 * const places = await server.start()
 */
export function createServer(options: ServerOptions): Server {
  return new SocksServer(options)
}

class SocksServer implements Server {
  readonly #options: ServerOptions
  readonly #context: ServerContext
  readonly #live = new Register<Live>()
  readonly #health: HealthChecks
  #listeners: Listener[] = []
  #places: readonly Place[] = []
  #onEmpty: (() => void) | undefined

  constructor(options: ServerOptions) {
    this.#options = options
    const { engine, resolver } = options
    this.#health = new HealthChecks(resolver, event => options.onEvent?.(event))
    const limits = { ...DEFAULT_LIMITS, ...options.limits }
    const clientsMax = Math.min(limits.connections, engine.descriptorsMax)
    const warn = (limit: Extract<ServerEvent, { kind: 'limit' }>['limit'], refused: number): void =>
      options.onEvent?.({ kind: 'limit', limit, refused })
    const bans = new BanList(options.bans)
    const gate = new Gate(
      options.policy ?? withoutRules(options),
      () => this.#places,
      createLocalAddresses(engine.clock),
      decision => ways.refusalOf(decision),
    )
    const ways = new WayChooser(options, { engine, resolver, refusalOf: place => gate.loopAt(place) })
    const idleWheel = new IdleWheel(engine.clock)
    this.#context = {
      options,
      limits,
      engine,
      resolver,
      gate,
      ways,
      admission: new Admission(limits, engine, options.tally ?? createTally(), warn),
      idleWheel,
      bans,
      loginGuard: new LoginGuard({
        options: { ...DEFAULT_LOGIN, ...options.login },
        authenticate: options.authenticate,
        clock: engine.clock,
        failures: lazily(() => options.failures ?? ownLedger(engine.clock, clientsMax)),
        bans,
        onBan: ban => {
          options.onEvent?.({ kind: 'ban', ban })
          if (ban.subject.kind === 'network') this.#endBanned()
        },
      }),
      counting: new Counting(engine.clock, idleWheel, clientsMax, options.ledger),
    }
  }

  get sessionCount(): number {
    return this.#live.size
  }

  sessions(): readonly LiveSession[] {
    const sessions = this.#live.all().flatMap(one => one.live?.() ?? [])
    return sessions.sort((a, b) => a.id - b.id)
  }

  async start(): Promise<readonly Place[] | Failure> {
    for (const options of this.#options.listeners) {
      const listener = await this.#listen(options)
      if ('code' in listener) {
        await this.#closeListeners()
        return { ...listener, detail: `cannot listen on ${placeText(options.place)}` }
      }
      this.#listeners.push(listener)
    }
    this.#places = this.#listeners.map(listener => listener.place)
    const { tunnelsMax: tunnels } = this.#context.admission
    const connections = this.#options.limits?.connections
    if (connections !== undefined && tunnels < connections) {
      this.#options.onEvent?.({ kind: 'few-descriptors', connections, tunnels })
    }
    for (const place of this.#places) this.#options.onEvent?.({ kind: 'listening', place })
    this.#health.watch(this.#context.ways.checked())
    return this.#places
  }

  async stop({ deadlineMs }: { readonly deadlineMs: number }): Promise<number> {
    this.#health.stop()
    await this.#closeListeners()
    this.#options.onEvent?.({ kind: 'deaf' })
    if (this.#live.size > 0 && deadlineMs > 0) {
      this.#options.onEvent?.({ kind: 'draining', sessions: this.#live.size })
      await this.#emptyOr(deadlineMs)
    }
    const rest = this.#live.all()
    for (const session of rest) session.stop()
    return rest.length
  }

  usePolicy(policy: Decider, ways?: Ways): number {
    if (ways !== undefined) {
      this.#context.ways.replace(ways)
      this.#health.watch(this.#context.ways.checked())
    }
    this.#context.gate.replace(policy)
    return this.#endEach(session => session.isForbidden?.() === true)
  }

  ban(bans: readonly Ban[]): number {
    for (const ban of bans) this.#context.bans.add(ban)
    return this.#endBanned()
  }

  unban(keys: readonly string[]): void {
    for (const key of keys) this.#context.bans.remove(key)
  }

  /** Ends the sessions of banned clients and users. */
  #endBanned(): number {
    const { bans, engine } = this.#context
    const nowMs = engine.clock.wallMs()
    return this.#endEach(session => {
      const { client } = session
      if (client === undefined) return false
      const user = session.whose?.()
      return bans.hasClient(client, nowMs) || (user !== undefined && bans.hasUser(client, user, nowMs))
    })
  }

  endUsers(isGone: (user: string) => boolean): number {
    this.#context.gate.keepOut(isGone)
    return this.#endEach(session => {
      const user = session.whose?.()
      return user !== undefined && isGone(user)
    })
  }

  #endEach(isOver: (session: Live) => boolean): number {
    const over = this.#live.all().filter(isOver)
    for (const session of over) session.stop('revoked')
    return over.length
  }

  async #listen(options: ListenerOptions): Promise<Listener | Failure> {
    // Port 0 has become a real one by the time that something can fail.
    let { place } = options
    const { descriptor, mode, backlog = BACKLOG, name = placeText(place) } = options
    const shared = { ...(mode !== undefined && { mode }), ...(descriptor !== undefined && { descriptor }) }
    const listener = await this.#context.engine.listen(
      { place, backlog, ...shared },
      {
        onConnection: connection => this.#onConnection(options, name, connection),
        onAcceptFailure: cause => this.#options.onEvent?.({ kind: 'accept-failure', place, failure: cause }),
      },
    )
    if (!('code' in listener)) place = listener.place
    return listener
  }

  async #closeListeners(): Promise<void> {
    const listeners = this.#listeners
    this.#listeners = []
    await Promise.all(listeners.map(listener => listener.close()))
  }

  #emptyOr(deadlineMs: number): Promise<void> {
    return new Promise(resolve => {
      const timer = this.#context.engine.clock.after(deadlineMs, resolve)
      this.#onEmpty = () => {
        timer.cancel()
        resolve()
      }
    })
  }

  #onConnection(listener: ListenerOptions, listenerName: string, connection: Connection): void {
    const { admission } = this.#context
    // Whoever a trusted front end speaks for is known only later.
    if (!isTrusted(listener, connection.remote) && this.#isBanned(connection.remote)) return connection.destroy()
    if (!admission.takeConnection()) return connection.destroy()
    const id = admission.nextId()
    const acceptedAtMs = this.#context.engine.clock.monotonicMs()
    const place = this.#live.enter({ stop: () => connection.destroy() })
    const origin = { id, listener, listenerName, place: connection.local, client: connection.remote, acceptedAtMs }
    if (listener.tls === undefined && !isTrusted(listener, connection.remote)) {
      return this.#admit(origin, place, connection, NO_OCTETS)
    }
    void this.#withPreface(listener, connection).then(preface => {
      if ('code' in preface) return this.#leave(place)
      const { client, connection: inner, early } = preface
      this.#admit({ ...origin, client }, place, inner, early)
    })
  }

  /** Begins the session of a client who is known by now; `place` is where it stands among the living. */
  #admit(origin: SessionOrigin, place: number, connection: Connection, early: Uint8Array): void {
    const { admission } = this.#context
    if (this.#isBanned(origin.client)) {
      connection.destroy()
      return this.#leave(place)
    }
    if (!admission.takeClient(origin.client)) {
      connection.destroy()
      return this.#leave(place)
    }
    const session = new Session(this.#context, origin, connection, () => {
      admission.giveBackClient(origin.client)
      this.#leave(place)
    })
    this.#live.replace(place, session)
    session.start(early)
  }

  #isBanned(client: Place): boolean {
    const { bans, engine } = this.#context
    return bans.size > 0 && bans.hasClient(client, engine.clock.wallMs())
  }

  async #withPreface(listener: ListenerOptions, connection: Connection): ReturnType<typeof readPreface> {
    const { engine, limits } = this.#context
    const preface = await readPreface(engine, connection, listener, limits.handshakeMs)
    if ('code' in preface) {
      this.#options.onEvent?.({
        kind: 'preface-failure',
        place: connection.local,
        client: connection.remote,
        failure: preface,
      })
    }
    return preface
  }

  #leave(place: number): void {
    this.#context.admission.giveBack('connections')
    this.#live.leave(place)
    if (this.#live.size === 0) this.#onEmpty?.()
  }
}

/** A connection that is not yet closed. */
interface Live {
  /** The client and the user, once known. */
  readonly client?: Place
  whose?(): string | undefined
  live?(): LiveSession | undefined
  stop(end?: 'revoked'): void
  /** Asks the rules of now about what it does. */
  isForbidden?(): boolean
}

function withoutRules({ access = {} }: ServerOptions): Decider {
  const { insideFrom, insideOpen } = access
  const inside = { ...(insideFrom && { from: insideFrom }), ...(insideOpen && { open: insideOpen }) }
  return compile({ mode: 'enforce', rules: [], sets: [], limits: [], cases: [] }, { inside })
}

function placeText(place: Place): string {
  return place.kind === 'ip' ? formatDestination(place.endpoint) : `unix:${place.path}`
}
