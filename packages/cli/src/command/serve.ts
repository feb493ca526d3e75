/** `socksmith serve`: from the configuration to a running server, until a signal ends it. */
import type { Command } from 'commander'
import {
  type Place,
  type Resolver,
  createCachingResolver,
  selectEngine,
  serverLookup,
  systemClock,
  systemLookup,
} from '@socksmith/engine'
import type { Failure } from '@socksmith/protocol'
import { type ServerOptions, createServer } from '@socksmith/server'
import type { Config } from '../config/config.ts'
import { type CompleteListener, completeListeners } from '../config/effective.ts'
import { formatPlace } from '../config/place-text.ts'
import { parseDuration } from '../config/quantities.ts'
import { toServerOptions } from '../config/to-server-options.ts'
import { EXIT, type Outcome, done, trouble } from '../exit.ts'
import { eventText } from '../log/event-text.ts'
import { type SessionLog, openSessionLog } from '../log/session-log.ts'
import { openLivePolicy } from '../policy/live-policy.ts'
import { say } from '../terminal/say.ts'
import { createAuthenticator } from '../users/authenticator.ts'
import { type PasswordHash, hashPassword } from '../users/password.ts'
import { type UserSource, openUserSource } from '../users/user-source.ts'
import { version } from '../version.ts'
import { type EffectiveConfig, type QuickUser, effectiveConfig } from './effective-config.ts'
import { keepPolicy, policyReader } from './keep-policy.ts'
import { drain, stopSignal } from './stop.ts'

/** Runs until SIGTERM or SIGINT and the end of the drain; a trouble when it cannot start. */
export async function serve(command: Command): Promise<Outcome<void>> {
  const effective = await effectiveConfig(command)
  if (!effective.ok) return effective
  const log = await openSessionLog(effective.value.config.log)
  if (!log.ok) return log
  const outcome = await run(effective.value, () => effectiveConfig(command), log.value)
  await log.value.close()
  return outcome
}

async function run(
  effective: EffectiveConfig,
  readAgain: () => Promise<Outcome<EffectiveConfig>>,
  log: SessionLog,
): Promise<Outcome<void>> {
  const { config, quickUsers } = effective
  const hasUsers = quickUsers.length > 0 || config.users.file !== undefined
  const users = await usersOf(config, quickUsers, log)
  if (!users.ok) return users
  const policy = await openLivePolicy({
    read: policyReader(effective, readAgain, message => log.notice('policy', message)),
    users: users.value,
    notice: message => log.notice('policy', message),
  })
  if (!policy.ok) return policy
  const { decider } = policy.value
  const configured = toServerOptions(config, hasUsers, message => log.notice('certificate', message), decider)
  if (!configured.ok) return configured
  const { engine } = selectEngine(config.engine)
  const options: ServerOptions = {
    ...configured.value,
    engine,
    resolver: resolverOf(config),
    authenticate: createAuthenticator({ users: users.value }),
    policy: decider,
    onSession: record => log.session(record),
    onEvent(event) {
      const message = eventText(event)
      if (message !== undefined) log.notice(event.kind, message)
    },
  }
  const server = createServer(options)
  const stopped = stopSignal()
  const places = await server.start()
  if ('code' in places) return trouble(EXIT.UNAVAILABLE, startFailureText(places))
  const release = await keepPolicy(policy.value, server, config.control)
  if (!release.ok) {
    await server.stop({ deadlineMs: 0 })
    return release
  }
  say(
    `socksmith ${version()} ready on ${placesText(places, completeListeners(config, hasUsers))}; engine ${engine.name}`,
  )
  await stopped
  await release.value()
  await drain(server, parseDuration(config.drain) ?? 0)
  return done(undefined)
}

async function usersOf(
  config: Config,
  quickUsers: readonly QuickUser[],
  log: SessionLog,
): Promise<Outcome<UserSource>> {
  const added = new Map<string, PasswordHash>()
  for (const { name, password } of quickUsers) added.set(name, await hashPassword(password))
  const { file } = config.users
  return openUserSource({
    ...(file === undefined ? {} : { file }),
    added,
    onTrouble: message => log.notice('users', message),
  })
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

function resolverOf(config: Config): Resolver {
  const { servers } = config.dns
  return createCachingResolver({
    lookup: servers.length === 0 ? systemLookup : serverLookup(servers),
    clock: systemClock,
    positiveTtlMs: NAMES_KEPT_MS,
    negativeTtlMs: FAILURES_KEPT_MS,
    entriesMax: NAMES_KEPT_MAX,
    concurrentMax: servers.length === 0 ? SYSTEM_LOOKUPS_AT_ONCE : SERVER_LOOKUPS_AT_ONCE,
    timeoutMs: LOOKUP_MS,
  })
}

/** `127.0.0.1:1080 (no password), unix:/run/socksmith.sock (password)`: the real places, and who may come. */
function placesText(places: readonly Place[], listeners: readonly CompleteListener[]): string {
  return places
    .map((place, index) => {
      const listener = listeners[index]
      const words = [listener?.auth === 'none' ? 'no password' : listener?.auth, listener?.tls && 'TLS']
      return `${formatPlace(place)} (${words.filter(word => word !== undefined).join(', ')})`
    })
    .join(', ')
}

const START_FAILURES: { readonly [errno: string]: string } = {
  EADDRINUSE: 'the address is in use; stop the other program, or choose another with --listen',
  EADDRNOTAVAIL: 'this machine has no such address',
  EACCES: 'permission denied; ports below 1024 need root or CAP_NET_BIND_SERVICE',
  ENOENT: 'the folder does not exist',
}

function startFailureText({ detail, errno, code }: Failure): string {
  const reason = (errno !== undefined && START_FAILURES[errno]) || errno || code
  return `${detail ?? 'cannot listen'}: ${reason}`
}
