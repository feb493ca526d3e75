/** `socksmith serve`: from the configuration to a running server, until a signal ends it. */
import { availableParallelism } from 'node:os'
import type { Command } from 'commander'
import { type Engine, type Place, selectEngine } from '@socksmith/engine'
import type { Failure } from '@socksmith/protocol'
import { DEFAULT_LIMITS } from '@socksmith/server'
import type { Config } from '../config/config.ts'
import { type CompleteListener, completeListeners } from '../config/effective.ts'
import { formatPlace } from '../config/place-text.ts'
import { parseDuration, parseWorkers } from '../config/quantities.ts'
import { toServerOptions } from '../config/to-server-options.ts'
import { EXIT, type Outcome, done, trouble } from '../exit.ts'
import { type SessionLog, openSessionLog } from '../log/session-log.ts'
import { buildServer, hasAnyUser } from '../serving/build-server.ts'
import { showSessionsOnSignal } from '../serving/live-sessions.ts'
import { type RunningServer, drain, stopSignal } from '../serving/stop.ts'
import { startThread } from '../serving/start-thread.ts'
import { startWorkerPool } from '../serving/worker-pool.ts'
import { say } from '../terminal/say.ts'
import { type PasswordHash, hashPassword } from '../users/password.ts'
import { version } from '../version.ts'
import { type QuickUser, effectiveConfig } from './effective-config.ts'

/** Runs until SIGTERM or SIGINT and the end of the drain; a trouble when it cannot start. */
export async function serve(command: Command): Promise<Outcome<void>> {
  const effective = await effectiveConfig(command)
  if (!effective.ok) return effective
  const { config, quickUsers } = effective.value
  const log = await openSessionLog(config.log)
  if (!log.ok) return log
  const outcome = await run(config, quickUsers, log.value)
  await log.value.close()
  return outcome
}

async function run(config: Config, quickUsers: readonly QuickUser[], log: SessionLog): Promise<Outcome<void>> {
  const { engine, reason } = selectEngine(config.engine)
  if (engine === undefined) {
    return trouble(EXIT.UNAVAILABLE, `the Linux engine cannot run here: ${reason}; --engine auto takes another one`)
  }
  if (reason !== undefined) log.notice('engine', `the portable engine serves: ${reason}`)
  const added = new Map<string, PasswordHash>()
  for (const { name, password } of quickUsers) added.set(name, await hashPassword(password))
  const stopped = stopSignal()
  const workers = workersOf(config, engine)
  const serving =
    workers > 0 ? await serveInWorkers(workers, config, added, log) : await serveHere(engine, config, added, log)
  if (!serving.ok) return serving
  const { places, server } = serving.value
  const listeners = completeListeners(config, hasAnyUser(config, added))
  const threads = workers === 0 ? '' : `, ${workers} ${workers === 1 ? 'worker' : 'workers'}`
  say(`socksmith ${version()} ready on ${placesText(places, listeners)}; engine ${engine.name}${threads}`)
  showSessionsOnSignal(server)
  await stopped
  await drain(server, parseDuration(config.drain) ?? 0)
  return done(undefined)
}

/** A server that runs, in whatever threads. */
interface Serving {
  readonly places: readonly Place[]
  readonly server: RunningServer
}

async function serveHere(
  engine: Engine,
  config: Config,
  quickUsers: ReadonlyMap<string, PasswordHash>,
  log: SessionLog,
): Promise<Outcome<Serving>> {
  const server = await buildServer(config, { engine, log, quickUsers, threads: 1 })
  if (!server.ok) return server
  const places = await server.value.start()
  if ('code' in places) return trouble(EXIT.UNAVAILABLE, startFailureText(places))
  return done({ places, server: server.value })
}

async function serveInWorkers(
  workers: number,
  config: Config,
  quickUsers: ReadonlyMap<string, PasswordHash>,
  log: SessionLog,
): Promise<Outcome<Serving>> {
  const configured = toServerOptions(config, hasAnyUser(config, quickUsers), () => {})
  if (!configured.ok) return configured
  const { listeners, limits } = configured.value
  const pool = await startWorkerPool(listeners, {
    workers,
    config,
    quickUsers,
    connectionsMax: limits?.connections ?? DEFAULT_LIMITS.connections,
    log,
    startThread,
  })
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
