/** `socksmith serve`: from the configuration to a running server, until a signal ends it. */
import { availableParallelism } from 'node:os'
import type { Command } from 'commander'
import { type Engine, type Place, selectEngine } from '@socksmith/engine'
import type { Failure } from '@socksmith/protocol'
import { DEFAULT_LIMITS, openSharedLedger } from '@socksmith/server'
import type { Config } from '../config/config.ts'
import { type CompleteListener, completeListeners } from '../config/effective.ts'
import { formatPlace } from '../config/place-text.ts'
import { parseDuration, parseWorkers } from '../config/quantities.ts'
import { listenersFault, placesOf, toServerOptions } from '../config/to-server-options.ts'
import { EXIT, type Outcome, done, trouble } from '../exit.ts'
import { type SessionLog, openSessionLog } from '../log/session-log.ts'
import { type LivePolicy, openLivePolicy } from '../policy/live-policy.ts'
import { buildServer, withDescriptor } from '../serving/build-server.ts'
import { inheritedDescriptors } from '../serving/inherited-sockets.ts'
import { showSessionsOnSignal } from '../serving/live-sessions.ts'
import { type RunningServer, drain, stopSignal } from '../serving/stop.ts'
import { startThread } from '../serving/start-thread.ts'
import { startWorkerPool } from '../serving/worker-pool.ts'
import { keepMemoryQuiet, keepMemorySmall } from '../serving/quiet-memory.ts'
import { LiveState } from '../state/live-state.ts'
import { say } from '../terminal/say.ts'
import { type PasswordHash, hashPassword } from '../users/password.ts'
import { openUserSource } from '../users/user-source.ts'
import { version } from '../version.ts'
import { authoritiesFault, engineFault, loopFault, parameterFault, permissionFault } from '../ways/fit.ts'
import { type EffectiveConfig, effectiveConfig } from './effective-config.ts'
import { keepPolicy, policyReader } from './keep-policy.ts'

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
  const { engine, reason } = selectEngine(config.engine)
  if (engine === undefined) {
    return trouble(EXIT.UNAVAILABLE, `the Linux engine cannot run here: ${reason}; --engine auto takes another one`)
  }
  if (reason !== undefined) log.notice('engine', `the portable engine serves: ${reason}`)
  const hasUsers = quickUsers.length > 0 || config.users.file !== undefined
  keepMemorySmall(hasUsers)
  const policy = await policyOf(effective, readAgain, hasUsers, engine, log)
  if (!policy.ok) return policy
  const listeners = completeListeners(config, hasUsers)
  const inherited = inheritedDescriptors(listeners.map(({ address }) => address))
  if (!inherited.ok) return inherited
  const stopped = stopSignal()
  const workers = workersOf(config, engine)
  const state = new LiveState({
    ...(config.state !== undefined && { file: config.state }),
    threads: workers + 1,
    connectionsMax: Number(config.limits['connections'] ?? DEFAULT_LIMITS.connections),
    notice: message => log.notice('state', message),
  })
  const ground: Ground = { config, hasUsers, policy: policy.value, log, state, engine, inherited: inherited.value }
  const outcome = await serveUntil(stopped, workers, ground)
  state.close()
  return outcome
}

/** Serves until it is told to stop, and lets the sessions finish. */
async function serveUntil(stopped: Promise<void>, workers: number, ground: Ground): Promise<Outcome<void>> {
  const { config, hasUsers, policy, log, state, engine } = ground
  const serving = workers > 0 ? await serveInWorkers(workers, ground) : await serveHere(ground)
  if (!serving.ok) return serving
  const { places, server } = serving.value
  state.keep(server)
  const release = await keepPolicy({ policy, server, state, log }, config.control)
  if (!release.ok) {
    await server.stop({ deadlineMs: 0 })
    return release
  }
  const threads = workers === 0 ? '' : `, ${workers} ${workers === 1 ? 'worker' : 'workers'}`
  const listeners = completeListeners(config, hasUsers)
  say(`socksmith ${version()} ready on ${placesText(places, listeners)}; engine ${engine.name}${threads}`)
  showSessionsOnSignal(server)
  keepMemoryQuiet(server)
  await stopped
  await release.value()
  await drain(server, parseDuration(config.drain) ?? 0)
  return done(undefined)
}

/** The rules and the users, read for the first time. */
async function policyOf(
  effective: EffectiveConfig,
  readAgain: () => Promise<Outcome<EffectiveConfig>>,
  hasUsers: boolean,
  engine: Engine,
  log: SessionLog,
): Promise<Outcome<LivePolicy>> {
  const { config, quickUsers } = effective
  const added = new Map<string, PasswordHash>()
  for (const { name, password } of quickUsers) added.set(name, await hashPassword(password))
  const { file } = config.users
  const users = await openUserSource({
    ...(file === undefined ? {} : { file }),
    added,
    onTrouble: message => log.notice('users', message),
  })
  if (!users.ok) return users
  const notice = (message: string): void => log.notice('policy', message)
  return openLivePolicy({
    read: policyReader(effective, readAgain),
    users: users.value,
    objection: (decider, ways) =>
      listenersFault(config, hasUsers, decider) ??
      engineFault(ways, engine) ??
      permissionFault(ways) ??
      loopFault(ways, placesOf(config), config.dns) ??
      authoritiesFault(config.dns, ways) ??
      parameterFault(ways, config.users.template),
    notice,
  })
}

/** What a server is made from. */
interface Ground {
  readonly config: Config
  readonly hasUsers: boolean
  readonly policy: LivePolicy
  readonly log: SessionLog
  readonly state: LiveState
  readonly engine: Engine
  /** Descriptors that listen already, in the order of the listeners. */
  readonly inherited: readonly (number | undefined)[]
}

/** A server that runs, in whatever threads. */
interface Serving {
  readonly places: readonly Place[]
  readonly server: RunningServer
}

async function serveHere({
  engine,
  config,
  hasUsers,
  policy,
  log,
  state,
  inherited,
}: Ground): Promise<Outcome<Serving>> {
  const { promise: deaf, resolve: onDeaf } = Promise.withResolvers<void>()
  const built = buildServer(config, {
    engine,
    log,
    inForce: policy.inForce,
    hasUsers,
    threads: 1,
    ledger: openSharedLedger(state.accounts, 0),
    failures: openSharedLedger(state.failures, 0),
    bans: state.bans,
    onBan: ban => void state.add(ban),
    onDeaf,
    descriptors: inherited,
  })
  if (!built.ok) return built
  const { server, governed, names } = built.value
  const places = await server.start()
  if ('code' in places) return trouble(EXIT.UNAVAILABLE, startFailureText(places))
  const running: RunningServer = {
    get sessionCount() {
      return server.sessionCount
    },
    sessions: () => server.sessions(),
    stop: options => server.stop(options),
    deaf,
    ...governed,
    names: () => names.list(),
    flushNames: name => names.flush(name),
  }
  return done({ places, server: running })
}

async function serveInWorkers(
  workers: number,
  { config, hasUsers, policy, log, state, inherited }: Ground,
): Promise<Outcome<Serving>> {
  const configured = toServerOptions(config, hasUsers, () => {}, policy.decider)
  if (!configured.ok) return configured
  const { listeners, limits } = configured.value
  const pool = await startWorkerPool(
    listeners.map((listener, index) => withDescriptor(listener, inherited[index])),
    {
      workers,
      config,
      inForce: policy.inForce,
      hasUsers,
      connectionsMax: limits?.connections ?? DEFAULT_LIMITS.connections,
      log,
      state,
      startThread,
    },
  )
  if ('code' in pool) return trouble(EXIT.UNAVAILABLE, startFailureText(pool))
  return pool.ok ? done({ places: pool.value.places, server: pool.value }) : pool
}

// Only the Linux engine lets several threads accept from one socket.
function workersOf(config: Config, engine: Engine): number {
  if (engine.name !== 'linux') return 0
  const workers = parseWorkers(config.workers) ?? 'auto'
  return workers === 'auto' ? availableParallelism() : workers
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
