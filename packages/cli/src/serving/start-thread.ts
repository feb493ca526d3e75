/** Starts the thread of one worker. The only file that knows where its program is. */
import { Worker } from 'node:worker_threads'
import type { WorkerTask } from './worker-message.ts'

/** A thread that runs `runWorker` with this task. */
export function startThread(task: WorkerTask): Worker {
  return new Worker(new URL('../../bin/worker.js', import.meta.url), { workerData: task })
}
