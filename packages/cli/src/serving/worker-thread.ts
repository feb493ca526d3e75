/** A worker: the whole server on the Linux engine, in a thread of its own. The main thread holds the log and the sockets. */
import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
import { createLinuxEngine, recordDescriptors } from '@socksmith/engine'
import { type Server, openSharedTally } from '@socksmith/server'
import { EXIT, type Outcome, trouble } from '../exit.ts'
import { type SessionLog, lineOf } from '../log/session-log.ts'
import { buildServer } from './build-server.ts'
import type { FromWorker, ToWorker, WorkerTask } from './worker-message.ts'

/** Runs until the main thread says stop. */
export async function runWorker(): Promise<void> {
  const port = parentPort
  if (port === null) throw new Error('this is no worker thread')
  const task = workerData as WorkerTask
  const lines = new LineBatch(port)
  const server = await startServer(task, () => tell(port, { kind: 'deaf' }), {
    session: record => lines.add(lineOf(record, task.config.log.sessions, task.style)),
    notice: (event, message) => tell(port, { kind: 'notice', event, message }),
  })
  if (!server.ok) return tell(port, { kind: 'failed', trouble: server.trouble })
  port.on('message', (message: ToWorker) => {
    if (message.kind === 'sessions') {
      return tell(port, { kind: 'sessions', request: message.request, sessions: server.value.sessions() })
    }
    void server.value.stop({ deadlineMs: message.deadlineMs }).then(ended => {
      lines.flush()
      tell(port, { kind: 'stopped', ended })
      port.close()
    })
  })
  tell(port, { kind: 'ready' })
}

async function startServer(
  task: WorkerTask,
  onDeaf: () => void,
  log: Pick<SessionLog, 'session' | 'notice'>,
): Promise<Outcome<Server>> {
  recordDescriptors(task.ledger, task.thread)
  const made = createLinuxEngine()
  if ('reason' in made) return trouble(EXIT.UNAVAILABLE, `worker ${task.thread}: ${made.reason}`)
  const server = await buildServer(task.config, {
    engine: made.engine,
    log,
    quickUsers: task.quickUsers,
    threads: task.threads,
    tally: openSharedTally(task.counts, task.thread),
    descriptors: task.descriptors,
    onDeaf,
  })
  if (!server.ok) return server
  const places = await server.value.start()
  if ('code' in places) return trouble(EXIT.UNAVAILABLE, `worker ${task.thread}: ${places.detail ?? places.code}`)
  return server
}

function tell(port: MessagePort, message: FromWorker): void {
  port.postMessage(message)
}

/** Lines of the same turn of the loop go to the main thread in one message. */
class LineBatch {
  readonly #port: MessagePort
  #text = ''
  #count = 0

  constructor(port: MessagePort) {
    this.#port = port
  }

  add(line: string | undefined): void {
    if (line === undefined) return
    if (this.#count === 0) setImmediate(() => this.flush())
    this.#text += `${line}\n`
    this.#count++
  }

  flush(): void {
    if (this.#count === 0) return
    tell(this.#port, { kind: 'lines', text: this.#text, count: this.#count })
    this.#text = ''
    this.#count = 0
  }
}
