/**
 * Loaded into the `socksmith serve` of the soak by `--import`, in each of its threads: tells what the thread holds, and lets a
 * worker die when it is asked to. The server does not know of it.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { getHeapStatistics, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { BroadcastChannel, isMainThread, threadId } from 'node:worker_threads'

/** Asked by the soak. */
export type ToProbe =
  /** Answered by every thread, after garbage was collected; where it is thorough, after its pages are the system's again. */
  | { readonly kind: 'look'; readonly request: number; readonly isThorough: boolean }
  /** The worker with the lowest number ends by an error that nobody catches. */
  | { readonly kind: 'die' }

/** Of one thread. */
export interface ThreadLook {
  readonly request: number
  readonly thread: number
  readonly heapOctets: number
  /** Since the last look: how late timers were, in milliseconds. */
  readonly delayP99Ms: number
  readonly delayMaxMs: number
  /** Since the thread began. */
  readonly delayEverP99Ms: number
}

const CHANNEL = 'soak-probe'
const RESOLUTION_MS = 10

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as (options?: object) => void
/** V8 keeps pages of garbage for what comes; not where memory has run out. */
const THOROUGH = { type: 'major', execution: 'sync', flavor: 'last-resort' }
const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
delay.enable()
const delayEver = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
delayEver.enable()

function look({ request, isThorough }: Extract<ToProbe, { kind: 'look' }>): ThreadLook {
  const [delayP99Ms, delayMaxMs, delayEverP99Ms] = [
    delay.percentile(99) / 1e6,
    delay.max / 1e6,
    delayEver.percentile(99) / 1e6,
  ]
  if (isThorough) collect(THOROUGH)
  else collect()
  // `process.memoryUsage()` opens a file, and throws where no descriptor is left.
  const { used_heap_size: used, external_memory: external } = getHeapStatistics()
  delay.reset()
  return { request, thread: threadId, heapOctets: used + external, delayP99Ms, delayMaxMs, delayEverP99Ms }
}

const channel = new BroadcastChannel(CHANNEL) as BroadcastChannel & EventTarget & { unref(): void }
const broadcast: (message: unknown) => void = channel.postMessage.bind(channel)

function listen(to: (data: unknown) => void): void {
  channel.addEventListener('message', event => to((event as Event & { readonly data: unknown }).data))
  // Being asked is no reason for the thread to live on.
  channel.unref()
}

if (isMainThread) {
  let workers: number[] = []
  listen(data => {
    if (typeof data === 'number') workers.push(data)
    else if (isLook(data)) process.send?.(data)
  })
  process.on('message', (asked: ToProbe) => {
    if (asked.kind === 'look') {
      broadcast(asked)
      process.send?.(look(asked))
    } else {
      const [first] = workers
      workers = workers.slice(1)
      broadcast({ kind: 'die', thread: first })
    }
  })
  process.channel?.unref()
  // Whoever started it was ended from outside.
  process.once('disconnect', () => process.kill(process.pid, 'SIGKILL'))
} else {
  broadcast(threadId)
  listen(data => {
    if (isAsked(data, 'look')) broadcast(look(data))
    if (isAsked(data, 'die') && data.thread === threadId) throw new Error('a planted fault')
  })
}

function isLook(data: unknown): data is ThreadLook {
  return typeof data === 'object' && data !== null && 'heapOctets' in data
}

/** What the main thread hands on to its workers. */
type ToWorker = Extract<ToProbe, { kind: 'look' }> | { readonly kind: 'die'; readonly thread: number }

function isAsked<K extends ToWorker['kind']>(data: unknown, kind: K): data is Extract<ToWorker, { kind: K }> {
  return typeof data === 'object' && data !== null && 'kind' in data && data.kind === kind
}
