/**
 * Makes the server that a configuration asks for: its users, its name look-ups, its log. Used as it is where the server
 * runs in the main thread, and in each worker. Starts nothing.
 */
import type { Engine } from '@socksmith/engine'
import { DEFAULT_WAY } from '@socksmith/policy'
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
import { parseTemplate, splitLogin } from '../users/login-template.ts'
import { WayMaker } from '../ways/make-ways.ts'
import { NameCaches } from '../dns/name-caches.ts'
import { usualResolver, withHosts } from '../dns/resolvers.ts'
import { hostsOf } from '../dns/way-dns.ts'

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
  readonly names: NameCaches
}

export function buildServer(config: Config, parts: ServerParts): Outcome<BuiltServer> {
  // Nothing below may hold `parts`: the rules and users of the start are others before long.
  const { log, engine, tally, ledger, failures, bans, threads, inForce, hasUsers, descriptors, onDeaf, onBan } = parts
  const policy = deciderOf(inForce.policy)
  const configured = toServerOptions(config, hasUsers, message => log.notice('certificate', message), policy)
  if (!configured.ok) return configured
  const { listeners } = configured.value
  const template = config.users.template === undefined ? undefined : parseTemplate(config.users.template)
  const names = new NameCaches()
  const usual = usualResolver(config.dns, engine, threads)
  names.set(DEFAULT_WAY, usual)
  const resolver = withHosts(usual, hostsOf(config.dns.hosts))
  const maker = new WayMaker({ dns: config.dns, engine, threads, names })
  let users = inForce.users.known
  const options: ServerOptions = {
    ...configured.value,
    ways: maker.make(inForce.policy.ways),
    listeners: listeners.map((listener, index) => withDescriptor(listener, descriptors?.[index])),
    engine,
    resolver,
    authenticate: createAuthenticator({ users: () => users, threads }),
    ...(template && { splitLogin: name => splitLogin(name, template, one => users.has(one)) }),
    policy,
    ...(tally && { tally }),
    ...(ledger && { ledger }),
    ...(failures && { failures }),
    ...(bans && { bans }),
    onSession: record => log.session(record),
    onEvent(event) {
      if (event.kind === 'deaf') onDeaf?.()
      if (event.kind === 'ban') onBan?.(event.ban)
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
  return done({ server, governed, names })
}

/** A listener that takes over a socket, when there is one. */
export function withDescriptor(listener: ListenerOptions, descriptor: number | undefined): ListenerOptions {
  return descriptor === undefined ? listener : { ...listener, descriptor }
}
