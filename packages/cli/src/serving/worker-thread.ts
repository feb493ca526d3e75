/** A worker: the whole server on the Linux engine, in a thread of its own. The main thread holds the log and the sockets. */
import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
import { createLinuxEngine, recordDescriptors, silenceEngines } from '@socksmith/engine'
import { type Ban, openSharedLedger, openSharedTally } from '@socksmith/server'
import { EXIT, type Outcome, trouble } from '../exit.ts'
import { type SessionLog, lineOf } from '../log/session-log.ts'
import { type BuiltServer, type ServerParts, buildServer } from './build-server.ts'
import {
  type Answer,
  type FromWorker,
  NO_ANSWER,
  type Question,
  type ToWorker,
  type WorkerTask,
} from './worker-message.ts'

/** Runs until the main thread says stop. */
export async function runWorker(): Promise<void> {
  const port = parentPort
  if (port === null) throw new Error('this is no worker thread')
  const task = takeTask(workerData as WorkerTask)
  const { config, style } = task
  process.on('exit', silenceEngines)
  const lines = new LineBatch(port)
  const tellers = {
    onDeaf: () => tell(port, { kind: 'deaf' }),
    onBan: (ban: Ban) => tell(port, { kind: 'banned', ban }),
  }
  const built = await startServer(task, tellers, {
    session: record => lines.add(lineOf(record, config.log.sessions, style)),
    notice: (event, message) => tell(port, { kind: 'notice', event, message }),
  })
  if (!built.ok) return tell(port, { kind: 'failed', trouble: built.trouble })
  port.on('message', (message: ToWorker) => {
    switch (message.kind) {
      case 'ask':
        return void answerTo(message.question, built.value).then(answer =>
          tell(port, { kind: 'answer', request: message.request, answer }),
        )
      case 'stop':
        return void built.value.server.stop({ deadlineMs: message.deadlineMs }).then(ended => {
          lines.flush()
          tell(port, { kind: 'stopped', ended })
          port.close()
        })
    }
  })
  tell(port, { kind: 'ready' })
}

/** Node keeps what a thread was given as long as it lives; the rules, users and bans of its start are others before long. */
function takeTask(given: WorkerTask): WorkerTask {
  const task = { ...given }
  for (const key of Object.keys(given)) Reflect.deleteProperty(given, key)
  return task
}

async function answerTo(question: Question, { server, governed, names }: BuiltServer): Promise<Answer> {
  switch (question.kind) {
    case 'names':
      return { ...NO_ANSWER, names: names.list() }
    case 'flush-names':
      return { ...NO_ANSWER, flushed: names.flush(question.name) }
    case 'sessions':
      return { ...NO_ANSWER, sessions: server.sessions() }
    case 'policy':
      return { ...NO_ANSWER, ended: await governed.usePolicy(question.policy) }
    case 'users':
      return { ...NO_ANSWER, ended: await governed.useUsers(question.users) }
    case 'ban':
      return { ...NO_ANSWER, ended: await governed.ban(question.bans) }
    case 'unban':
      await governed.unban(question.keys)
      return NO_ANSWER
  }
}

async function startServer(
  task: WorkerTask,
  tellers: Pick<ServerParts, 'onDeaf' | 'onBan'>,
  log: Pick<SessionLog, 'session' | 'notice'>,
): Promise<Outcome<BuiltServer>> {
  recordDescriptors(task.ledger, task.thread)
  const made = createLinuxEngine()
  if ('reason' in made) return trouble(EXIT.UNAVAILABLE, `worker ${task.thread}: ${made.reason}`)
  const built = buildServer(task.config, {
    engine: made.engine,
    log,
    inForce: task.inForce,
    hasUsers: task.hasUsers,
    threads: task.threads,
    tally: openSharedTally(task.counts, task.thread),
    ledger: openSharedLedger(task.accounts, task.thread),
    failures: openSharedLedger(task.failures, task.thread),
    bans: task.bans,
    descriptors: task.descriptors,
    ...tellers,
  })
  if (!built.ok) return built
  const places = await built.value.server.start()
  if ('code' in places) return trouble(EXIT.UNAVAILABLE, `worker ${task.thread}: ${places.detail ?? places.code}`)
  return built
}

function tell(port: MessagePort, message: FromWorker): void {
  port.postMessage(message)
}

/** Milliseconds for which lines wait for others: a message to the main thread costs more than to make many lines. */
const GATHER_MS = 20
/** Enough for a message of its own. */
const GATHER_CHARACTERS_MAX = 65_536

/** Sends lines to the main thread, many in one message. */
class LineBatch {
  readonly #port: MessagePort
  #text = ''
  #count = 0
  #timer: NodeJS.Timeout | undefined

  constructor(port: MessagePort) {
    this.#port = port
  }

  add(line: string | undefined): void {
    if (line === undefined) return
    if (this.#count === 0) this.#timer = setTimeout(() => this.flush(), GATHER_MS)
    this.#text += `${line}\n`
    this.#count++
    if (this.#text.length >= GATHER_CHARACTERS_MAX) this.flush()
  }

  flush(): void {
    clearTimeout(this.#timer)
    if (this.#count === 0) return
    tell(this.#port, { kind: 'lines', text: this.#text, count: this.#count })
    this.#text = ''
    this.#count = 0
  }
}
