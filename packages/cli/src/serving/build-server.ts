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
  type Authenticate,
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
import { createAuthenticator } from '../users/authenticator.ts'
import type { PasswordHash } from '../users/password.ts'
import { openUserSource } from '../users/user-source.ts'

/** What a configuration does not say, and a server needs. */
export interface ServerParts {
  readonly engine: Engine
  readonly log: Pick<SessionLog, 'session' | 'notice'>
  /** Users of the command line. */
  readonly quickUsers: ReadonlyMap<string, PasswordHash>
  /** Threads that run the same server and share the process's few threads for look-ups and hashes. */
  readonly threads: number
  /** Where counts are shared with the servers of other threads. */
  readonly tally?: Tally
  /** Descriptors that listen already, in the order of the listeners. */
  readonly descriptors?: readonly number[]
  /** Called when no listener accepts any more. */
  readonly onDeaf?: () => void
}

export async function buildServer(config: Config, parts: ServerParts): Promise<Outcome<Server>> {
  const { log, quickUsers, engine, tally } = parts
  const hasUsers = hasAnyUser(config, quickUsers)
  const configured = toServerOptions(config, hasUsers, message => log.notice('certificate', message))
  if (!configured.ok) return configured
  const authenticate = await authenticatorOf(config, parts)
  if (!authenticate.ok) return authenticate
  const { listeners } = configured.value
  const options: ServerOptions = {
    ...configured.value,
    listeners: listeners.map((listener, index) => withDescriptor(listener, parts.descriptors?.[index])),
    engine,
    resolver: resolverOf(config, parts.threads),
    authenticate: authenticate.value,
    ...(tally && { tally }),
    onSession: record => log.session(record),
    onEvent(event) {
      if (event.kind === 'deaf') parts.onDeaf?.()
      const message = eventText(event)
      if (message !== undefined) log.notice(event.kind, message)
    },
  }
  return done(createServer(options))
}

/** True when somebody can log in. */
export function hasAnyUser(config: Config, quickUsers: ReadonlyMap<string, PasswordHash>): boolean {
  return quickUsers.size > 0 || config.users.file !== undefined
}

function withDescriptor(listener: ListenerOptions, descriptor: number | undefined): ListenerOptions {
  return descriptor === undefined ? listener : { ...listener, descriptor }
}

async function authenticatorOf(
  config: Config,
  { quickUsers, log, threads }: ServerParts,
): Promise<Outcome<Authenticate>> {
  const { file } = config.users
  const users = await openUserSource({
    ...(file === undefined ? {} : { file }),
    added: quickUsers,
    onTrouble: message => log.notice('users', message),
  })
  return users.ok ? done(createAuthenticator({ users: users.value, threads })) : users
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
