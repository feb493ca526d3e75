/**
 * Makes the server that a configuration asks for: its users, its name look-ups, its log. Used as it is where the server
 * runs in the main thread, and in each worker. Starts nothing.
 */
import {
  type Engine,
  type Resolver,
  createCachingResolver,
  serverLookup,
  systemClock,
  systemLookup,
} from '@socksmith/engine'
import {
  type Ban,
  type Ledger,
  type ListenerOptions,
  type Server,
  type ServerOptions,
  type Tally,
  createServer,
} from '@socksmith/server'
import type { Config } from '../config/config.ts'
import { toServerOptions } from '../config/to-server-options.ts'
import { type Outcome, done } from '../exit.ts'
import { eventText } from '../log/event-text.ts'
import type { SessionLog } from '../log/session-log.ts'
import { type GovernedServer, type InForce, deciderOf } from '../policy/in-force.ts'
import type { Banning } from '../state/live-state.ts'
import { createAuthenticator } from '../users/authenticator.ts'
import { WayMaker } from '../ways/make-ways.ts'

/** What a configuration does not say, and a server needs. */
export interface ServerParts {
  readonly engine: Engine
  readonly log: Pick<SessionLog, 'session' | 'notice'>
  /** The rules and users to begin with. */
  readonly inForce: InForce
  /** Whether anybody could ever log in. */
  readonly hasUsers: boolean
  /** Threads that run the same server and share the process's few threads for look-ups and hashes. */
  readonly threads: number
  /** Where counts are shared with the servers of other threads. */
  readonly tally?: Tally
  /** Where what is limited is counted, for the servers of all threads. */
  readonly ledger?: Ledger
  /** Where failed logins are counted. */
  readonly failures?: Ledger
  /** Who is kept out from the start. */
  readonly bans?: readonly Ban[]
  /** Told of a ban that failed logins have brought. */
  readonly onBan?: (ban: Ban) => void
  /** Descriptors that listen already, in the order of the listeners. */
  readonly descriptors?: readonly (number | undefined)[]
  /** Called when no listener accepts any more. */
  readonly onDeaf?: () => void
}

/** A server, and how it takes over new rules and users. */
export interface BuiltServer {
  readonly server: Server
  readonly governed: GovernedServer & Banning
}

export function buildServer(config: Config, parts: ServerParts): Outcome<BuiltServer> {
  const { log, engine, tally, ledger, failures, bans, threads, inForce, hasUsers } = parts
  const policy = deciderOf(inForce.policy)
  const configured = toServerOptions(config, hasUsers, message => log.notice('certificate', message), policy)
  if (!configured.ok) return configured
  const { listeners } = configured.value
  const maker = new WayMaker()
  let users = inForce.users.known
  const options: ServerOptions = {
    ...configured.value,
    ways: maker.make(inForce.policy.ways),
    listeners: listeners.map((listener, index) => withDescriptor(listener, parts.descriptors?.[index])),
    engine,
    resolver: resolverOf(config, threads),
    authenticate: createAuthenticator({ users: () => users, threads }),
    policy,
    ...(tally && { tally }),
    ...(ledger && { ledger }),
    ...(failures && { failures }),
    ...(bans && { bans }),
    onSession: record => log.session(record),
    onEvent(event) {
      if (event.kind === 'deaf') parts.onDeaf?.()
      if (event.kind === 'ban') parts.onBan?.(event.ban)
      const message = eventText(event)
      if (message !== undefined) log.notice(event.kind, message)
    },
  }
  const server = createServer(options)
  const governed: GovernedServer & Banning = {
    usePolicy: data => server.usePolicy(deciderOf(data), maker.make(data.ways)),
    useUsers({ known, gone }) {
      users = known
      return server.endUsers(user => gone.has(user))
    },
    ban: added => server.ban(added),
    unban: keys => server.unban(keys),
  }
  if (inForce.users.gone.size > 0) void governed.useUsers(inForce.users)
  return done({ server, governed })
}

/** A listener that takes over a socket, when there is one. */
export function withDescriptor(listener: ListenerOptions, descriptor: number | undefined): ListenerOptions {
  return descriptor === undefined ? listener : { ...listener, descriptor }
}

// The system's look-up holds one of libuv's four threads each, and password hashing needs two of them.
const SYSTEM_LOOKUPS_AT_ONCE = 2
// DNS by ourselves costs no thread, only a socket and memory.
const SERVER_LOOKUPS_AT_ONCE = 256
// Neither way tells the record's own time to live; a minute is what dynamic names commonly ask for.
const NAMES_KEPT_MS = 60_000
// A name that was mistyped is asked for again at once; one that appears must not stay hidden.
const FAILURES_KEPT_MS = 5_000
// About 200 octets each.
const NAMES_KEPT_MAX = 10_000
// Under the usual time for a dial, so that a client gets a reply.
const LOOKUP_MS = 10_000

function resolverOf(config: Config, threads: number): Resolver {
  const { servers } = config.dns
  const systemLookups = Math.max(1, Math.floor(SYSTEM_LOOKUPS_AT_ONCE / threads))
  return createCachingResolver({
    lookup: servers.length === 0 ? systemLookup : serverLookup(servers),
    clock: systemClock,
    positiveTtlMs: NAMES_KEPT_MS,
    negativeTtlMs: FAILURES_KEPT_MS,
    entriesMax: NAMES_KEPT_MAX,
    concurrentMax: servers.length === 0 ? systemLookups : SERVER_LOOKUPS_AT_ONCE,
    timeoutMs: LOOKUP_MS,
  })
}
