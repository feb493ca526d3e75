/** The thread of the target: opens it, tells its ports, counts in shared memory. Nobody imports this. */
import { parentPort, workerData } from 'node:worker_threads'
import { selectEngine } from '@socksmith/engine'
import { COUNTS, type TargetOrder } from './target.ts'
import { openTarget } from './target-services.ts'

const { address, engine, shared } = workerData as TargetOrder
const counts = new BigInt64Array(shared)
const opened = await openTarget(selectEngine(engine).engine, address, {
  onSunk: total => void Atomics.store(counts, COUNTS.sunk, BigInt(total)),
  onPoured: total => void Atomics.store(counts, COUNTS.poured, BigInt(total)),
  onDamage: () => void Atomics.add(counts, COUNTS.damaged, 1n),
})
// oxlint-disable-next-line unicorn/require-post-message-target-origin
parentPort?.postMessage('code' in opened ? opened : opened.ports)
// To be terminated from outside is no way: the engine would be called once more in a thread that is no more.
parentPort?.once('message', () => {
  if (!('code' in opened)) void opened.close()
})
