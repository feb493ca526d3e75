/** Starts the thread of one worker. The only file that knows where its program is. */
import { Worker } from 'node:worker_threads'
import type { WorkerTask } from './worker-message.ts'

/**
 * Megabytes for what a worker has just made. V8 would take three times as much when thousands of tunnels are opened, and
 * keep it; a smaller space is emptied more often, which costs no processor time that could be measured.
 */
const YOUNG_GENERATION_MB_MAX = 16

/** A thread that runs `runWorker` with this task. */
export function startThread(task: WorkerTask): Worker {
  return new Worker(new URL('../../bin/worker.js', import.meta.url), {
    workerData: task,
    resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB_MAX },
  })
}
