/**
 * The server in several worker threads, as one: opens the sockets that all of them accept from, counts for all of them,
 * collects what they log, and replaces one that died, whose sessions alone are lost.
 */
import type { Worker } from 'node:worker_threads'
import {
  type DescriptorLedger,
  type ListeningSocket,
  type Place,
  closeSharedListener,
  createDescriptorLedger,
  openSharedListener,
  reclaimDescriptors,
} from '@socksmith/engine'
import type { Failure } from '@socksmith/protocol'
import {
  BACKLOG,
  type ListenerOptions,
  type LiveSession,
  type SharedCounts,
  type Tally,
  createSharedCounts,
  forgetThread,
  openSharedTally,
} from '@socksmith/server'
import type { Config } from '../config/config.ts'
import { type Outcome, done } from '../exit.ts'
import type { SessionLog } from '../log/session-log.ts'
import type { PasswordHash } from '../users/password.ts'
import type { FromWorker, ToWorker, WorkerTask } from './worker-message.ts'

/** A worker that lived shorter than this is replaced after as long: what killed it may wait for the next one. */
const SHORT_LIFE_MS = 1_000
/** The same notice from several workers within this time is one. */
const SAME_NOTICE_MS = 1_000

export interface WorkerPoolOptions {
  readonly workers: number
  readonly config: Config
  readonly quickUsers: ReadonlyMap<string, PasswordHash>
  /** Clients at once, for the table that counts them. */
  readonly connectionsMax: number
  readonly log: SessionLog
  /** Starts a thread that runs `runWorker`. */
  readonly startThread: (task: WorkerTask) => Worker
}

/** Opens the listeners and starts the workers; a failure says why a socket cannot listen. */
export async function startWorkerPool(
  listeners: readonly ListenerOptions[],
  options: WorkerPoolOptions,
): Promise<Outcome<WorkerPool> | Failure> {
  const sockets: ListeningSocket[] = []
  for (const listener of listeners) {
    const { place, mode, backlog = BACKLOG } = listener
    const opened = await openSharedListener({ place, backlog, ...(mode !== undefined && { mode }) })
    if ('code' in opened) {
      for (const socket of sockets) closeSharedListener(socket)
      return { ...opened, place } as Failure
    }
    sockets.push(opened)
  }
  const pool = new WorkerPool(sockets, options)
  const started = await pool.start()
  return started.ok ? done(pool) : started
}

export class WorkerPool {
  readonly #sockets: ListeningSocket[]
  readonly #options: WorkerPoolOptions
  readonly #counts: SharedCounts
  readonly #ledger: DescriptorLedger = createDescriptorLedger()
  readonly #tally: Tally
  readonly #slots: WorkerSlot[]
  readonly #notices = new Map<string, number>()
  #isStopping = false

  constructor(sockets: ListeningSocket[], options: WorkerPoolOptions) {
    this.#sockets = sockets
    this.#options = options
    this.#counts = createSharedCounts(options.workers + 1, options.connectionsMax)
    this.#tally = openSharedTally(this.#counts, 0)
    this.#slots = Array.from({ length: options.workers }, (_, index) => new WorkerSlot(index + 1))
  }

  /** Where it listens, with the real ports. */
  get places(): readonly Place[] {
    return this.#sockets.map(socket => socket.place)
  }

  /** Client connections of all workers that are not yet closed. */
  get sessionCount(): number {
    return this.#tally.count('connections')
  }

  async start(): Promise<Outcome<void>> {
    const outcomes = await Promise.all(this.#slots.map(slot => this.#launch(slot)))
    const failed = outcomes.find(outcome => !outcome.ok)
    if (failed === undefined) return done(undefined)
    await this.stop({ deadlineMs: 0 })
    return failed
  }

  /** The live sessions of all workers, oldest first. Costs a worker nothing but while it answers. */
  async sessions(): Promise<readonly LiveSession[]> {
    const all = await Promise.all(this.#slots.map(slot => slot.sessions()))
    return all.flat().toSorted((a, b) => a.id - b.id)
  }

  /** As the server's: no new connections, then the end of all sessions by the deadline; how many were ended by it. */
  async stop({ deadlineMs }: { readonly deadlineMs: number }): Promise<number> {
    this.#isStopping = true
    const stopping = this.#slots.map(slot => slot.stop(deadlineMs))
    // Who is in the queue of a socket is accepted by the last worker that closes its ear; then nobody may join the queue.
    await Promise.all(this.#slots.map(slot => slot.deaf))
    for (const socket of this.#sockets.splice(0)) closeSharedListener(socket)
    return (await Promise.all(stopping)).reduce((sum, one) => sum + one, 0)
  }

  #launch(slot: WorkerSlot): Promise<Outcome<void>> {
    const { workers, config, quickUsers, log, startThread } = this.#options
    const worker = startThread({
      thread: slot.thread,
      threads: workers,
      config,
      quickUsers,
      counts: this.#counts,
      ledger: this.#ledger,
      descriptors: this.#sockets.map(socket => socket.fd),
      style: log.style,
    })
    const startedAtMs = performance.now()
    const { promise, resolve } = Promise.withResolvers<Outcome<void>>()
    slot.take(worker)
    worker.on('message', (message: FromWorker) => {
      if (message.kind === 'lines') log.lines(message.text, message.count)
      else if (message.kind === 'notice') this.#notice(message.event, message.message)
      else if (message.kind === 'ready') resolve(done(undefined))
      else if (message.kind === 'failed') resolve({ ok: false, trouble: message.trouble })
      else slot.onAnswer(message)
    })
    let fault: Error | undefined
    worker.on('error', (error: Error) => (fault = error))
    worker.on('exit', () => {
      resolve(done(undefined))
      this.#onExit(slot, performance.now() - startedAtMs, fault)
    })
    return promise
  }

  #onExit(slot: WorkerSlot, lifeMs: number, fault: Error | undefined): void {
    const wasStopped = slot.onExit()
    const before = this.sessionCount
    forgetThread(this.#counts, slot.thread)
    const lost = before - this.sessionCount
    reclaimDescriptors(this.#ledger, slot.thread)
    if (this.#isStopping || wasStopped) return
    const why = fault === undefined ? '' : `: ${fault.stack ?? fault.message}`
    this.#options.log.notice(
      'worker-died',
      `worker ${slot.thread} died and its ${lost} connections with it; another one takes its place${why}`,
    )
    const waitMs = lifeMs < SHORT_LIFE_MS ? SHORT_LIFE_MS : 0
    setTimeout(() => {
      if (!this.#isStopping) void this.#launch(slot)
    }, waitMs)
  }

  #notice(event: string, message: string): void {
    const nowMs = performance.now()
    const key = `${event} ${message}`
    const told = this.#notices.get(key)
    for (const [other, atMs] of this.#notices) if (nowMs - atMs > SAME_NOTICE_MS) this.#notices.delete(other)
    if (told !== undefined && nowMs - told <= SAME_NOTICE_MS) return
    this.#notices.set(key, nowMs)
    this.#options.log.notice(event, message)
  }
}

/** The place of one worker, whichever thread fills it. */
class WorkerSlot {
  readonly thread: number
  readonly #asked = new Map<number, (sessions: readonly LiveSession[]) => void>()
  #worker: Worker | undefined
  readonly #onStopped: ((ended: number) => void)[] = []
  readonly #deaf = Promise.withResolvers<void>()
  #lastRequest = 0

  constructor(thread: number) {
    this.thread = thread
  }

  /** Resolves when it accepts nothing any more. */
  get deaf(): Promise<void> {
    return this.#worker === undefined ? Promise.resolve() : this.#deaf.promise
  }

  take(worker: Worker): void {
    this.#worker = worker
  }

  sessions(): Promise<readonly LiveSession[]> {
    if (this.#worker === undefined) return Promise.resolve([])
    return new Promise(resolve => {
      const request = ++this.#lastRequest
      this.#asked.set(request, resolve)
      this.#tell({ kind: 'sessions', request })
    })
  }

  stop(deadlineMs: number): Promise<number> {
    if (this.#worker === undefined) return Promise.resolve(0)
    return new Promise(resolve => {
      this.#onStopped.push(resolve)
      this.#tell({ kind: 'stop', deadlineMs })
    })
  }

  onAnswer(message: Extract<FromWorker, { kind: 'stopped' | 'sessions' | 'deaf' }>): void {
    if (message.kind === 'deaf') return this.#deaf.resolve()
    if (message.kind === 'stopped') return this.#hasStopped(message.ended)
    this.#asked.get(message.request)?.(message.sessions)
    this.#asked.delete(message.request)
  }

  /** The thread is gone: nobody waits for its answers any more. True when it was told to stop. */
  onExit(): boolean {
    this.#worker = undefined
    const wasStopped = this.#onStopped.length > 0
    for (const answer of this.#asked.values()) answer([])
    this.#asked.clear()
    if (wasStopped) this.#deaf.resolve()
    this.#hasStopped(0)
    return wasStopped
  }

  #hasStopped(ended: number): void {
    for (const answer of this.#onStopped) answer(ended)
    void this.#worker?.terminate()
  }

  #tell(message: ToWorker): void {
    this.#worker?.postMessage(message)
  }
}
