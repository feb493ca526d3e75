/**
 * The server in several worker threads, as one: opens the sockets that all of them accept from, counts for all of them,
 * collects what they log, and replaces one that died, whose sessions alone are lost.
 */
import type { EventLoopUtilization } from 'node:perf_hooks'
import type { Worker } from 'node:worker_threads'
import {
  type DescriptorLedger,
  type Place,
  type SharedListener,
  closeSharedListener,
  createDescriptorLedger,
  openSharedListener,
  reclaimDescriptors,
  silenceThread,
  steerNewcomers,
} from '@socksmith/engine'
import type { Failure } from '@socksmith/protocol'
import {
  BACKLOG,
  type Ban,
  type ListenerOptions,
  type LiveSession,
  type SharedCounts,
  type Tally,
  connectionsOfThread,
  createSharedCounts,
  forgetLedgerThread,
  forgetThread,
  openSharedTally,
} from '@socksmith/server'
import type { Config } from '../config/config.ts'
import { formatPlace } from '../config/place-text.ts'
import { type Outcome, done } from '../exit.ts'
import type { SessionLog } from '../log/session-log.ts'
import type { CachedName } from '../dns/name-caches.ts'
import type { InForce, LiveUsers, PolicyData } from '../policy/in-force.ts'
import type { LiveState } from '../state/live-state.ts'
import { Steering, type WorkerLoad } from './steering.ts'
import type { RunningServer } from './stop.ts'
import {
  type Answer,
  type FromWorker,
  NO_ANSWER,
  type Question,
  type ToWorker,
  type WorkerTask,
} from './worker-message.ts'

/** A worker that lived shorter than this is replaced after as long: what killed it may wait for the next one. */
const SHORT_LIFE_MS = 1_000
/** The same notice from several workers within this time is one. */
const SAME_NOTICE_MS = 1_000

export interface WorkerPoolOptions {
  readonly workers: number
  readonly config: Config
  /** The rules and users to begin with. */
  readonly inForce: InForce
  readonly hasUsers: boolean
  /** Clients at once, for the table that counts them. */
  readonly connectionsMax: number
  readonly log: SessionLog
  /** What all workers count, and who is kept out. */
  readonly state: Pick<LiveState, 'accounts' | 'failures' | 'bans' | 'add'>
  /** Starts a thread that runs `runWorker`. */
  readonly startThread: (task: WorkerTask) => Worker
  /** False: newcomers are always shared out among all. Default true. */
  readonly isSteered?: boolean
}

/** Opens the listeners and starts the workers; a failure says why a socket cannot listen. */
export async function startWorkerPool(
  listeners: readonly ListenerOptions[],
  options: WorkerPoolOptions,
): Promise<Outcome<WorkerPool> | Failure> {
  const sockets: SharedListener[] = []
  for (const listener of listeners) {
    const { place, mode, descriptor, backlog = BACKLOG } = listener
    const inherited = descriptor !== undefined && { descriptor }
    const wanted = { place, backlog, ...(mode !== undefined && { mode }), ...inherited }
    const opened = await openSharedListener(wanted, options.workers)
    if ('code' in opened) {
      for (const socket of sockets) closeSharedListener(socket)
      return { ...opened, detail: `cannot listen on ${formatPlace(place)}` }
    }
    sockets.push(opened)
  }
  const pool = new WorkerPool(sockets, options)
  const started = await pool.start()
  return started.ok ? done(pool) : started
}

export class WorkerPool implements RunningServer {
  readonly #sockets: SharedListener[]
  readonly #options: Omit<WorkerPoolOptions, 'inForce'>
  readonly #counts: SharedCounts
  readonly #ledger: DescriptorLedger = createDescriptorLedger()
  readonly #tally: Tally
  readonly #slots: WorkerSlot[]
  readonly #deaf = Promise.withResolvers<void>()
  readonly #notices = new Map<string, number>()
  readonly #steering: Steering
  /** For the workers that are started from now on. */
  #inForce: InForce
  #isStopping = false

  constructor(sockets: SharedListener[], { inForce, ...options }: WorkerPoolOptions) {
    this.#sockets = sockets
    this.#options = options
    this.#inForce = inForce
    this.#counts = createSharedCounts(options.workers + 1, options.connectionsMax)
    this.#tally = openSharedTally(this.#counts, 0)
    this.#slots = Array.from({ length: options.workers }, (_, index) => new WorkerSlot(index + 1))
    this.#steering = new Steering(
      () => this.#slots.map(slot => slot.load(this.#counts)),
      to => this.#sockets.forEach(socket => steerNewcomers(socket, to)),
    )
    process.on('exit', this.#onProcessExit)
  }

  get #isSteered(): boolean {
    return this.#options.isSteered !== false && this.#slots.length > 1
  }

  /** Where it listens, with the real ports. */
  get places(): readonly Place[] {
    return this.#sockets.map(socket => socket.place)
  }

  /** Client connections of all workers that are not yet closed. */
  get sessionCount(): number {
    return this.#tally.count('connections')
  }

  /** Resolves when no socket listens any more. */
  get deaf(): Promise<void> {
    return this.#deaf.promise
  }

  async start(): Promise<Outcome<void>> {
    const outcomes = await Promise.all(this.#slots.map(slot => this.#launch(slot)))
    const failed = outcomes.find(outcome => !outcome.ok)
    if (failed === undefined) {
      if (this.#isSteered) this.#steering.start()
      return done(undefined)
    }
    await this.stop({ deadlineMs: 0 })
    return failed
  }

  /** The live sessions of all workers, oldest first. Costs a worker nothing but while it answers. */
  async sessions(): Promise<readonly LiveSession[]> {
    const all = await this.#ask({ kind: 'sessions' })
    return all.flatMap(answer => answer.sessions).toSorted((a, b) => a.id - b.id)
  }

  async names(): Promise<readonly CachedName[]> {
    return (await this.#ask({ kind: 'names' })).flatMap(({ names }) => names)
  }

  async flushNames(name?: string): Promise<number> {
    const all = await this.#ask({ kind: 'flush-names', ...(name !== undefined && { name }) })
    return all.reduce((sum, { flushed }) => sum + flushed, 0)
  }

  async usePolicy(policy: PolicyData): Promise<number> {
    this.#inForce = { ...this.#inForce, policy }
    return sumOf(await this.#ask({ kind: 'policy', policy }))
  }

  async useUsers(users: LiveUsers): Promise<number> {
    this.#inForce = { ...this.#inForce, users }
    return sumOf(await this.#ask({ kind: 'users', users }))
  }

  async ban(bans: readonly Ban[]): Promise<number> {
    return sumOf(await this.#ask({ kind: 'ban', bans }))
  }

  async unban(keys: readonly string[]): Promise<void> {
    await this.#ask({ kind: 'unban', keys })
  }

  /** As the server's: no new connections, then the end of all sessions by the deadline; how many were ended by it. */
  async stop({ deadlineMs }: { readonly deadlineMs: number }): Promise<number> {
    this.#isStopping = true
    this.#steering.stop()
    const stopping = this.#slots.map(slot => slot.stop(deadlineMs))
    // Who is in the queue of a socket is accepted by the last worker that closes its ear; then nobody may join the queue.
    await Promise.all(this.#slots.map(slot => slot.deaf))
    for (const socket of this.#sockets.splice(0)) closeSharedListener(socket)
    this.#deaf.resolve()
    const ended = (await Promise.all(stopping)).reduce((sum, one) => sum + one, 0)
    process.off('exit', this.#onProcessExit)
    return ended
  }

  // However the process ends: Node takes the threads down, and none may be woken by a socket while it does.
  readonly #onProcessExit = (): void => {
    for (const slot of this.#slots) silenceThread(this.#ledger, slot.thread)
  }

  #ask(question: Question): Promise<readonly Answer[]> {
    return Promise.all(this.#slots.map(slot => slot.ask(question)))
  }

  #launch(slot: WorkerSlot): Promise<Outcome<void>> {
    const { workers, config, hasUsers, log, state, startThread } = this.#options
    const worker = startThread({
      thread: slot.thread,
      threads: workers,
      config,
      inForce: this.#inForce,
      hasUsers,
      counts: this.#counts,
      accounts: state.accounts,
      failures: state.failures,
      bans: state.bans,
      ledger: this.#ledger,
      descriptors: this.#sockets.map(socket => socket.descriptors[slot.thread - 1] as number),
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
      else if (message.kind === 'stopped') void slot.onStopped(message.ended, this.#ledger)
      else if (message.kind === 'deaf') slot.onDeaf()
      else if (message.kind === 'banned') void state.add(message.ban)
      else slot.onAnswer(message.request, message.answer)
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
    const { accounts, failures } = this.#options.state
    for (const memory of [accounts, failures]) forgetLedgerThread(memory, slot.thread)
    const lost = before - this.sessionCount
    reclaimDescriptors(this.#ledger, slot.thread)
    if (this.#isStopping || wasStopped) return
    if (this.#isSteered) this.#steering.update()
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

function sumOf(answers: readonly Answer[]): number {
  return answers.reduce((sum, { ended }) => sum + ended, 0)
}

/** The place of one worker, whichever thread fills it. */
class WorkerSlot {
  readonly thread: number
  readonly #asked = new Map<number, (answer: Answer) => void>()
  #worker: Worker | undefined
  readonly #onStopped: ((ended: number) => void)[] = []
  readonly #deaf = Promise.withResolvers<void>()
  #usedBefore: EventLoopUtilization | undefined
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
    this.#usedBefore = undefined
  }

  /** What it has had to do since it was asked before. */
  load(counts: SharedCounts): WorkerLoad {
    const sessions = connectionsOfThread(counts, this.thread)
    const loop = this.#worker?.performance
    if (loop === undefined) return { isThere: false, busy: 0, sessions }
    const used = loop.eventLoopUtilization()
    const busy = this.#usedBefore === undefined ? 0 : loop.eventLoopUtilization(used, this.#usedBefore).utilization
    this.#usedBefore = used
    return { isThere: true, busy, sessions }
  }

  ask(question: Question): Promise<Answer> {
    if (this.#worker === undefined) return Promise.resolve(NO_ANSWER)
    return new Promise(resolve => {
      const request = ++this.#lastRequest
      this.#asked.set(request, resolve)
      this.#tell({ kind: 'ask', request, question })
    })
  }

  stop(deadlineMs: number): Promise<number> {
    if (this.#worker === undefined) return Promise.resolve(0)
    return new Promise(resolve => {
      this.#onStopped.push(resolve)
      this.#tell({ kind: 'stop', deadlineMs })
    })
  }

  onDeaf(): void {
    this.#deaf.resolve()
  }

  onAnswer(request: number, answer: Answer): void {
    this.#asked.get(request)?.(answer)
    this.#asked.delete(request)
  }

  /** The thread is gone: nobody waits for its answers any more. True when it was told to stop. */
  onExit(): boolean {
    this.#worker = undefined
    const wasStopped = this.#onStopped.length > 0
    for (const answer of this.#asked.values()) answer(NO_ANSWER)
    this.#asked.clear()
    if (wasStopped) this.#deaf.resolve()
    for (const answer of this.#onStopped) answer(0)
    return wasStopped
  }

  /** All its sessions are over: the thread ends, whatever still runs in it. */
  async onStopped(ended: number, ledger: DescriptorLedger): Promise<void> {
    for (const answer of this.#onStopped) answer(ended)
    await this.kill(ledger)
  }

  async kill(ledger: DescriptorLedger): Promise<void> {
    silenceThread(ledger, this.thread)
    await this.#worker?.terminate()
  }

  #tell(message: ToWorker): void {
    this.#worker?.postMessage(message)
  }
}
