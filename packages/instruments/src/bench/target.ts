/** The target of a run, in a thread of its own, so that a ceiling is the machine's and not one thread's. */
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { Failure, IpAddress } from '@socksmith/protocol'
import type { TargetPorts } from './target-services.ts'

const EXTENSION = import.meta.url.slice(-'.ts'.length)
// A thread does not take over the hooks by which a checkout finds the sources of its packages.
const EXEC_ARGV = EXTENSION === '.ts' ? { execArgv: ['--conditions=@socksmith/source'] } : {}

/** What the thread is told. */
export interface TargetOrder {
  readonly address: IpAddress
  readonly engine: 'auto' | 'node'
  readonly shared: SharedArrayBuffer
}

/** Places in the shared memory, 64-bit integers. */
export const COUNTS = { sunk: 0, poured: 1, damaged: 2 } as const

export interface Target {
  readonly address: IpAddress
  readonly ports: TargetPorts
  /** Octets that came to the sink so far. */
  sunkOctets(): number
  /** Octets that the source has sent so far. */
  pouredOctets(): number
  /** Reads of the sink that were not what was sent. */
  damages(): number
  close(): Promise<void>
}

/** Starts the thread; its ports are free ones on `address`, which must be one of this machine. */
export async function startTarget(address: IpAddress, engine: 'auto' | 'node' = 'auto'): Promise<Target | Failure> {
  const shared = new SharedArrayBuffer(Object.keys(COUNTS).length * BigInt64Array.BYTES_PER_ELEMENT)
  const order: TargetOrder = { address, engine, shared }
  const worker = new Worker(new URL(`target-worker${EXTENSION}`, import.meta.url), {
    workerData: order,
    ...EXEC_ARGV,
  })
  const [opened] = (await once(worker, 'message')) as [TargetPorts | Failure]
  const close = async (): Promise<void> => {
    const ended = once(worker, 'exit')
    // oxlint-disable-next-line unicorn/require-post-message-target-origin
    worker.postMessage('close')
    await ended
  }
  if ('code' in opened) {
    await close()
    return opened
  }
  const counts = new BigInt64Array(shared)
  const count = (at: number): number => Number(Atomics.load(counts, at))
  return {
    address,
    ports: opened,
    sunkOctets: () => count(COUNTS.sunk),
    pouredOctets: () => count(COUNTS.poured),
    damages: () => count(COUNTS.damaged),
    close,
  }
}
